"""The responses of the public listener, and what it keeps of a callback that can't be parsed."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.service.accounts import ROTATED, WEBHOOK_SECRET
from tests.support.service.bridge import Bridge, message, signature, webhook

WALLED = "192.0.2.7"
OUTSIDE = "198.51.100.1"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/dlr",
        "/dlr/dexatel",
        "/dlr/dexatel/",
        "/dlr/dexatel/wrong-secret-0123456789",
        "/dlr/nobody/secret-dexatel-default-0123",
        "/dlr/speedocom/secret-dexatel-default-0123",
        "/dlr/dexatel/secret-dexatel-default-0123/more",
        "/DLR/dexatel/secret-dexatel-default-0123",
        "/metrics",
        "/readyz",
        "/livez",
    ],
)
async def test_what_is_no_route_or_no_secret_is_not_found(bridge: Bridge, path: str) -> None:
    """A wrong secret gets the same response as an unknown route, and there are no routes but callbacks."""
    answer = await bridge.client.post(bridge.service.url + path, json={"messageid": "1", "description": "Queued"})
    unknown = await bridge.client.get(f"{bridge.service.url}/no/such/route")
    assert (answer.status_code, answer.content) == (404, unknown.content)


async def test_every_secret_of_a_rotation_opens_the_door(bridge: Bridge) -> None:
    """The old and the new secret belong to the same account."""
    one = await bridge.send_and_wait()
    query = {"id": one.provider_message_id, "status": "sent"}
    assert (await bridge.client.get(f"{bridge.service.url}/dlr/dexatel/{ROTATED}", params=query)).status_code == 200
    await bridge.report_all(one, "delivered")
    assert [e["status"] for e in await bridge.events(one, 2)] == ["sent", "delivered"]


@pytest.mark.parametrize(
    ("method", "provider", "allowed"),
    [
        ("PUT", "dexatel", "GET, POST"),
        ("DELETE", "dexatel", "GET, POST"),
        ("GET", "speedocom", "POST"),
        ("PATCH", "speedocom", "POST"),
    ],
)
async def test_another_method_is_told_which_ones_there_are(
    bridge: Bridge, method: str, provider: str, allowed: str
) -> None:
    """The response is 405 with the methods of the route."""
    answer = await bridge.client.request(method, bridge.url(provider), params={"id": "7"})
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("provider", ["dexatel", "speedocom"])
async def test_a_console_may_try_a_url(bridge: Bridge, method: str, provider: str) -> None:
    """A request without content is 200 with the right secret, and no dead letter; with another one it is 404."""
    await bridge.topics.read()
    before = len(bridge.topics.dead_letters)
    for url, status in ((bridge.url(provider), 200), (f"{bridge.service.url}/dlr/{provider}/another-secret-0123", 404)):
        answer = await bridge.client.request(method, url)
        assert answer.status_code == status
    await bridge.topics.read()
    assert len(bridge.topics.dead_letters) == before


@pytest.mark.parametrize(("start", "end"), [("//dlr/", ""), ("/dlr/", "/"), ("//dlr/", "/")])
async def test_a_slash_more_is_the_same_route(bridge: Bridge, start: str, end: str) -> None:
    """Consoles and proxies add one; a redirect would lose the body."""
    one = await bridge.send_and_wait(message("speedocom"))
    url = bridge.url("speedocom").replace("/dlr/", start) + end
    body = {"messageid": one.provider_message_id, "description": "DeliveredToTerminal"}
    assert (await bridge.client.post(url, json=body)).status_code == 200
    assert [event["status"] for event in await bridge.events(one, 1)] == ["delivered"]


async def test_a_balancer_may_check_the_public_port(bridge: Bridge) -> None:
    """One path is 200 while callbacks are accepted."""
    assert (await bridge.client.get(f"{bridge.service.url}/healthz")).status_code == 200
    for path in ("/", "/healthz/", "/livez", "/dlr", "/dlr/"):
        assert (await bridge.client.get(bridge.service.url + path)).status_code == 404


async def test_a_body_over_256_kib_is_too_large(bridge: Bridge) -> None:
    """The response is 413, with a declared length or in chunks; one byte less is accepted."""
    one = await bridge.send_and_wait(message("speedocom"))
    body = b'{"messageid":"%s","description":"Queued","x":"' % one.provider_message_id.encode()
    fits = body + b"y" * (256 * 1024 - len(body) - 2) + b'"}'
    headers = {"content-type": "application/json"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"z" * 32 * 1024

    announced = await bridge.client.post(bridge.url("speedocom"), content=fits + b" ", headers=headers)
    assert announced.status_code == 413
    assert (await bridge.client.post(bridge.url("speedocom"), content=chunks(), headers=headers)).status_code == 413
    assert (await bridge.client.post(bridge.url("speedocom"), content=fits, headers=headers)).status_code == 200
    assert [e["status"] for e in await bridge.events(one)] == ["pending"]


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (None, 403),
        (WALLED, 200),
        ("2001:db8::1", 200),
        (OUTSIDE, 403),
        (f"{WALLED}, {OUTSIDE}", 403),
        (f"{OUTSIDE}, {WALLED}", 200),
        (f"{WALLED}, 127.0.0.9", 200),
        ("nonsense", 403),
    ],
)
async def test_an_address_outside_the_allowed_networks_is_forbidden(
    bridge: Bridge, forwarded: str | None, status: int
) -> None:
    """The client is the last hop that isn't a trusted proxy; hops before it may be invented, and are ignored."""
    one = await bridge.send_and_wait(message(account="walled"))
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    query = {"id": one.provider_message_id, "status": "delivered"}
    answer = await bridge.client.get(bridge.url("dexatel", "walled"), params=query, headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert [e["status"] for e in await bridge.events(one)] == ["delivered"]


@pytest.mark.parametrize("members", [{"event": "click"}, {"channel": "VIBER"}])
async def test_a_webhook_about_something_else_is_accepted_and_ignored(bridge: Bridge, members: dict[str, str]) -> None:
    """It is accepted, because a retry would not help; it is counted, and neither journaled nor a dead letter."""
    name = 'sms_bridge_callbacks_received_total{outcome="ignored",provider="dexatel"}'
    before = await bridge.service.read_sample(name)
    one = await bridge.send_and_wait(message(account="signed"))
    body = webhook(one, **members)
    headers = {
        "content-type": "application/json",
        "x-dexatel-signature": signature(WEBHOOK_SECRET, body).hex(),
    }
    answer = await bridge.client.post(bridge.url("dexatel", "signed"), content=body, headers=headers)
    assert answer.status_code == 200
    assert await bridge.service.read_sample(name) == before + 1
    await bridge.topics.wait_until_folded()
    assert sum(e["provider_message_id"] == one.provider_message_id for e in bridge.topics.entries) == 1
    assert not [x for x in bridge.topics.dead_letters if x.value == body]


UNREADABLE = [
    ("no status", "application/json", b'{"messageid":"%s"}'),
    ("no id", "application/json", b'{"description":"Queued","x":"%s"}'),
    ("not JSON", "application/json", b'{"messageid":"%s",'),
    ("a list", "application/json", b'["%s"]'),
    ("not UTF-8", "application/json", b'{"messageid":"%s\xff","description":"Queued"}'),
    ("a template in the status", "application/json", b'{"messageid":"%s","description":"{status}"}'),
    ("a form without a status", "application/x-www-form-urlencoded", b"messageid=%s"),
    ("a form with a template for an id", "application/x-www-form-urlencoded", b"messageid=%%d&description=Q&x=%s"),
]


@pytest.mark.parametrize(("what", "content_type", "template"), UNREADABLE, ids=[what for what, *_ in UNREADABLE])
async def test_unreadable_authentic_callback_is_kept(
    bridge: Bridge, what: str, content_type: str, template: bytes
) -> None:
    """It is accepted, because a retry would not help, and becomes a dead letter with its bytes and source."""
    body = template % message().provider_message_id.encode()
    headers = {"content-type": content_type}
    answer = await bridge.client.post(bridge.url("speedocom", "second"), content=body, headers=headers)
    assert answer.status_code == 200
    letter = await bridge.wait_for_dead_letter_of(body)
    assert letter.headers["reason"] == "unreadable"
    assert letter.headers["http_method"] == "POST"
    assert letter.headers["http_route"].startswith("/dlr/speedocom/")
    assert letter.headers["content_type"] == content_type
    assert (letter.headers["provider"], letter.headers["account"]) == ("speedocom", "second")
    assert letter.key is None
    _assert_nothing_leaked(bridge, letter.headers)


async def test_unfilled_template_is_kept_as_its_query(bridge: Bridge) -> None:
    """The dead letter of a GET has its raw query."""
    query = f"message_uuid=%25x&status=delivered&n={message().provider_message_id}"
    assert (await bridge.client.get(f"{bridge.url('dexatel')}?{query}")).status_code == 200
    letter = await bridge.wait_for_dead_letter_of(query.encode())
    assert (letter.headers["reason"], letter.headers["http_method"]) == ("unreadable", "GET")
    _assert_nothing_leaked(bridge, letter.headers)


async def test_garbled_request_is_answered_without_details(bridge: Bridge) -> None:
    """Invalid paths, queries and headers get a normal response."""
    for path in ("/dlr/dexatel/%2e%2e%2f", "/dlr/dexatel/\u00e9", "//dlr//dexatel"):
        assert (await bridge.client.get(bridge.service.url + path)).status_code == 404
    answer = await bridge.client.get(f"{bridge.url('dexatel')}?id=%ff&status=%ff")
    assert answer.status_code == 200
    assert await bridge.service.is_ready()


async def test_the_admin_listener_tells_who_is_ready_and_nothing_else(bridge: Bridge) -> None:
    """It has probes for the cluster, no callbacks and no other routes."""
    status, _ = await bridge.service.fetch("/livez")
    assert status == 200
    assert (await bridge.service.fetch("/dlr/dexatel/secret-dexatel-default-0123"))[0] == 404
    assert (await bridge.service.fetch("/api/attempts"))[0] == 404
    answer: httpx.Response = await bridge.client.get(f"{bridge.service.admin_url}/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert set(answer.json()["parts"]) >= {"intake", "receiver", "tracker"}
    assert set(answer.json()["parts"].values()) == {True}


def _assert_nothing_leaked(bridge: Bridge, headers: dict[str, str]) -> None:
    assert not [secret for secret in bridge.service.secrets if secret in str(headers)]


@pytest.mark.parametrize(
    "framing",
    ["content-length: {size}\r\n\r\n{body}", "transfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"],
)
async def test_a_callback_that_offers_http_2_is_journaled(bridge: Bridge, framing: str) -> None:
    """As Java's HttpClient does with each request, and `curl --http2`."""
    one = await bridge.send_and_wait(message("speedocom"))
    body = f'{{"messageid":"{one.provider_message_id}","description":"DeliveredToTerminal"}}'
    at = urlsplit(bridge.url("speedocom"))
    head = (
        f"POST {at.path} HTTP/1.1\r\nhost: {at.netloc}\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
        "http2-settings: AAEAAEAA\r\ncontent-type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write((head + framing.format(size=len(body), body=body)).encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert [event["status"] for event in await bridge.events(one, 1)] == ["delivered"]
