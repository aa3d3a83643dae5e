"""One journal partition's attempts on disk: a cache of its state topic, with timers and polls in order of time.

It may lag Kafka, never lead it: it is written after a transaction's commit, together with the offset in the state topic
that it stands for, in one write batch.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

import orjson
from rocksdict import Rdict, ReadOptions, WriteBatch, WriteOptions

from bridge.codec import decode_state
from bridge.core.attempt import Followed, Parked, State, due_at
from bridge.core.entries import account_of
from bridge.core.errors import Damaged
from bridge.tracker.timetable import Timetable

FORMAT = 1
NEAREST = 50
"""How many attempts are looked at to find each provider's oldest."""

_DUES = Struct(">QQ")
_DUE = Struct(">Q")
_STATE, _POLL, _META = b"s", b"p", b"m"
_END, _FORGET, _PARK = b"e", b"f", b"q"
"""Timers by what they end: following, remembering, parking."""


class Known(NamedTuple):
    """An attempt as the cache has it; times in milliseconds since the epoch."""

    state: Parked | Followed
    timer: int
    poll: int
    """When to ask about it next, or 0."""


class Change(NamedTuple):
    """What a committed transaction made of an attempt; `encoded` is the new state as the state topic has it."""

    key: str
    before: Known | None
    after: State
    encoded: bytes


class Meta(NamedTuple):
    """What a cached partition stands for, and what it holds."""

    format: int
    fingerprint: int
    incarnation: str
    offset: int
    """The next offset of the state topic to be read."""
    written_at: int
    followed: Mapping[str, int]
    """Attempts without a final status, by provider."""
    parked: int


class Disk:
    """A context for everything that touches the database: what it raises becomes `Damaged`, and is remembered."""

    damaged: str | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # The library raises nothing narrower, and nobody else raises anything as broad.
        if type(error) is Exception:
            self.damaged = str(error)
            raise Damaged(f"the cache on disk can't be used: {error}") from error


