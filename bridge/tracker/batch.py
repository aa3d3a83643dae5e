"""Folds entries and timers in memory into the contents of one transaction. It reads the store and writes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from bridge.core.attempt import Followed, Parked, Policy, State
from bridge.core.entries import Entry, Report, Sent, extract_full_account, extract_provider
from bridge.core.errors import DeadLetterReason, PoisonMessageError, locate_error
from bridge.core.lifecycle import EntryPosition, FoldOutcome, FoldResult, Rejection, discard, expire, fold
from bridge.core.publication import Publication
from bridge.journal.horizon import NOTHING_FORGOTTEN, Horizon
from bridge.journal.serde import decode_entry
from bridge.observability.tracing import parse_trace_id
from bridge.state.keys import StateChange, StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.state.serde import encode_state
from bridge.tracker.quarantine import Item, SetAside

log = structlog.get_logger(__name__)


class PendingDeadLetter(NamedTuple):
    """A dead letter of the transaction, before its original is read."""

    rejection: Rejection
    full_account: str
    """The attempt's `provider:account`; empty where even that isn't known."""
    value: bytes | None
    """A report's raw text, or the value of the journal's entry; None if only the journal has them."""
    origin: tuple[str, int, int] | None = None
    """Topic, partition and offset of the rejected sent event, which has the original bytes."""

    @property
    def needs_original(self) -> bool:
        """Whether the original bytes have to be read again."""
        return self.origin is not None or self.value is None


class Batch:
    """The contents of one transaction; discarded if the transaction fails."""

    def __init__(
        self,
        store: PartitionStore,
        policy: Policy,
        set_aside: Mapping[Item, SetAside] = {},
        horizon: Horizon = NOTHING_FORGOTTEN,
    ) -> None:
        self._store, self._policy = store, policy
        self._set_aside, self._horizon = set_aside, horizon
        self._forgotten: list[int] = []
        """When the attempts were sent that are forgotten."""
        self.items: list[Item] = []
        """What it is made of: offsets of entries, and keys of timers."""
        self._known: dict[str, StoredAttempt | None] = {}
        self._changed: dict[str, State] = {}
        self.publications: list[Publication] = []
        """The events that were not taken yet."""
        self.dead_letters: list[PendingDeadLetter] = []
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        """By provider, source (`sent` for a sent) and outcome."""
        self.next_offset: int | None = None
        """The journal offset after the folded entries; None when no entry was folded."""

    @property
    def changes(self) -> list[StateChange]:
        """The changed attempts, before and after."""
        return [
            StateChange(key, self._known[key], state, b"" if state is None else encode_state(state))
            for key, state in self._changed.items()
        ]

    def take_publications(self) -> list[Publication]:
        """Return the events since the last call. They aren't kept."""
        taken, self.publications = self.publications, []
        return taken

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write, except perhaps the journal's offset."""
        return not (self._changed or self.dead_letters)  # every event changes its attempt

    def compute_horizon(self, now: int) -> Horizon:
        """Compute what the partition has forgotten after this batch."""
        return self._horizon.forget(self._forgotten, now)

    def holds(self, key: str) -> bool:
        """Whether an attempt has changed in this batch."""
        return key in self._changed

    def fold(self, records: Sequence[Any]) -> None:
        """Fold records of the journal in order."""
        read = [(record, entry, entry.key) for record in records if (entry := self._decode(record))]
        self._load(key for _, _, key in read)
        for record, entry, key in read:
            if isinstance(entry, Sent) and entry.lifetimes:  # an intake may have other settings than this tracker
                self._horizon = self._horizon.apply_settings(entry.lifetimes, record.timestamp)
            self._fold(record, entry, key)
        if records:
            self.items += [record.offset for record in records]
            self.next_offset = records[-1].offset + 1

    def expire(self, keys: Iterable[str], now: int) -> None:
        """Expire timers. Attempts that changed in this batch wait for the next batch."""
        for key, known in self._load_unchanged(keys):
            state = known.state
            value = b""  # parked reports have their own
            self.items.append(key)
            try:
                if aside := self._set_aside.get(key):
                    folded, value = _reject_item(aside, None, -1), encode_state(state)
                else:
                    folded = expire(key, state, now, self._policy)
            except Exception as error:  # noqa: BLE001 - a bug must stop that attempt, not the partition
                folded, value = _reject_failed(error, key, None, -1), encode_state(state)
            self._add(key, state, folded)
            self._reject(key, folded.rejections, value)
            if isinstance(state, Followed) and folded.outcome is FoldOutcome.PUBLISHED:
                self.outcomes[extract_provider(key), "deadline", FoldOutcome.PUBLISHED.value] += 1
            elif isinstance(state, Parked):
                self.outcomes[extract_provider(key), "callback", FoldOutcome.UNMATCHED.value] += 1

    def overflow(self, keys: Iterable[str]) -> None:
        """Discard parked reports beyond the limit."""
        reason, error = DeadLetterReason.PARKED_OVERFLOW, "too many reports wait for their sent events"
        for key, known in self._load_unchanged(keys):
            if isinstance(known.state, Parked):
                discarded = discard(known.state, reason, error, self._policy)
                self._add(key, known.state, discarded)
                self._reject(key, discarded.rejections, b"")

    def _load(self, keys: Iterable[str]) -> None:
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        self._known.update(zip(missing, self._store.get(missing), strict=True))

    def _load_unchanged(self, keys: Iterable[str]) -> list[tuple[str, StoredAttempt]]:
        untouched = [key for key in keys if key not in self._changed]
        self._load(untouched)
        return [(key, known) for key in untouched if (known := self._known[key])]

    def _decode(self, record: Any) -> Entry | None:
        try:
            return decode_entry(record.value)
        except PoisonMessageError as poison:
            rejection = Rejection(poison.reason, poison.error, record.offset)
            self.dead_letters.append(PendingDeadLetter(rejection, "", record.value or b""))
            return None

    def _fold(self, record: Any, entry: Entry, key: str) -> None:
        known = self._known[key]
        state = self._changed.get(key, known.state if known else None)
        try:
            if aside := self._set_aside.get(record.offset):
                folded = _reject_item(aside, state, record.offset)
            else:
                at = EntryPosition(record.offset, record.timestamp, self._horizon.refused_until)
                folded = fold(key, state, entry, at, self._policy)
        except Exception as error:  # noqa: BLE001 - a bug must stop that attempt, not the partition
            folded = _reject_failed(error, key, state, record.offset)
        self._add(key, state, folded)
        if folded.rejections and isinstance(entry, Report):
            self._reject(key, folded.rejections, entry.raw.encode())
        elif folded.rejections and isinstance(entry, Sent):
            self._reject(key, folded.rejections, record.value, entry.origin)
        self._count(entry, folded)

    def _add(self, key: str, before: State, folded: FoldResult) -> None:
        if folded.state is not before:
            self._changed[key] = folded.state
            if isinstance(before, Followed) and before.final_at is not None and _is_new_life(before, folded.state):
                self._forgotten.append(before.sent_at)
        self.publications += folded.publications

    def _reject(
        self, key: str, rejections: Iterable[Rejection], value: bytes, origin: tuple[str, int, int] | None = None
    ) -> None:
        """Add dead letters with their own raw text, or with `value` if they have none."""
        for one in rejections:
            kept = value if one.raw is None else one.raw.encode() or None
            self.dead_letters.append(PendingDeadLetter(one, extract_full_account(key), kept, origin))

    def _count(self, entry: Entry, folded: FoldResult) -> None:
        self.outcomes[entry.provider, entry.source if isinstance(entry, Report) else "sent", folded.outcome] += 1
        if folded.outcome is FoldOutcome.UNMAPPED and isinstance(entry, Report):
            known = folded.state if isinstance(folded.state, Followed) else None
            log.warning(
                "unmapped provider status; add it to STATUSES",
                message_id=known and known.message_id,
                trace_id=known and parse_trace_id(known.traceparent),
                provider=entry.provider,
                account=entry.account,
                provider_message_id=entry.provider_message_id,
                provider_status=entry.provider_status,
                raw=entry.raw,
            )


def _is_new_life(before: Followed, after: State) -> bool:
    return not isinstance(after, Followed) or after.message_id != before.message_id


def _reject_item(aside: SetAside, state: State, offset: int) -> FoldResult:
    return FoldResult(state, FoldOutcome.FAILED, (), (Rejection(aside.reason, aside.error, offset),))


def _reject_failed(error: Exception, key: str, state: State, offset: int) -> FoldResult:
    log.error("attempt can't be folded; the entry goes to the dead letters", key=key, offset=offset, exc_info=error)
    rejection = Rejection(DeadLetterReason.INTERNAL, locate_error(error), offset)
    return FoldResult(state, FoldOutcome.FAILED, (), (rejection,))
