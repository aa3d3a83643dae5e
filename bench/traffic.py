"""Generates sent events and journal entries, the same in every run.

Entries of many attempts are interleaved, as in a real journal. No report precedes its sent event.
"""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any, NamedTuple

from bridge.core.delivery import Reason, Source, Status
from bridge.core.entries import Entry, Report, Sent
from bridge.journal.serde import encode_entry

INTERIM, REPEATED, FAILED = 0.5, 0.1, 0.15
"""The shares of attempts with an interim report, with a repeated last report, and that are not delivered."""

MAX_DISTANCE = 2_000
"""How many attempts are sent between an attempt and its last report at most."""

HOUR = 3_600_000


class Line(NamedTuple):
    """One entry of the journal, encoded."""

    key: bytes
    value: bytes
    publishes: bool
    """Whether the entry gives an event."""


def make_attempt(number: int, now: int) -> Sent:
    """Return the sent entry of an attempt that was sent a minute before now."""
    dexatel = number % 3 != 0
    return Sent(
        message_id=f"m-{number:012x}-9f43",
        provider="dexatel" if dexatel else "speedocom",
        account="default",
        provider_message_id=_provider_id(number, dexatel=dexatel),
        sent_at=now - 60_000,
        starts_at=now - 60_000,
        gives_up_at=now + 47 * HOUR,
        recipient=f"3749{number % 10_000_000:07d}",
        sender="ACME",
        metadata={"campaign": f"autumn-{number % 50}", "tenant": f"t{number % 400}"},
        origin=("sms.sent", number % 3, number),
    )


def _provider_id(number: int, *, dexatel: bool) -> str:
    if not dexatel:
        return str(7_000_000_000 + number)
    text = f"{number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF:016x}{number:016x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def make_report(sent: Sent, status: Status, at: int) -> Report:
    """Return a report by callback."""
    bad = status is Status.UNDELIVERED
    word = {Status.SENT: "ACCEPTD", Status.DELIVERED: "DELIVRD"}.get(status, "UNDELIV")
    reason = Reason.ABSENT_SUBSCRIBER if bad else Reason.NONE
    raw = f"message_uuid={sent.provider_message_id}&status={word}&err={'027' if bad else '000'}&time={at // 1000}"
    return Report(
        sent.provider,
        sent.account,
        sent.provider_message_id,
        status,
        reason,
        False if bad else None,
        word,
        "027" if bad else "000",
        {"mccmnc": "28301", "segments": "1"},
        at - 1500,
        Source.CALLBACK,
        at,
        raw,
    )


def make_entries(number: int, now: int, rng: random.Random) -> Iterator[tuple[int, Entry, bool]]:
    """Yield one attempt's entries: the number of attempts sent in between, the entry, whether it publishes an event."""
    sent = make_attempt(number, now)
    yield 0, sent, False
    after = rng.randrange(50, MAX_DISTANCE // 3)
    if rng.random() < INTERIM:
        yield after, make_report(sent, Status.SENT, now - 30_000), True
        after += rng.randrange(50, MAX_DISTANCE // 3)
    status = Status.UNDELIVERED if rng.random() < FAILED else Status.DELIVERED
    final = make_report(sent, status, now - 5_000)
    yield after, final, True
    if rng.random() < REPEATED:
        yield after + rng.randrange(1, MAX_DISTANCE // 3), final, False


def generate_journal(entries: int, first: int = 0) -> Iterator[Line]:
    """Yield the first entries of an endless journal.

    Args:
        entries: How many.
        first: The number of the first attempt.
    """
    rng, now = random.Random(first), int(time.time() * 1000)
    waiting: list[tuple[int, int, Any, bool]] = []
    number, made, order = first, 0, 0
    while True:
        for after, entry, publishes in make_entries(number, now, rng):
            order += 1
            heappush(waiting, (number + after, order, entry, publishes))
        while waiting and waiting[0][0] <= number:
            _, _, entry, publishes = heappop(waiting)
            if made == entries:
                return
            made += 1
            key = f"{entry.provider}:{entry.account}:{entry.provider_message_id}".encode()
            yield Line(key, encode_entry(entry), publishes)
        number += 1


def make_sent_event(number: int) -> dict[str, Any]:
    """Return an attempt's sent event, sent now."""
    sent = make_attempt(number, int(time.time() * 1000))
    return {
        "message_id": sent.message_id,
        "provider": sent.provider,
        "provider_message_id": sent.provider_message_id,
        "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "recipient": sent.recipient,
        "sender": sent.sender,
        "metadata": sent.metadata,
    }
