"""The database of attempts: RocksDB in a folder, a cache that may be lost. One column family per journal partition.

What a partition's family holds is `keys.py`.
"""

import gc
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from rocksdict import BlockBasedIndexType, BlockBasedOptions, Cache, Options, Rdict, WriteBufferManager

from bridge.core.errors import ConfigurationError, StoreCorruptedError
from bridge.core.schedule import Schedule
from bridge.settings.model import PREFIX
from bridge.state.column_family import ColumnFamily, CorruptionGuard
from bridge.state.partition import PartitionStore

CACHE_BYTES = 28 * 1024 * 1024
"""For blocks, their indexes and filters, and write buffers, of all partitions together."""

HELD_BY_THIS_PROCESS = "lock hold by current process"
"""Part of the database's error when this very process has it open."""

BLOOM_BITS_PER_KEY = 10
"""One look-up of a hundred then reads a block in vain."""

log = structlog.get_logger(__name__)


class Store:
    """The database: a folder that may be deleted while no process runs. Only one process opens it."""

    def __init__(self, directory: Path, schedule: Schedule) -> None:
        self._path = directory / "attempts"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{PREFIX}STATE__DIRECTORY: {directory} can't be created ({error.strerror})"
            ) from error
        self._schedule = schedule
        self._guard = CorruptionGuard()
        self._partitions: dict[int, PartitionStore] = {}
        self._options = _make_options()
        self._db = self._open()

    def partition(self, number: int) -> "PartitionStore":
        """The store of one journal partition."""
        # Always the same object: a poll that is still under way may hold it when the partition comes back.
        if number not in self._partitions:
            name = str(number)
            with self._guard:
                family, handle = self._family(name)
            column = ColumnFamily(self._db, family, handle, self._guard)
            self._partitions[number] = PartitionStore(column, self._schedule)
        return self._partitions[number]

    def close(self) -> None:
        """Close. The next start restores what was not flushed, and everything if the database is corrupted."""
        for close in (*(attempts.close for attempts in self._partitions.values()), self._db.close):
            with suppress(StoreCorruptedError), self._guard:  # Kafka has what can't be written any more
                close()
        self._partitions.clear()
        if self._guard.error:
            self._move_aside(self._guard.error)

    def rebuild(self) -> None:
        """Close, and open a new database: after a corruption, an empty one.

        Raises:
            StoreCorruptedError: Work under way still holds the old one, for a moment.
        """
        self.close()
        self._guard = CorruptionGuard()
        gc.collect()  # tracebacks in reference cycles hold the old database
        self._db = self._open()

    def check(self) -> None:
        """Check that the database has had no error: after one, it isn't trusted any more.

        Raises:
            StoreCorruptedError: There was one.
        """
        if self._guard.error:
            raise StoreCorruptedError(self._guard.error)

    def _family(self, name: str) -> tuple[Rdict, Any]:
        known = Rdict.list_cf(str(self._path), self._options)
        family = (
            self._db.get_column_family(name) if name in known else self._db.create_column_family(name, self._options)
        )
        return family, self._db.get_column_family_handle(name)

    def _move_aside(self, error: str) -> None:
        aside = self._path.with_suffix(".damaged")
        log.error("cache is corrupted; moved aside and rebuilt", error=error, moved_to=str(aside))
        shutil.rmtree(aside, ignore_errors=True)
        if self._path.exists():
            shutil.move(self._path, aside)

    def _open(self) -> Rdict:
        setting = f"{PREFIX}STATE__DIRECTORY"
        try:
            return self._open_database()
        except Exception as error:
            if HELD_BY_THIS_PROCESS in str(error):
                raise StoreCorruptedError("work under way still holds the old cache") from error
            if str(self._path / "LOCK") in str(error):
                message = f"{setting}: another process uses {self._path.parent}; give each its own folder ({error})"
                raise ConfigurationError(message) from error
            self._move_aside(str(error))
        try:
            return self._open_database()
        except Exception as error:
            raise ConfigurationError(
                f"{setting}: no database can be created in {self._path.parent} ({error})"
            ) from error

    def _open_database(self) -> Rdict:
        path = str(self._path)
        families = Rdict.list_cf(path, self._options) if (self._path / "CURRENT").exists() else ["default"]
        return Rdict(path, self._options, column_families=dict.fromkeys(families, self._options))


def _make_options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.create_missing_column_families(create_missing_cfs=True)
    cache = Cache(CACHE_BYTES)
    buffers = WriteBufferManager.new_write_buffer_manager_with_cache(CACHE_BYTES // 2, allow_stall=False, cache=cache)
    options.set_write_buffer_manager(buffers)
    # Half of all look-ups are of new attempts: a Bloom filter answers them without reading a block.
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, block_based=False)
    # Filters and indexes grow with the attempts: partitioned, they count against the cache's bound.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_partition_filters(True)
    blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
    options.set_block_based_table_factory(blocks)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    return options
