"""The client's address: headers count only if trusted proxies wrote them."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.receiver.client_address import find_client_address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]
PROXY, OTHER_PROXY, CLIENT, LIAR = "10.0.0.1", "10.0.0.2", "192.0.2.7", "198.51.100.1"


@pytest.mark.parametrize(
    ("peer", "x_forwarded_for", "forwarded", "expected"),
    [
        (CLIENT, [], [], CLIENT),
        (CLIENT, [LIAR], [f"for={LIAR}"], CLIENT),  # the client isn't a proxy
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
        (PROXY, [], [f'for={CLIENT};host="x,for={LIAR}"'], CLIENT),
        (PROXY, [], [f'for={CLIENT};host="x\\",for={LIAR}"'], CLIENT),
        (PROXY, [], [f'host="x;for={LIAR}";for={CLIENT}'], CLIENT),
        (PROXY, [], [f'for="{LIAR}, for={CLIENT}'], None),
        (PROXY, [], [f"for={LIAR};for={CLIENT}"], None),
        (PROXY, [], [f"for={LIAR} for={CLIENT}"], None),
        (PROXY, [], ['for="x', f"for={CLIENT}"], CLIENT),
        (PROXY, [], ["proto=https"], None),
        (PROXY, [CLIENT], [f"for={CLIENT}"], CLIENT),
        (PROXY, [CLIENT], [f"for={LIAR}"], None),
        ("::ffff:10.0.0.1", [CLIENT], [], CLIENT),
        ("2001:db8:1::9", [f"::ffff:{CLIENT}"], [], CLIENT),
        ("nonsense", [CLIENT], [], None),
    ],
)
def test_the_nearest_that_is_no_trusted_proxy_called(
    peer: str, x_forwarded_for: list[str], forwarded: list[str], expected: str | None
) -> None:
    """Hops that the client invented are ignored, and so are two headers that disagree."""
    assert find_client_address(peer, x_forwarded_for, forwarded, TRUSTED) == (
        ip_address(expected) if expected else None
    )


def test_without_trusted_proxies_the_peer_called() -> None:
    """Without trusted proxies, headers are ignored."""
    assert find_client_address(PROXY, [LIAR], [f"for={LIAR}"], []) == ip_address(PROXY)


HOSTILE = st.text(alphabet='for=,;"\\ 1.host:[]', max_size=60)


@given(HOSTILE)
def test_a_quoted_value_never_adds_a_hop(text: str) -> None:
    """Whatever a client puts into a value that its proxy quotes, the proxy's own `for` is the nearest hop."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    for line in (
        f'for={CLIENT};host="{quoted}"',
        f'host="{quoted}";for={CLIENT}',
        f'for=x;by="{quoted}", for={CLIENT}',
    ):
        assert find_client_address(PROXY, [], [line], TRUSTED) == ip_address(CLIENT)


@given(st.lists(HOSTILE, max_size=3))
def test_any_header_gives_an_address_or_none(lines: list[str]) -> None:
    """Headers that aren't well formed raise nothing, and are never taken for a trusted client."""
    find_client_address(PROXY, [], lines, TRUSTED)
    assert find_client_address(PROXY, [], [*lines, f"for={CLIENT}"], TRUSTED) == ip_address(CLIENT)
