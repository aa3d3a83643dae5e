"""The database as its users see it: one partition's column family, bytes in and out, and one kind of error."""

from collections.abc import Sequence
from typing import Any

from rocksdict import DbClosedError, Rdict, ReadOptions, WriteBatch, WriteOptions

from bridge.core.errors import StoreCorruptedError
from bridge.state.keys import DUE


class CorruptionGuard:
    """A context for all access to the database: turns its errors into `StoreCorruptedError` and remembers them."""

    error: str | None = None
    """What the database said when it could not be used."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # The library raises bare `Exception`, and nothing else does.
        if type(error) is Exception:
            self.error = str(error)
        if type(error) is Exception or isinstance(error, DbClosedError):
            raise StoreCorruptedError(f"the cache on disk can't be used: {error}") from error


class ColumnFamily:
    """One column family. Nothing is written to a log: the state topic is the log.

    Args:
        db: The database.
        family: The family, as it is read.
        handle: The family, as batches name it.
        guard: Remembers errors.
    """

    def __init__(self, db: Rdict, family: Rdict, handle: Any, guard: CorruptionGuard) -> None:
        self._db, self._family, self._handle, self._guard = db, family, handle, guard
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # the stub is wrong: a property

    def get(self, key: bytes) -> bytes | None:
        """Read a value."""
        with self._guard:
            value: bytes | None = self._family.get(key)
        return value

    def get_all(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Read several values at once."""
        with self._guard:
            values: Any = self._family.get(list(keys)) if keys else []
        return list(values)

    def first(self, kind: bytes, since: int, until: int, limit: int, after: str = "") -> list[tuple[int, str]]:
        """Read the first entries of an index between two times, time and key; of the first time, those after a key."""
        found: list[tuple[int, str]] = []
        if limit <= 0:
            return found
        bound = ReadOptions()
        bound.set_iterate_upper_bound(kind + DUE.pack(until + 1))
        with self._guard:
            entries = self._family.iter(bound)
            entries.seek(kind + DUE.pack(since) + (after.encode() + b"\x00" if after else b""))
            while len(found) < limit and entries.valid():
                found.append(_parse_entry(kind, entries.key()))
                entries.next()
            entries.status()  # an index that can't be read looks empty otherwise
        return found

    def last(self, kind: bytes, until: int, limit: int) -> list[tuple[int, str]]:
        """Read the last entries of an index up to a time, backwards."""
        found: list[tuple[int, str]] = []
        with self._guard:
            entries = self._family.iter(ReadOptions())
            entries.seek_for_prev(kind + DUE.pack(until + 1))
            while len(found) < limit and entries.valid() and (key := entries.key()).startswith(kind):
                found.append(_parse_entry(kind, key))
                entries.prev()
            entries.status()
        return found

    def batch(self) -> WriteBatch:
        """Start a write batch."""
        batch = WriteBatch(raw_mode=True)
        batch.set_default_column_family(self._handle)
        return batch

    def write(self, batch: WriteBatch) -> None:
        """Write a batch, all or nothing."""
        with self._guard:
            self._db.write(batch, self._unlogged)

    def clear(self) -> None:
        """Delete everything."""
        batch = self.batch()
        batch.delete_range(b"\x00", b"\xff", self._handle)
        self.write(batch)

    def flush(self) -> None:
        """Write to disk what is only in memory."""
        with self._guard:
            self._family.flush()

    def close(self) -> None:
        """Release the database for good."""
        with self._guard:
            self._family.close()
        self._handle = None


def _parse_entry(kind: bytes, key: bytes) -> tuple[int, str]:
    return DUE.unpack_from(key, len(kind))[0], key[len(kind) + DUE.size :].decode()
