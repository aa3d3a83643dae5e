"""Dead letters on the status page's API: by reason, one of them with its bytes, and the command that replays it."""

import json
import shlex
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bridge.history.byte_view import MAX_SHOWN_BYTES
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge
from tests.support.service.command import sms_bridge
from tests.support.service.fleet import Fleet

ACCOUNT = {**secrets("dexatel"), "DEXATEL__POLL": "never"}
GIANT = b'{"a":"' + b"x" * 800_000
BINARY = b"\x01\x02\xff\xfe not text"
HOSTILE = "<img src=x onerror=alert(1)> \u202egpj".encode()


@pytest_asyncio.fixture(scope="module")
async def seen(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge with dead letters: three malformed sent events, and two unreadable callbacks."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **ACCOUNT}) as service:
        bridge = Bridge(service, topics, client, SECRETS)
        for value in (GIANT, BINARY, HOSTILE):
            await topics.publish(value)
        for number in range(2):
            await client.get(bridge.url("dexatel"), params={"ref": number, "to": "+447700900123"})
        await topics.wait_until(lambda: len(topics.dead_letters) == 5, "five dead letters")
        yield bridge


async def browse(bridge: Bridge, status: int = 200, **parameters: str) -> dict[str, Any]:
    """Return `/api/dead-letters` with these parameters."""
    answer = await bridge.client.get(f"{bridge.service.admin_url}/api/dead-letters", params=parameters, timeout=40)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def open_letter(bridge: Bridge, value: bytes) -> dict[str, Any]:
    """Return the dead letter of an original."""
    [letter] = [one for one in bridge.topics.dead_letters if (one.value or b"")[:100] == value[:100]]
    return await browse(bridge, at=f"{letter.partition}/{letter.offset}")


async def test_dead_letters_are_listed_by_reason(seen: Bridge) -> None:
    """Each reason has its number, its meaning and its command; the newest letters come first."""
    found = await browse(seen)
    assert [(one["reason"], one["count"]) for one in found["reasons"]] == [("malformed", 3), ("unreadable", 2)]
    assert found["reasons"][1]["replay"] == f"sms-bridge replay --reason unreadable --since {found['since']}"
    assert len(found["letters"]) == 5
    assert [one["received_at"] for one in found["letters"]] == sorted(
        (one["received_at"] for one in found["letters"]), reverse=True
    )
    only = await browse(seen, reason="unreadable", since="1h")
    assert {(one["reason"], one["provider"], one["from"]) for one in only["letters"]} == {
        ("unreadable", "dexatel", "callback")
    }
    assert (await browse(seen, since="2999-01-01T00:00:00Z"))["letters"] == []


async def test_binary_letter_is_shown_in_hexadecimal(seen: Bridge) -> None:
    """Nothing of it is interpreted."""
    letter = await open_letter(seen, BINARY)
    assert letter["value"]["text"] is None
    assert letter["value"]["hex"].startswith("00000000  01 02 ff fe 20 6e 6f 74 20 74 65 78 74")


async def test_hostile_text_is_escaped(seen: Bridge) -> None:
    """Markup is text, and characters that reorder a line are visible."""
    letter = await open_letter(seen, HOSTILE)
    assert letter["value"]["text"] == "<img src=x onerror=alert(1)> \\u202egpj"


async def test_giant_letter_is_cut(seen: Bridge) -> None:
    """The answer stays small, and says so."""
    letter = await open_letter(seen, GIANT)
    assert (letter["value"]["size"], letter["value"]["shown"]) == (len(GIANT), MAX_SHOWN_BYTES)
    assert letter["is_cut"]
    assert len(json.dumps(letter)) < 3 * MAX_SHOWN_BYTES


async def test_printed_command_replays_the_letter(seen: Bridge) -> None:
    """As it stands, and this letter alone."""
    letter = await open_letter(seen, BINARY)
    program, *arguments = shlex.split(letter["replay"])
    assert program == "sms-bridge"
    said = await sms_bridge({**seen.topics.settings, **ACCOUNT}, *arguments, "--dry-run", "--json")
    [one] = said.document["letters"]
    assert f"{one['partition']}/{one['offset']}" == letter["at"]


async def test_phone_numbers_follow_the_privacy_settings(seen: Bridge, fleet: Fleet) -> None:
    """Also those that were written before they were hashed."""
    private = {"PRIVACY__RECIPIENT": "hash", "PRIVACY__HASH_KEY": "h" * 32}
    [one, _] = (await browse(seen, reason="unreadable"))["letters"]
    assert "447700900123" in (await browse(seen, at=one["at"]))["value"]["text"]
    settings = {**seen.topics.settings, **ACCOUNT, **private}
    async with fleet.running(settings, "receive") as service:
        other = Bridge(service, seen.topics, seen.client, SECRETS)
        assert "900123" not in json.dumps(await browse(other, at=one["at"]))


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"at": "0"}, 400),
        ({"at": "-1/0"}, 400),
        ({"at": "0/99999999999999999999"}, 400),
        ({"at": "0/999999"}, 404),
        ({"at": "999/0"}, 404),
        ({"since": "soon"}, 400),
        ({"reason": "x" * 101}, 400),
    ],
)
async def test_wrong_questions(seen: Bridge, parameters: dict[str, str], status: int) -> None:
    """They get an error that says what is wrong."""
    assert (await browse(seen, status, **parameters))["error"]