class Attempts:
    """One journal partition's attempts. Every method is quick: callers hand over a few hundred at a time."""

    def __init__(self, db: Rdict, family: Rdict, handle: Any, *, timetable: Timetable, disk: Disk) -> None:
        self._db, self._family, self._handle, self._timetable, self._disk = db, family, handle, timetable, disk
        self._unlogged = WriteOptions()
        # The state topic is the log; whatever a crash takes from memory is read from there again.
        self._unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # the stub is wrong: a property
        self._floors: dict[bytes, int] = {}
        self._moved: dict[str, int] = {}
        """Polls that were taken while a transaction was under way, which knows only the one before."""
        meta = self._read_meta()
        self.position: Meta | None = meta
        self.followed: Counter[str] = Counter(meta.followed if meta else {})
        self.parked = meta.parked if meta else 0

    # --- reading ------------------------------------------------------------------------------------------------------

    def get(self, keys: Sequence[str]) -> list[Known | None]:
        """What is known of each of these attempts."""
        with self._disk:
            found: Any = self._family.get([_STATE + key.encode() for key in keys]) if keys else []
        return [_known(value) for value in found]

    def due(self, now: int, limit: int) -> list[str]:
        """Keys of attempts whose timer has run out: the first of each kind, so that none waits for another.

        Args:
            now: The time.
            limit: The most of each kind; of parked ones, whose words have to be read again, a tenth.
        """
        limits = {_PARK: max(1, limit // 10), _END: limit, _FORGET: limit}
        return [key for kind, most in limits.items() for _, key in self._until(kind, now, most)]

    def due_polls(self, account: str, now: int, limit: int) -> list[tuple[int, str]]:
        """When and about which attempts of `provider:account` to ask, the longest due first."""
        return self._until(_polls(account), now, limit)

    def oldest_parked(self, limit: int) -> list[str]:
        """Keys of the parked attempts that leave first."""
        return [key for _, key in self._until(_PARK, 2**63, limit)]

    def oldest(self) -> dict[str, int]:
        """By provider, from when the attempt counts whose end is nearest: the oldest, as a rule."""
        keys = [key for _, key in self._until(_END, 2**63, NEAREST)]
        found: dict[str, int] = {}
        for key, known in zip(keys, self.get(keys), strict=True):
            if known and isinstance(known.state, Followed):
                found.setdefault(key.split(":", 1)[0], known.state.starts_at)
        return found

    def next_due(self) -> int | None:
        """When the next timer runs out."""
        firsts = (self._until(kind, 2**63, 1) for kind in (_PARK, _END, _FORGET))
        return min((due for first in firsts for due, _ in first), default=None)

    def _until(self, kind: bytes, now: int, limit: int) -> list[tuple[int, str]]:
        """The first entries of an index up to a time. Starts where nothing is deleted yet: deleted ones cost time."""
        found: list[tuple[int, str]] = []
        if limit <= 0:
            return found
        bound = ReadOptions()
        bound.set_iterate_upper_bound(kind + _DUE.pack(now + 1))
        start = kind + _DUE.pack(self._floors.get(kind, 0))
        with self._disk:
            entries = self._family.iter(bound)
            entries.seek(start)
            while len(found) < limit and entries.valid():
                entry = entries.key()
                found.append((_DUE.unpack_from(entry, len(kind))[0], entry[len(kind) + _DUE.size :].decode()))
                entries.next()
            entries.status()  # an index that can't be read looks empty otherwise
        if found:
            self._floors[kind] = found[0][0]
        return found

    # --- writing ------------------------------------------------------------------------------------------------------

    def apply(self, changes: Iterable[Change], incarnation: str, offset: int) -> None:
        """Write what a transaction committed, and the state topic's offset that this stands for."""
        batch = self._batch()
        for change in changes:
            self._change(batch, change)
        meta = Meta(
            FORMAT,
            self._timetable.fingerprint,
            incarnation,
            offset,
            time.time_ns() // 1_000_000,
            {provider: count for provider, count in self.followed.items() if count},
            self.parked,
        )
        batch[_META] = orjson.dumps(meta._asdict())
        self._write(batch)
        self._moved.clear()
        self.position = meta

    def ask(self, key: str, due: int, now: int) -> Known | None:
        """Take an attempt's poll: the next one is the first after now. None when there is nothing to ask any more."""
        value = self._value(key)
        known = _known(value)
        if value is None or known is None or known.poll != due or not due or not isinstance(known.state, Followed):
            batch = self._batch()
            del batch[_polls(account_of(key)) + _DUE.pack(due) + key.encode()]
            self._write(batch)
            return None
        self._move_poll(key, known, value, self._timetable.next_poll(key, known.state, now))
        return known

    def ask_again(self, key: str, at: int, now: int) -> None:
        """A poll gave no answer: ask at this time, when it is to be asked anyway, or at the end, whatever is first."""
        value = self._value(key)
        known = _known(value)
        if value is None or known is None or not isinstance(known.state, Followed):
            return
        last = known.state.ends_at - 1
        if known.state.final_at is None and now < last:
            self._move_poll(key, known, value, min(at, known.poll or at, last))

    def _move_poll(self, key: str, known: Known, value: bytes, poll: int) -> None:
        raw, kind, batch = key.encode(), _polls(account_of(key)), self._batch()
        if known.poll:
            del batch[kind + _DUE.pack(known.poll) + raw]
        batch[_STATE + raw] = _DUES.pack(known.timer, poll) + value[_DUES.size :]
        if poll:
            self._index(batch, kind, poll, raw)
        self._write(batch)
        self._moved[key] = poll

    def clear(self) -> None:
        """Forget everything, to be built anew."""
        batch = self._batch()
        batch.delete_range(b"\x00", b"\xff", self._handle)
        self._write(batch)
        self.position, self.followed, self.parked = None, Counter(), 0
        self._floors.clear()

    def flush(self) -> None:
        """Write out what is only in memory, so that little has to be read again next time."""
        with self._disk:
            self._family.flush()

    def _value(self, key: str) -> bytes | None:
        with self._disk:
            value: bytes | None = self._family.get(_STATE + key.encode())
        return value

    def _write(self, batch: WriteBatch) -> None:
        with self._disk:
            self._db.write(batch, self._unlogged)

    def _batch(self) -> WriteBatch:
        batch = WriteBatch(raw_mode=True)
        batch.set_default_column_family(self._handle)
        return batch

    def _change(self, batch: WriteBatch, change: Change) -> None:
        raw, before, after = change.key.encode(), change.before, change.after
        if before and change.key in self._moved:
            before = before._replace(poll=self._moved[change.key])
        if before:
            del batch[_kind(before.state) + _DUE.pack(before.timer) + raw]
            if before.poll:
                del batch[_polls(account_of(change.key)) + _DUE.pack(before.poll) + raw]
            self._count(change.key, before.state, -1)
        if after is None:
            del batch[_STATE + raw]
            return
        self._count(change.key, after, 1)
        timer, poll = due_at(after, self._timetable.policy), self._poll(change.key, before, after)
        batch[_STATE + raw] = _DUES.pack(timer, poll) + change.encoded
        self._index(batch, _kind(after), timer, raw)
        if poll:
            self._index(batch, _polls(account_of(change.key)), poll, raw)

    def _poll(self, key: str, before: Known | None, after: Parked | Followed) -> int:
        if isinstance(after, Parked) or after.final_at is not None:
            return 0
        if before and isinstance(before.state, Followed):
            return before.poll
        # One that was due while nobody asked is due now.
        return self._timetable.next_poll(key, after, after.starts_at - 1)

    def _index(self, batch: WriteBatch, kind: bytes, due: int, raw: bytes) -> None:
        batch[kind + _DUE.pack(due) + raw] = b""
        if due < self._floors.get(kind, 0):
            self._floors[kind] = due

    def _count(self, key: str, state: Parked | Followed, change: int) -> None:
        if isinstance(state, Parked):
            self.parked += change
        elif state.final_at is None:
            self.followed[key.split(":", 1)[0]] += change

    def _read_meta(self) -> Meta | None:
        with self._disk:
            value = self._family.get(_META)
        meta = orjson.loads(value) if value else {}
        known = meta.get("format") == FORMAT and meta.get("fingerprint") == self._timetable.fingerprint
        return Meta(**meta) if known else None


def _kind(state: Parked | Followed) -> bytes:
    if isinstance(state, Parked):
        return _PARK
    return _END if state.final_at is None else _FORGET


def _polls(account: str) -> bytes:
    """The index of one account's polls; a comma sorts before whatever follows, and is in no account's name."""
    return _POLL + account.encode() + b","


def _known(value: bytes | None) -> Known | None:
    if value is None:
        return None
    timer, poll = _DUES.unpack_from(value)
    return Known(decode_state(value[_DUES.size :]), timer, poll)
