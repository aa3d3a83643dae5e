"""The verifier itself: a suite that can't find anything proves nothing."""

import json
from typing import Any

import pytest

from bridge.core.delivery import Status
from bridge.sandbox.demo.verification import ExpectedResult, Violation
from tests.chaos.event_checks import DeliveryRecord
from tests.chaos.ledger import Ledger, Lifetime, PollOutage
from tests.chaos.letters import DeadLetterLedger, PoisonLetter, RecordPosition

KEY = "dexatel:default:1"


def make_event(sequence: int, status: str, previous: str | None, **members: Any) -> bytes:
    """An event of `sms.delivery` about the one message."""
    final = status not in {"pending", "sent"}
    document = {
        "event_id": f"e-{sequence}",
        "message_id": "m-1",
        "provider": "dexatel",
        "account": "default",
        "provider_message_id": "1",
        "sequence": sequence,
        "status": status,
        "previous_status": previous,
        "final": final,
        "corrects": None,
    }
    return json.dumps(document | members).encode()


SENT, DELIVERED = make_event(1, "sent", None), make_event(2, "delivered", "sent")


@pytest.mark.parametrize(
    ("events", "violations"),
    [
        pytest.param([SENT, DELIVERED], set(), id="as it should be"),
        pytest.param([SENT], {Violation.LOST}, id="no end"),
        pytest.param([SENT, DELIVERED, DELIVERED], {Violation.DUPLICATED}, id="said twice"),
        pytest.param([DELIVERED], {Violation.GAPS}, id="a number is missing"),
        pytest.param([SENT, make_event(2, "failed", "sent")], {Violation.WRONG}, id="another end"),
        pytest.param([SENT, make_event(2, "unknown", "sent")], {Violation.WRONG}, id="given up on"),
        pytest.param(
            [SENT, make_event(2, "pending", "sent"), make_event(3, "delivered", "pending")],
            {Violation.MOVED_BACK},
            id="back",
        ),
        pytest.param(
            [SENT, make_event(2, "failed", "sent"), make_event(3, "delivered", "failed")],
            {Violation.UNLINKED},
            id="not linked",
        ),
        pytest.param(
            [SENT, DELIVERED, make_event(1, "sent", None, event_id="x", provider_message_id="2")],
            {Violation.UNEXPECTED},
            id="unasked",
        ),
    ],
)
def test_each_violation_is_found(events: list[bytes], violations: set[Violation]) -> None:
    """And no other violation is reported."""
    ledger = Ledger()
    ledger.expect(KEY, ExpectedResult("m-1", Status.DELIVERED))
    for value in events:
        ledger.add_event(json.loads(value))
    assert {finding.violation for finding in ledger.verify_events().findings} == violations


def test_message_is_open_until_its_expected_status() -> None:
    """The run waits for it."""
    ledger = Ledger()
    ledger.expect(KEY, ExpectedResult("m-1", Status.DELIVERED))
    for value, still_open in (
        (SENT, 1),
        (make_event(2, "unknown", "sent"), 1),
        (make_event(3, "delivered", "unknown"), 0),
    ):
        ledger.add_event(json.loads(value))
        assert ledger.open == still_open


def make_poison(number: int, offset: int, reason: str) -> PoisonLetter:
    """The dead letter of an invalid sent event."""
    return PoisonLetter(f"poison-{number:016x}", RecordPosition("sent", 0, offset), reason)


def add_poison(letters: DeadLetterLedger, letter: PoisonLetter) -> None:
    """Record a dead letter that was read."""
    at = {"source_topic": "sent", "source_partition": "0", "source_offset": str(letter.position.offset)}
    letters.add({**at, "reason": letter.reason}, f'{{"message_id": "{letter.mark}"'.encode())


def test_dead_letters_are_verified() -> None:
    """Missing and unexpected ones are problems; repeated ones are only counted."""
    letters = DeadLetterLedger()
    letters.poison = {make_poison(1, 1, "malformed"), make_poison(2, 2, "invalid"), make_poison(3, 3, "invalid")}
    for letter in (
        make_poison(1, 1, "malformed"),
        make_poison(1, 1, "malformed"),
        make_poison(2, 2, "too_large"),
        make_poison(4, 9, "invalid"),
    ):
        add_poison(letters, letter)
    letters.add({"reason": "unreadable", "error": "a callback"})
    found = letters.verify(set())
    assert (found.expected, found.missing, found.repeated, len(found.unexpected)) == (3, 2, 1, 3)


def test_recreated_topic_has_other_events_at_the_same_positions() -> None:
    """Each of them has its dead letter, and the second one isn't taken for a repetition of the first."""
    letters = DeadLetterLedger()
    letters.poison = {make_poison(1, 7, "invalid"), make_poison(2, 7, "invalid")}
    add_poison(letters, make_poison(1, 7, "invalid"))
    assert letters.missing_poison == 1
    add_poison(letters, make_poison(2, 7, "invalid"))
    found = letters.verify(set())
    assert (found.missing, found.repeated, found.unexpected) == (0, 0, ())


