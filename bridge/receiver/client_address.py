"""Finds the address of a client behind proxies. Headers count only if a trusted proxy sent them. Pure."""

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
    """Find the nearest address that isn't a trusted proxy; None if it can't be determined.

    A proxy writes one of the two headers and passes the other one on, which the client may have forged. So if both are
    present and disagree, neither is trusted.

    Args:
        peer: The address at the other end of the connection.
        x_forwarded_for: The lines of `X-Forwarded-For`. A proxy may extend a line or add one; the last hop is the
            nearest.
        forwarded: The lines of `Forwarded` (RFC 7239).
        trusted: The networks of the trusted proxies.
    """
    nearest = _parse_address(peer)
    if nearest is None or not is_in_networks(nearest, trusted):
        return nearest
    x_hops = [hop for line in x_forwarded_for for hop in line.split(",") if hop.strip()]
    hops = [_parse_for(hop) for line in forwarded for hop in line.split(",") if hop.strip()]
    clients = {_find_client(nearest, chain, trusted) for chain in (x_hops, hops) if chain}
    if not clients:
        return nearest
    return clients.pop() if len(clients) == 1 else None


def is_in_networks(address: Address, networks: Networks) -> bool:
    """Whether one of the networks includes the address."""
    return any(address in network for network in networks)


def _find_client(nearest: Address, hops: Sequence[str], trusted: Networks) -> Address | None:
    """Go back from hop to hop for as long as they are trusted proxies."""
    client: Address | None = nearest
    for hop in reversed(hops):
        if client is None or not is_in_networks(client, trusted):
            break
        client = _parse_address(hop)
    return client


def _parse_for(element: str) -> str:
    """Parse the `for` of an element of `Forwarded`; empty if it has none."""
    match = _FOR.search(element)
    return match[1].strip('"') if match else ""


def _parse_address(text: str) -> Address | None:
    """Parse an address with or without a port, IPv6 perhaps in brackets; None if it isn't an address."""
    with_port = _PORT.fullmatch(text.strip())
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
