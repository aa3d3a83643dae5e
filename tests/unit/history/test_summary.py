"""An attempt's story in one sentence, and what support can say to the customer."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.delivery import Reason, Status
from bridge.core.entries import Entry
from bridge.core.timestamps import format_rfc3339
from bridge.history.refold import AttemptRecords, JournaledEntry, PublishedEvent, refold
from bridge.history.summary import TELL_REASON, TELL_STATUS, summarize_attempt, tell_customer
from tests.support.core.story import KEY, POLICY, SENT_AT, expire_timers, fold_entries, report, sent
from tests.support.paths import ROOT

FAILED = report(Status.FAILED)
INVALID = report(Status.REJECTED, reason=Reason.INVALID_NUMBER, permanent=True)


def tell(*entries: Entry, expired: bool = False, emit_interim: bool = True, folded_to: int = 2**40) -> tuple[str, ...]:
    """Return the sentence about an attempt, and what to tell the customer."""
    policy = POLICY._replace(emit_interim=emit_interim)
    told = fold_entries(entries[:folded_to], policy=policy)
    told = expire_timers(told, policy) if expired else told
    journal = [JournaledEntry(n, SENT_AT + 1000 * n, entry) for n, entry in enumerate(entries)]
    events = [PublishedEvent(0, n, one.as_json()) for n, one in enumerate(told.deliveries)]
    gone = [rejection.offset for step in told.steps for rejection in step.rejections]
    timeline = refold(KEY, AttemptRecords(journal, events, gone, folded_to), policy)
    return summarize_attempt(timeline, told.state), tell_customer(timeline) or ""


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([sent(), report(Status.DELIVERED)], "Delivered after 1 s."),
        (
            [sent(), FAILED, report(Status.DELIVERED, observed_at=SENT_AT + 7_500)],
            "Delivered after 7.5 s; an earlier 'failed' was overruled.",
        ),
        (
            [sent(), INVALID],
            "Not delivered: 'rejected' after 1 s, because the number isn't valid; sending it again won't help.",
        ),
        (
            [sent(), report(Status.EXPIRED, reason=Reason.UNSPECIFIED, observed_at=SENT_AT + 3_660_000)],
            "Not delivered: 'expired' after 1 h 1 m; the provider gives no reason.",
        ),
        ([sent(), report(Status.DELIVERED, provider_time=SENT_AT - 900)], "Delivered after 1 s."),
        ([sent(sent_at=SENT_AT + 5_000), report(Status.DELIVERED)], "Delivered."),
        ([sent(), report(Status.UNKNOWN)], "Unknown: the provider says so after 1 s."),
        ([sent(), report(Status.SENT)], "On its way: 'sent' after 1 s; a final status hasn't come yet."),
        ([sent()], "Handed to dexatel; no report has come yet."),
        ([sent(), report(None)], "Handed to dexatel; 1 report came, with a status that isn't mapped."),
        ([report(Status.SENT)], "1 report came; the sent event is awaited."),
        ([report(Status.SENT), report(Status.DELIVERED)], "2 reports came; the sent event is awaited."),
        ([report(None)], "1 report came, with a status that isn't mapped; no sent event has come."),
        ([report(None), report(Status.SENT)], "2 reports came; the sent event is awaited."),
        (
            [sent(gives_up_at=SENT_AT - 1)],
            "Not followed: its sent event was read after its deadline; it is a dead letter.",
        ),
        ([], "Nothing is known of it."),
    ],
)
def test_each_story_has_a_sentence(entries: list[Entry], sentence: str) -> None:
    """It says what became of the message, how long that took, and what was overruled."""
    assert tell(*entries)[0] == sentence


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([sent()], "Unknown: no report came within 1 d 23 h."),
        ([sent(), report(Status.SENT)], "Unknown: 'sent' was the last word within 1 d 23 h."),
        ([report(Status.SENT)], "1 report came without a sent event."),
    ],
)
def test_a_deadline_that_passed(entries: list[Entry], sentence: str) -> None:
    """It says what was known by then."""
    assert tell(*entries, expired=True)[0] == sentence


def test_news_that_waits_for_the_tracker() -> None:
    """A sentence that may be out of date says so."""
    said, _ = tell(sent(), report(Status.SENT), report(Status.DELIVERED), folded_to=2)
    assert said.endswith("; there is news that the tracker hasn't processed yet.")


def test_interim_status_that_is_not_published() -> None:
    """It is taken from the state where only final statuses are published."""
    assert tell(sent(), report(Status.SENT), emit_interim=False)[0].startswith("On its way: 'sent'")


def test_the_customer_hears_the_reason() -> None:
    """Or what the status means, where there is none."""
    assert tell(sent(), INVALID)[1] == "The number on file isn't valid. Please check it."
    assert tell(sent(), FAILED)[1] == "The message could not be delivered."
    assert tell(sent())[1] == ""


def test_the_customer_hears_when_it_arrived() -> None:
    """By the provider's time, where it is plausible; the report may have come later."""
    arrived = report(Status.DELIVERED, provider_time=SENT_AT + 2_000, observed_at=SENT_AT + 60_000)
    time = format_rfc3339(SENT_AT + 2_000)[:19].replace("T", " ")
    assert tell(sent(), arrived)[1] == f"The message arrived at the time that is shown: {time} UTC."


def test_customers_sentences_are_those_of_the_documentation() -> None:
    """Support reads the same on the page and in docs/statuses.md."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", (ROOT / "docs/statuses.md").read_text(), re.MULTILINE)
    documented = {name: text for name, text in rows if text[0].isupper()}
    assert documented == {**TELL_STATUS, **TELL_REASON}


ENTRIES = st.lists(st.sampled_from([sent(), *(report(status) for status in (*Status, None)), INVALID]), max_size=8)


@given(ENTRIES, st.booleans(), st.booleans())
def test_any_history_has_a_sentence(entries: list[Entry], expired: bool, emit_interim: bool) -> None:  # noqa: FBT001 - drawn
    """One line that begins with a capital and ends with a full stop."""
    said, _ = tell(*entries, expired=expired, emit_interim=emit_interim)
    assert re.fullmatch(r"[A-Z0-9].*\.", said)
