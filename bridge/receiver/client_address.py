"""Who called, behind proxies: what they say of it counts only where they are trusted. No requests, no answers here."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]
Address = IPv4Address | IPv6Address

_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)', re.IGNORECASE)
_PORT = re.compile(r"\[(.+)\](?::\d+)?|([^:]+):\d+")


def find_client_address(
    peer: str, x_forwarded_for: Sequence[str], forwarded: Sequence[str], trusted: Networks
) -> Address | None:
    """The nearest address that is no trusted proxy; None where nobody can tell.

    A proxy writes one of the two headers and lets the other through, whoever wrote it. So where both are there and
    say different things, neither is believed.

    Args:
        peer: Who is connected.
        x_forwarded_for: The lines of that header. A proxy may extend a line or add one; the last hop is the nearest.
        forwarded: The lines of the header of RFC 7239.
        trusted: The proxies.
    """
    first = _address(peer)
    if first is None or not in_networks(first, trusted):
        return first
    plain = [hop for line in x_forwarded_for for hop in line.split(",") if hop.strip()]
    named = [_for(hop) for line in forwarded for hop in line.split(",") if hop.strip()]
    found = {_walk(first, chain, trusted) for chain in (plain, named) if chain}
    return found.pop() if len(found) == 1 else None if found else first


def in_networks(address: Address, networks: Networks) -> bool:
    """Whether one of the networks has it."""
    return any(address in network for network in networks)


def _walk(address: Address, hops: Sequence[str], trusted: Networks) -> Address | None:
    client: Address | None = address
    for hop in reversed(hops):
        if client is None or not in_networks(client, trusted):
            break
        client = _address(hop)
    return client


def _for(element: str) -> str:
    """The `for` of one element of `Forwarded`; empty where it has none."""
    found = _FOR.search(element)
    return found[1].strip('"') if found else ""


def _address(text: str) -> Address | None:
    """An address as it is written in headers: with or without a port, IPv6 in brackets; None: it is no address."""
    with_port = _PORT.fullmatch(text.strip())
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