def test_sent_event_is_unread_until_the_journal_has_it() -> None:
    """Before that, its topic must not be deleted. A report about it says nothing."""
    ledger = Ledger()
    ledger.unread = {KEY, "dexatel:default:2"}
    ledger.add_journal_entry(make_entry("report", provider_message_id="2", status="sent"))
    ledger.add_journal_entry(make_entry("sent", gives_up_at=10_000))
    assert ledger.unread == {"dexatel:default:2"}


def test_unjournaled_callback_is_found() -> None:
    """A burst's callback has its own mark; a provider's is identified by id and status."""
    ledger = Ledger()
    ledger.accepted = {"mark-0123456789abcdef", "mark-00000000000000ff"}
    ledger.add_acknowledged("1", "sent")
    ledger.add_acknowledged("1", "delivered")
    entry = {"provider_status": "SENT", "status": "sent", "raw": "status=sent&mark=mark-0123456789abcdef"}
    ledger.add_journal_entry(make_entry("report", **entry, source="callback"))
    ledger.add_journal_entry(make_entry("report", **entry | {"provider_status": "delivered"}, source="poll"))
    assert ledger.count_unjournaled() == 2


def test_rejected_message_may_end_without_a_report() -> None:
    """Its callback was lost, and the provider rejected its polls; others that end so are wrong."""
    unknown = json.loads(make_event(2, "unknown", "sent"))
    for rejected, wrong in ((set(), 1), ({"1"}, 0)):
        ledger = Ledger()
        ledger.rejected |= rejected
        ledger.expect(KEY, ExpectedResult("m-1", Status.DELIVERED))
        for event in (json.loads(SENT), unknown):
            ledger.add_event(event)
        assert ledger.open == wrong
        assert ledger.verify_events().count_messages_with(Violation.WRONG) == wrong


def make_entry(kind: str, **members: Any) -> bytes:
    """An entry of the journal about the one message."""
    entry = {"type": kind, "provider": "dexatel", "account": "default", "provider_message_id": "1"}
    return json.dumps(entry | members).encode()


@pytest.mark.parametrize("first", ["journal", "events"])
@pytest.mark.parametrize(
    ("entries", "wrong"),
    [
        pytest.param([("sent", 1_000), ("delivered", 9_999)], 1, id="in time"),
        pytest.param([("sent", 1_000), ("delivered", 10_000)], 0, id="after the end"),
        pytest.param([("sent", 1_000), ("failed", 2_000), ("delivered", 10_000)], 0, id="another one in time"),
        pytest.param([("sent", 1_000), ("delivered", 2_000), ("delivered", 10_000)], 1, id="in time, and again late"),
        pytest.param([("delivered", 900), ("sent", 1_000), ("delivered", 10_000)], 1, id="before the sent event"),
        pytest.param(
            [("sent", 1_000), ("delivered", 2_000), ("sent", 3_000), ("delivered", 10_000)], 1, id="read again"
        ),
        pytest.param([("sent", 1_000)], 1, id="not at all"),
    ],
)
def test_correction_after_the_end_may_be_missing(first: str, entries: list[tuple[str, int]], wrong: int) -> None:
    """From its end on, a message with a final status may be forgotten; until then each report has to count."""
    ledger = Ledger()
    ledger.expect(KEY, ExpectedResult("m-1", Status.DELIVERED))

    def add_events() -> None:
        for event in (SENT, make_event(2, "failed", "sent")):
            ledger.add_event(json.loads(event))

    if first == "events":
        add_events()
    for name, journaled_at in entries:
        is_sent = name == "sent"
        entry = make_entry("sent", gives_up_at=10_000) if is_sent else make_entry("report", status=name)
        ledger.add_journal_entry(entry, journaled_at)
    if first == "journal":
        add_events()
    assert ledger.open == wrong
    assert ledger.verify_events().count_messages_with(Violation.WRONG) == wrong


@pytest.mark.parametrize(
    ("read_at", "outages", "late"),
    [
        pytest.param(20_000, [], False, id="in time"),
        pytest.param(20_001, [], True, id="late"),
        pytest.param(20_001, [PollOutage(0, 12_000)], False, id="polls failed at the deadline"),
        pytest.param(22_001, [PollOutage(0, 12_000)], True, id="polls failed, but not for so long"),
        pytest.param(
            20_001, [PollOutage(0, 10_000), PollOutage(21_000, 30_000)], True, id="polls failed at other times"
        ),
    ],
)
def test_late_end_is_found(read_at: int, outages: list[PollOutage], late: bool) -> None:  # noqa: FBT001
    """An end may wait for a poll that gets no answer, and for nothing else."""
    ledger = Ledger(lifetime=Lifetime(10_000, 20_000))
    ledger.poll_outages += outages
    ledger.expect(KEY, ExpectedResult("m-1", Status.DELIVERED))
    document = json.loads(DELIVERED) | {"source": "poll"}
    ledger.check_end(KEY, DeliveryRecord(b"", document, {}, 0, read_at), ledger.expected[KEY])
    assert bool(ledger.mistakes) == late
