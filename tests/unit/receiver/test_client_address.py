"""The client's address: forwarding headers count only if they come from trusted proxies."""

from ipaddress import ip_address, ip_network

import pytest

from bridge.receiver.client_address import find_client_address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]
PROXY, OTHER_PROXY, CLIENT, LIAR = "10.0.0.1", "10.0.0.2", "192.0.2.7", "198.51.100.1"


@pytest.mark.parametrize(
    ("peer", "plain", "named", "found"),
    [
        (CLIENT, [], [], CLIENT),
        (CLIENT, [LIAR], [f"for={LIAR}"], CLIENT),  # the header is not configured
        (PROXY, [], [], PROXY),
        (PROXY, [CLIENT], [], CLIENT),
        (PROXY, [f"{LIAR}, {CLIENT}"], [], CLIENT),
        (PROXY, [LIAR, CLIENT], [], CLIENT),
        (PROXY, [f"{LIAR}, {CLIENT}, {OTHER_PROXY}"], [], CLIENT),
        (PROXY, [f"{CLIENT}:4711"], [], CLIENT),
        (PROXY, ["[2001:db8::1]:4711"], [], "2001:db8::1"),
        (PROXY, ["2001:db8::1"], [], "2001:db8::1"),
        (PROXY, ["nonsense"], [], None),
        (PROXY, [f"{CLIENT}, unknown"], [], None),
        (PROXY, [OTHER_PROXY], [], OTHER_PROXY),
        (PROXY, [], [f"for={CLIENT}"], CLIENT),
        (PROXY, [], [f"For={CLIENT};proto=https;by={PROXY}"], CLIENT),
        (PROXY, [], [f"proto=https; FOR = {CLIENT}"], CLIENT),
        (PROXY, [], ['for="[2001:db8::1]:4711"'], "2001:db8::1"),
        (PROXY, [], [f'for={LIAR}, for="{CLIENT}:80"', f"for={OTHER_PROXY}"], CLIENT),
        (PROXY, [], ["for=_hidden"], None),
        (PROXY, [], ["proto=https"], None),
        (PROXY, [CLIENT], [f"for={CLIENT}"], CLIENT),
        (PROXY, [CLIENT], [f"for={LIAR}"], None),
        ("::ffff:10.0.0.1", [CLIENT], [], CLIENT),
        ("2001:db8:1::9", [f"::ffff:{CLIENT}"], [], CLIENT),
        ("nonsense", [CLIENT], [], None),
    ],
)
def test_client_is_the_nearest_untrusted_hop(peer: str, plain: list[str], named: list[str], found: str | None) -> None:
    """Earlier hops can be forged and are ignored, and so are two contradicting headers."""
    assert find_client_address(peer, plain, named, TRUSTED) == (ip_address(found) if found else None)


def test_client_without_trusted_proxies() -> None:
    """No forwarding header is read without trusted proxies."""
    assert find_client_address(PROXY, [LIAR], [f"for={LIAR}"], []) == ip_address(PROXY)
