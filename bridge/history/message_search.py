"""Lists messages: by a phone number, by the beginning of an id, by status, provider and time.

`sms.delivery` has the latest event of every attempt with one, the state topic the attempts without any, and the journal
what the tracker hasn't processed yet. Each is read once, and only the newest rows are kept: the memory that a search
takes doesn't depend on the number of messages.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from bridge.clock import now_ms
from bridge.core.attempt import Followed
from bridge.core.entries import AttemptKey
from bridge.history.journal_records import decode_sent
from bridge.history.message_rows import ListedEvent, MessageFilter, MessageRow, NewestRows
from bridge.history.recipient_forms import REGION_SETTING, is_national, is_phone_number, make_recipient_matcher
from bridge.history.search import MARGIN
from bridge.history.topic_scanner import OffsetSpan, TopicScanner, open_scanner
from bridge.kafka.clients import KafkaClients
from bridge.kafka.wire_format import strip_frame
from bridge.privacy import Privacy
from bridge.settings.model import PREFIX, Settings
from bridge.state.serde import decode_state

NO_REGION = f"A number in national form is found with {REGION_SETTING}; try it with its country code."
NOT_KEPT = f"Phone numbers aren't kept ({PREFIX}PRIVACY__RECIPIENT is drop), so only ids were searched."

_decode_event = msgspec.json.Decoder(ListedEvent).decode


class MessageQuery(NamedTuple):
    """Which messages are listed; an empty member restricts nothing."""

    text: str
    """A phone number as people type it, or the beginning of an id."""
    status: str
    """A status, an outcome, or `no_report`."""
    provider: str
    since: int | None
    """When they were sent at the earliest, in milliseconds since the epoch; None: as long as messages are known."""
    limit: int


class FoundMessages(NamedTuple):
    """What was found, the latest message first."""

    rows: list[MessageRow]
    left_out: bool
    """Whether there are older ones."""
    note: str | None
    since: int
    read: int
    seconds: float


async def list_messages(settings: Settings, query: MessageQuery) -> FoundMessages:
    """List messages; the service needn't run.

    Raises:
        ConfigurationError: The topics can't be read.
    """
    known_for = settings.follow.max_follow + settings.follow.remember_for
    since = query.since if query.since is not None else now_ms() - known_for
    is_recipient, note = _read_number(settings, query.text)
    chosen = MessageFilter(query.text, is_recipient, query.provider, query.status, since)
    started = time.monotonic()
    async with open_scanner(KafkaClients(settings.kafka)) as scanner:
        reading = _Reading(scanner, settings, chosen, query.limit)
        # In the order of processing, so that no attempt slips from one to the other in between.
        await reading.read_backlog()
        await reading.read_states()
        await reading.read_events()
        rows = reading.rows.newest()
        if not rows and is_recipient and is_national(query.text) and not settings.admin.default_region:
            note = NO_REGION
        return FoundMessages(rows, reading.rows.left_out, note, since, scanner.read, time.monotonic() - started)


def _read_number(settings: Settings, text: str) -> tuple[Callable[[str], bool] | None, str | None]:
    if not is_phone_number(text):
        return None, None
    if settings.privacy.recipient == "drop":
        return None, NOT_KEPT
    return make_recipient_matcher(text, settings.admin.default_region, Privacy(settings.privacy)), None


class _Reading:
    """One search, topic by topic."""

    def __init__(self, scanner: TopicScanner, settings: Settings, chosen: MessageFilter, limit: int) -> None:
        self._scanner, self._topics, self._group = scanner, settings.topics, settings.kafka.tracker_group
        self._filter, self._since = chosen, max(0, chosen.since - MARGIN)
        self.rows = NewestRows(limit)

    async def read_backlog(self) -> None:
        """Read the entries that the tracker hasn't processed yet."""
        spans = await self._scanner.spans(self._topics.journal, self._since)
        folded = await self._scanner.committed(self._group, spans)
        waiting = {tp: OffsetSpan(max(span.start, folded[tp]), span.end) for tp, span in spans.items()}

        def take(record: Any) -> None:
            if sent := decode_sent(record):
                self._take(MessageRow.from_sent(sent))

        await self._scanner.scan(waiting, take)

    async def read_states(self) -> None:
        """Read the states of attempts without any event."""

        def take(record: Any) -> None:
            try:
                state = decode_state(record.value) if record.value and record.key else None
            except (ValueError, msgspec.MsgspecError):  # a later release's
                return
            if isinstance(state, Followed):
                row = MessageRow.from_state(AttemptKey.parse(record.key.decode()), state)
                self.rows.drop(row.attempt) if state.sequence else self._take(row)

        await self._scanner.scan(await self._scanner.spans(self._topics.state, self._since), take)

    async def read_events(self) -> None:
        """Read the latest event of each attempt: those of a message are in one partition, in order."""

        def take(record: Any) -> None:
            try:
                event = _decode_event(strip_frame(record.value or b""))
            except (msgspec.MsgspecError, RecursionError):  # another program's
                return
            # Most events don't match, and a row takes longer to make than to exclude.
            if self._filter.names(event):
                self._take(MessageRow.from_event(event))

        await self._scanner.scan(await self._scanner.spans(self._topics.delivery, self._since), take)

    def _take(self, row: MessageRow) -> None:
        if self._filter.names(row) and self._filter.accepts(row):
            self.rows.set(row)
        else:
            self.rows.drop(row.attempt)
