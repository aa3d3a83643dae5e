"""One record may name several attempts, each an element of an array."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.intake import field_mapping
from bridge.intake.sent_parser import SkipReason
from tests.support.sent_events import EVENT, SENT_AT, TIMESTAMP, parse, parser_of

FIELDS = {"provider_message_id": "/id", "recipient": "/to", "message_id": "//order/no"}
PARSER = parser_of(SENT__EACH="/recipients", SENT__FIELDS=FIELDS)
TOP = {"provider": "dexatel", "sent_at": EVENT["sent_at"], "sender": "ACME", "order": {"no": "m-1"}, "id": "of-the-top"}
TWO = [{"to": "+1", "id": "a"}, {"to": "+2", "id": "b", "sender": "OTHER", "sent_at": None}]


def test_every_element_is_an_attempt() -> None:
    """Pointers lead from the element, with two slashes from the top; what an element lacks is taken from the top."""
    found = parse({**TOP, "recipients": TWO}, PARSER, origin=("sms.sent", 1, 2))
    assert [
        (entry.message_id, entry.provider_message_id, entry.recipient, entry.sender) for entry in found.entries
    ] == [
        ("m-1", "a", "+1", "ACME"),
        ("m-1", "b", "+2", "OTHER"),
    ]
    assert {entry.sent_at for entry in found.entries} == {SENT_AT}
    assert {entry.origin for entry in found.entries} == {("sms.sent", 1, 2)}
    assert (found.ignored, found.errors) == ((), ())


def test_a_bad_element_costs_the_others_nothing() -> None:
    """The errors name the elements, and there is one for each reason: each becomes a dead letter with the original."""
    bad = [{"to": "+3"}, 7, {"id": "c", "provider": "pigeon"}, {"id": "d", "recipient": "x", "to": []}]
    found = parse({**TOP, "recipients": [*TWO, *bad, {}]}, PARSER)
    assert [entry.provider_message_id for entry in found.entries] == ["a", "b", "d"]
    assert [(poison.reason, poison.error) for poison in found.errors] == [
        (
            DeadLetterReason.INVALID,
            "/recipients/2: provider_message_id: missing; looked for at /id; likewise 2 more: 3, 6",
        ),
        (DeadLetterReason.UNKNOWN_PROVIDER, "/recipients/4: provider 'pigeon' isn't configured"),
    ]
    assert [one.member for one in found.ignored] == ["recipient"]


def test_an_error_names_few_elements() -> None:
    """A header has little room."""
    found = parse({**TOP, "recipients": [{}] * 1_000}, PARSER)
    (poison,) = found.errors
    assert poison.error.endswith("likewise 999 more: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …")


def test_the_rest_of_the_record_is_at_hand() -> None:
    """The key, headers and the timestamp belong to every element; elements may be text."""
    parser = parser_of(
        SENT__EACH="/data/ids",
        SENT__FIELDS={
            "provider_message_id": "",
            "message_id": "key:",
            "provider": "header:via",
            "sent_at": "timestamp:",
        },
    )
    found = parse({"data": {"ids": ["a", 7]}}, parser, key=b"m-7", headers=[("via", b"dexatel")])
    assert [(entry.message_id, entry.provider_message_id) for entry in found.entries] == [("m-7", "a"), ("m-7", "7")]
    assert {entry.sent_at for entry in found.entries} == {TIMESTAMP}


def test_elements_are_filtered() -> None:
    """By their own members, or by those of the record."""
    parser = parser_of(SENT__EACH="/recipients", SENT__FIELDS=FIELDS, SENT__WHERE={"/state": ["ok"], "/type": ["sent"]})
    recipients = [{"id": "a", "state": "ok"}, {"error": "no such number", "state": "refused"}]
    found = parse({**TOP, "type": "sent", "recipients": recipients}, parser)
    assert [entry.provider_message_id for entry in found.entries] == ["a"]
    assert found.errors == ()
    assert parse({**TOP, "type": "planned", "recipients": recipients}, parser).skipped is SkipReason.FILTERED


def test_events_of_another_kind_need_no_array() -> None:
    """They are filtered by what they have."""
    parser = parser_of(SENT__EACH="/recipients", SENT__WHERE={"/type": ["sent"]})
    assert parse({"type": "planned"}, parser).skipped is SkipReason.FILTERED
    with pytest.raises(PoisonMessageError, match="no array"):
        parse({"type": "sent"}, parser)


@pytest.mark.parametrize("recipients", [TWO[0], '{"to":"+1","id":"a"}', '[{"to":"+1","id":"a"}]'])
def test_an_array_may_be_written_otherwise(recipients: Any) -> None:
    """As its only element, or as text."""
    assert [one.key for one in parse({**TOP, "recipients": recipients}, PARSER).entries] == ["dexatel:default:a"]


def test_no_elements_are_nothing_to_follow() -> None:
    """An empty array is skipped."""
    assert parse({**TOP, "recipients": []}, PARSER).skipped is SkipReason.FILTERED


@pytest.mark.parametrize("recipients", [None, 7, "text"])
def test_without_the_array_there_is_a_dead_letter(recipients: Any) -> None:
    """Its error names the setting."""
    with pytest.raises(PoisonMessageError, match=r"no array at /recipients, the pointer of SENT__EACH"):
        parse({**TOP, "recipients": recipients}, PARSER)


def test_the_number_of_elements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record can't fill the memory."""
    monkeypatch.setattr(field_mapping, "MAX_ELEMENTS", 2)
    assert len(parse({**TOP, "recipients": TWO}, PARSER).entries) == 2
    with pytest.raises(PoisonMessageError, match="3 elements") as poison:
        parse({**TOP, "recipients": [*TWO, {}]}, PARSER)
    assert poison.value.reason is DeadLetterReason.TOO_LARGE


ELEMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab+", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "to", "sender"]), inner),
    max_leaves=6,
)


@given(st.lists(ELEMENTS, max_size=6))
def test_elements_are_followed_or_named(elements: list[Any]) -> None:
    """Whatever they are, none is lost without a trace."""
    found = parse({**TOP, "recipients": elements}, PARSER)
    named = sum(1 + int(poison.error.partition("likewise ")[2].partition(" ")[0] or 0) for poison in found.errors)
    assert len(found.entries) + named == len(elements)
