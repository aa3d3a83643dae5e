"""Finds the address of a client behind proxies. Headers count only if a trusted proxy sent them. Pure."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]
Address = IPv4Address | IPv6Address

_PARAMETER = re.compile(r'\s*(?:([^\s",;=]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s",;]*))?\s*(?:([;,])|$)')
"""A parameter of `Forwarded` and what ends it. A client may have chosen a quoted value, such as a proxy's `host`."""
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
    nearest = parse_address(peer)
    if nearest is None or not is_in_networks(nearest, trusted):
        return nearest
    x_hops = [hop for line in x_forwarded_for for hop in line.split(",") if hop.strip()]
    hops = [hop for line in forwarded for hop in _parse_forwarded(line)]
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
        client = parse_address(hop)
    return client


def _parse_forwarded(line: str) -> list[str]:
    """Parse the `for` of each element of a line (RFC 7239, section 4); empty if there is none, or not exactly one.

    A line that isn't well formed has one hop, which is empty.
    """
    hops, parameters, position = list[str](), list[tuple[str, str]](), 0
    while position <= len(line):
        match = _PARAMETER.match(line, position)
        if match is None:
            return [""]
        name, value, separator = match.groups()
        if name is not None:
            parameters.append((name.lower(), value))
        if separator != ";" and parameters:
            clients = [re.sub(r"\\(.)", r"\1", value.strip('"')) for name, value in parameters if name == "for"]
            hops.append(clients[0] if len(clients) == 1 else "")
            parameters = []
        if separator is None:
            break
        position = match.end()
    return hops


def parse_address(text: str) -> Address | None:
    """Parse an address with or without a port, IPv6 perhaps in brackets; None if it isn't an address."""
    with_port = _PORT.fullmatch(text.strip())
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
