"""The client of an OAuth server, against a real HTTP server: one request for many, renewal, bounds, errors."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
import trustme

from bridge.kafka import oauth_client
from bridge.kafka.oauth_client import MAX_ANSWER_BYTES, OAuthClient
from bridge.kafka.token_cache import FAILURE_PAUSE
from bridge.kafka.tokens import TokenError, TokenProvider
from bridge.settings.kafka import OAuthSettings
from tests.support.kafka.token_server import CLIENT_SECRET, REFUSED, TokenServer
from tests.support.settings import settings_of


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def settings_for(server: TokenServer, **changes: str) -> OAuthSettings:
    """Return the settings of a client of this server."""
    return settings_of(**{**server.settings, **changes}).kafka.oauth


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TokenServer]:
    """A server without TLS."""
    async with TokenServer() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    """The client's clock."""
    return Clock()


@pytest.fixture
def oauth(server: TokenServer, clock: Clock) -> OAuthClient:
    """A client of the server."""
    return OAuthClient(settings_for(server), clock)


async def test_concurrent_callers_share_one_request(server: TokenServer, oauth: OAuthClient) -> None:
    """The connections of one moment cost one request, also if one caller gives up."""
    server.gate.clear()
    callers = [asyncio.create_task(oauth.fetch()) for _ in range(20)]
    await asyncio.sleep(0)
    callers.pop().cancel()
    server.gate.set()
    assert len(set(await asyncio.gather(*callers))) == 1
    assert server.requests == 1


async def test_token_is_kept_until_shortly_before_its_end(
    server: TokenServer, oauth: OAuthClient, clock: Clock
) -> None:
    """A token of an hour is renewed a minute before, one of ten seconds two seconds before."""
    for lifetime, margin in ((3600, 60), (10, 2)):
        server.lifetime_seconds = lifetime
        clock.now += 10_000
        first = await oauth.fetch()
        clock.now += lifetime - margin - 0.1
        assert await oauth.fetch() == first
        clock.now += 0.2
        assert await oauth.fetch() != first


async def test_token_of_unknown_life_is_not_kept(server: TokenServer, oauth: OAuthClient) -> None:
    """A server may leave out `expires_in`."""
    server.reply = 200, b'{"access_token":"abc","token_type":"Bearer"}'
    assert [await oauth.fetch(), await oauth.fetch()] == ["abc", "abc"]
    assert server.requests == 2


async def test_valid_token_outlives_an_outage(server: TokenServer, oauth: OAuthClient, clock: Clock) -> None:
    """If the renewal fails, the previous token is used until its end, and then there is none."""
    first = await oauth.fetch()
    server.reply = 503, b""
    clock.now += 55
    assert await oauth.fetch() == first
    clock.now += 10
    with pytest.raises(TokenError, match="status 503"):
        await oauth.fetch()
    server.reply = None
    clock.now += FAILURE_PAUSE
    assert await oauth.fetch() != first


async def test_failures_are_not_repeated_at_once(server: TokenServer, oauth: OAuthClient, clock: Clock) -> None:
    """Clients that try several times per second don't burden a server that fails."""
    server.reply = REFUSED
    for _ in range(5):
        with pytest.raises(TokenError):
            await oauth.fetch()
    assert server.requests == 1
    clock.now += FAILURE_PAUSE
    with pytest.raises(TokenError):
        await oauth.fetch()
    assert server.requests == 2


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (REFUSED, "CLIENT_SECRET.*invalid_client, status 401.*CLIENT_ID"),
        ((400, b'{"error":"invalid_scope"}'), "SCOPE"),
        ((403, b"<html>"), "CLIENT_SECRET.*status 403"),
        ((302, b""), "TOKEN_URL.*status 302"),
        ((500, b'{"error":"Fault: 7"}'), r"TOKEN_URL.*\(status 500\)"),
        ((200, b"<html>"), "TOKEN_URL.*no bearer token"),
        ((200, b'{"access_token":7}'), "TOKEN_URL.*no bearer token"),
        ((200, b'{"access_token":"x","token_type":"mac"}'), "TOKEN_URL.*no bearer token"),
        ((200, b'{"access_token":"a\\u0001auth=b"}'), "TOKEN_URL.*not a token"),
        ((200, b" " * (MAX_ANSWER_BYTES + 1)), "TOKEN_URL.*has over"),
    ],
)
async def test_errors_are_one_line_with_the_setting(
    server: TokenServer, oauth: OAuthClient, reply: tuple[int, bytes], named: str
) -> None:
    """Each names the setting to look at, and repeats nothing of the answer but a known code."""
    server.reply = reply
    with pytest.raises(TokenError, match=f"^SMS_BRIDGE_KAFKA__OAUTH__{named}") as caught:
        await oauth.fetch()
    text = str(caught.value)
    assert "\n" not in text
    assert not [secret for secret in (CLIENT_SECRET, "not-to-be-repeated", "<html>") if secret in text]


async def test_silent_server_is_given_up(
    server: TokenServer, oauth: OAuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has a time limit."""
    monkeypatch.setattr(oauth_client, "FETCH_TIMEOUT", 0.2)
    server.gate.clear()
    with pytest.raises(TokenError, match=r"TOKEN_URL: no OAuth server answers .*Time"):
        await oauth.fetch()


async def test_server_that_isnt_there_is_named(server: TokenServer) -> None:
    """The line has its address."""
    nowhere = OAuthClient(settings_for(server, KAFKA__OAUTH__TOKEN_URL="http://127.0.0.1:1/token"))
    with pytest.raises(TokenError, match=r"127\.0\.0\.1:1 \(Connect"):
        await nowhere.fetch()


async def test_certificate_authority_is_read_for_each_request(clock: Clock, tmp_path: Path) -> None:
    """A server with another authority isn't trusted; a file that is mended is read without a restart."""
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    file = tmp_path / "ca.crt"
    async with TokenServer(tls) as server:
        client = OAuthClient(settings_for(server, KAFKA__OAUTH__CA_FILE=str(file)), clock)
        for written, named in ((None, "CA_FILE: .*can't be read"), (other, "CA_FILE")):
            if written:
                written.cert_pem.write_to_path(str(file))
            with pytest.raises(TokenError, match=named):
                await client.fetch()
            clock.now += FAILURE_PAUSE
        authority.cert_pem.write_to_path(str(file))
        assert await client.fetch()


async def test_log_has_one_line_for_a_failure_and_one_for_its_end(
    server: TokenServer, oauth: OAuthClient, clock: Clock
) -> None:
    """However often clients ask meanwhile; without any secret."""
    provider = TokenProvider(oauth)
    server.reply = REFUSED
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(TokenError):
                await provider.token()
            clock.now += FAILURE_PAUSE
        server.reply = None
        await provider.token()
        await provider.token()
    assert [line["event"] for line in lines] == [
        "no OAuth token for Kafka",
        "OAuth token for Kafka is available again",
    ]
    assert CLIENT_SECRET not in str(lines)
