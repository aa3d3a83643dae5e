"""One journal partition's attempts on disk: a cache of its state topic, with timers and polls ordered by time.

The cache may lag Kafka, never lead it: it is written after a transaction's commit, in one write batch with the offset
of the state topic that it stands for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rocksdict import WriteBatch

from bridge.clock import now_ms
from bridge.core.attempt import Followed, Parked, compute_timer
from bridge.core.entries import extract_full_account, extract_provider
from bridge.core.schedule import Schedule
from bridge.state.column_family import ColumnFamily
from bridge.state.keys import (
    DUE,
    DUES,
    END,
    FORGET,
    FORMAT,
    META,
    PARK,
    STATE,
    PartitionMeta,
    StateChange,
    StoredAttempt,
    decode_meta,
    encode_meta,
    list_index_entries,
    parse_value,
    poll_index,
    timer_index,
)

NEAREST_DEADLINES = 50
"""Attempts that are looked at to find each provider's oldest."""

PendingAttempt = tuple[str, Followed]
"""An attempt's key, and what is known of it."""


class PartitionStore:
    """One journal partition's attempts. Every method is quick, because callers pass a few hundred keys at a time."""

    def __init__(self, column: ColumnFamily, schedule: Schedule) -> None:
        self._column, self._schedule, self._fingerprint = column, schedule, schedule.fingerprint
        self._floors: dict[bytes, int] = {}
        self._moved: dict[str, int] = {}
        """Polls that were taken while a transaction was under way: its changes know only the poll before."""
        self.position = meta = self._read_meta()
        self.followed: Counter[str] = Counter(meta.followed if meta else {})
        self.parked = meta.parked if meta else 0

    # --- reading ------------------------------------------------------------------------------------------------------

    def get(self, keys: Sequence[str]) -> list[StoredAttempt | None]:
        """Look these attempts up; None for those that aren't known."""
        return [parse_value(value) for value in self._column.get_all([STATE + key.encode() for key in keys])]

    def due(self, now: int, limit: int) -> list[str]:
        """Find attempts whose timer has run out: the first of each kind, so that no kind waits for another; ends first.

        Args:
            now: The time.
            limit: The most of each kind; of parked ones, whose raw text has to be read again, a tenth.
        """
        limits = {END: limit, PARK: max(1, limit // 10), FORGET: limit}
        return [key for kind, most in limits.items() for _, key in self._until(kind, now, most)]

    def due_polls(self, account: str, now: int, limit: int) -> list[tuple[int, str]]:
        """Find the due polls of `provider:account`, time and key, the longest due first."""
        return self._until(poll_index(account), now, limit)

    def newest_polls(self, account: str, now: int, limit: int) -> list[tuple[int, str]]:
        """Find the due polls of `provider:account`, time and key, the latest due first."""
        return self._column.last(poll_index(account), now, limit)

    def oldest_parked(self, limit: int) -> list[str]:
        """Find the parked attempts that leave first."""
        return [key for _, key in self._until(PARK, 2**63, limit)]

    def oldest(self) -> dict[str, int]:
        """By provider, the start of the attempt whose deadline is nearest: the oldest one, as a rule."""
        keys = [key for _, key in self._until(END, 2**63, NEAREST_DEADLINES)]
        found: dict[str, int] = {}
        for key, known in zip(keys, self.get(keys), strict=True):
            if known and isinstance(known.state, Followed):
                found.setdefault(extract_provider(key), known.state.starts_at)
        return found

    def pending(
        self, limit: int, after: tuple[int, str] = (0, "")
    ) -> tuple[list[PendingAttempt], tuple[int, str] | None]:
        """Read a page of open attempts, the nearest deadline first.

        Args:
            limit: The size of a page; a few hundred.
            after: Where the page before ended, as it returned it.

        Returns:
            The attempts, and where the page ends; None when there are no more.
        """
        since, name = max(after, (self._floors.get(END, 0), ""))
        found = self._column.first(END, since, 2**63, limit, name)
        known = zip(found, self.get([key for _, key in found]), strict=True)
        waiting = [(key, one.state) for (_, key), one in known if one and isinstance(one.state, Followed)]
        return waiting, found[-1] if len(found) == limit else None

    def next_due(self) -> int | None:
        """When the next timer runs out; None when there is none."""
        firsts = (self._until(kind, 2**63, 1) for kind in (PARK, END, FORGET))
        return min((due for first in firsts for due, _ in first), default=None)

    def _until(self, kind: bytes, now: int, limit: int) -> list[tuple[int, str]]:
        """Read the first entries of an index up to a time, from its floor on: skipping deleted entries takes time."""
        found = self._column.first(kind, self._floors.get(kind, 0), now, limit)
        if found:
            self._floors[kind] = found[0][0]
        return found

    # --- writing ------------------------------------------------------------------------------------------------------

    def apply(self, changes: Iterable[StateChange], journal_id: str, offset: int) -> None:
        """Write what a transaction committed, and the state topic's offset that this stands for."""
        batch = self._column.batch()
        for change in changes:
            self._change(batch, change)
        meta = PartitionMeta(
            FORMAT,
            self._fingerprint,
            journal_id,
            offset,
            now_ms(),
            {provider: count for provider, count in self.followed.items() if count},
            self.parked,
        )
        batch[META] = encode_meta(meta)
        self._column.write(batch)
        self._moved.clear()
        self.position = meta

    def take_poll(self, key: str, due: int, now: int) -> StoredAttempt | None:
        """Take an attempt's due poll and schedule the next one; None when the poll isn't due any more."""
        found = self._find_followed(key)
        if found is None or found[1].poll != due or not due:
            batch = self._column.batch()
            del batch[poll_index(extract_full_account(key)) + DUE.pack(due) + key.encode()]
            self._column.write(batch)
            return None
        value, known, state = found
        self._move_poll(key, known, value, self._schedule.find_next_poll(key, state, now))
        return known

    def postpone_poll(self, key: str, at: int, now: int) -> None:
        """Reschedule a poll that got no answer: to this time, its regular time or the deadline, whichever is first.

        Past the deadline it is still scheduled; the timers decide how long the deadline waits for it.
        """
        found = self._find_followed(key)
        if found and found[2].final_at is None:
            value, known, state = found
            latest = state.ends_at - 1 if now < state.ends_at - 1 else at
            self._move_poll(key, known, value, min(at, known.poll or at, latest))

    def end_polling(self, key: str) -> None:
        """Poll an attempt no more. A cache that is rebuilt polls it again."""
        if found := self._find_followed(key):
            self._move_poll(key, found[1], found[0], 0)

    def put_off(self, until: Mapping[str, int]) -> None:
        """Move these attempts' timers to later times; whatever changes an attempt sets its timer anew."""
        batch, keys = self._column.batch(), list(until)
        found = self._column.get_all([STATE + key.encode() for key in keys])
        for key, value in zip(keys, found, strict=True):
            known = parse_value(value)
            if value is not None and known is not None:
                raw, kind = key.encode(), timer_index(known.state)
                del batch[kind + DUE.pack(known.timer) + raw]
                batch[STATE + raw] = DUES.pack(until[key], known.poll) + value[DUES.size :]
                self._index(batch, kind, until[key], raw)
        if keys:
            self._column.write(batch)

    def _find_followed(self, key: str) -> tuple[bytes, StoredAttempt, Followed] | None:
        value = self._column.get(STATE + key.encode())
        known = parse_value(value)
        if value is None or known is None or not isinstance(known.state, Followed):
            return None
        return value, known, known.state

    def _move_poll(self, key: str, known: StoredAttempt, value: bytes, poll: int) -> None:
        raw, kind, batch = key.encode(), poll_index(extract_full_account(key)), self._column.batch()
        if known.poll:
            del batch[kind + DUE.pack(known.poll) + raw]
        batch[STATE + raw] = DUES.pack(known.timer, poll) + value[DUES.size :]
        if poll:
            self._index(batch, kind, poll, raw)
        self._column.write(batch)
        self._moved[key] = poll

    def clear(self) -> None:
        """Delete everything, before it is rebuilt."""
        self._column.clear()
        self.position, self.followed, self.parked = None, Counter(), 0
        self._floors.clear()

    def flush(self) -> None:
        """Write to disk what is only in memory, so that the next start has little to restore."""
        self._column.flush()

    def close(self) -> None:
        """Release the database for good: a poll under way may still hold this object."""
        self._column.close()

    def _change(self, batch: WriteBatch, change: StateChange) -> None:
        raw, before, after = change.key.encode(), change.before, change.after
        if before and change.key in self._moved:
            before = StoredAttempt(before.state, before.timer, self._moved[change.key])
        if before:
            self._count(change.key, before.state, -1)
        if after:
            self._count(change.key, after, 1)
            timer, poll = compute_timer(after, self._schedule.policy), self._poll(change.key, before, after)
            batch[STATE + raw] = DUES.pack(timer, poll) + change.encoded
            new = list_index_entries(change.key, after, timer, poll)
        else:
            del batch[STATE + raw]
            new = ()
        old = list_index_entries(change.key, before.state, before.timer, before.poll) if before else ()
        for kind, due in old:
            if (kind, due) not in new:
                del batch[kind + DUE.pack(due) + raw]
        for kind, due in new:
            if (kind, due) not in old:
                self._index(batch, kind, due, raw)

    def _poll(self, key: str, before: StoredAttempt | None, after: Parked | Followed) -> int:
        if isinstance(after, Parked) or after.final_at is not None:
            return 0
        if before and isinstance(before.state, Followed) and before.state.final_at is None:
            return before.poll
        # A poll whose time has passed meanwhile is due now.
        return self._schedule.find_next_poll(key, after, after.starts_at - 1)

    def _index(self, batch: WriteBatch, kind: bytes, due: int, raw: bytes) -> None:
        batch[kind + DUE.pack(due) + raw] = b""
        if due < self._floors.get(kind, 0):
            self._floors[kind] = due

    def _count(self, key: str, state: Parked | Followed, change: int) -> None:
        if isinstance(state, Parked):
            self.parked += change
        elif state.final_at is None:
            self.followed[extract_provider(key)] += change

    def _read_meta(self) -> PartitionMeta | None:
        meta = decode_meta(self._column.get(META))
        return meta if meta and meta.fingerprint == self._fingerprint else None
