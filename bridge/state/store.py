"""The database of attempts: RocksDB in a folder, a cache that may be lost. One column family a journal partition.

What a partition's family holds is `attempts.py`.
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

MEMORY_BYTES = 28 * 1024 * 1024
"""For blocks, their indexes and filters, and write buffers, of all partitions together."""

HELD_HERE = "lock hold by current process"
"""What the database says when this very process has it open."""

BITS_A_KEY = 10
"""Of the filter: one look-up of a hundred reads a block for nothing."""

log = structlog.get_logger(__name__)


class Store:
    """The database: a folder that may be deleted whenever nobody runs. Only one process opens it."""

    def __init__(self, directory: Path, schedule: Schedule) -> None:
        self._path = directory / "attempts"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{PREFIX}STATE__DIRECTORY: {directory} can't be made ({error.strerror})"
            ) from error
        self._schedule = schedule
        self._guard = CorruptionGuard()
        self._partitions: dict[int, PartitionStore] = {}
        self._options = _options()
        self._db = self._open()

    def partition(self, number: int) -> "PartitionStore":
        """The attempts of one journal partition."""
        # Always the same one: a poll that is still under way may hold it when the partition comes back to us.
        if number not in self._partitions:
            name = str(number)
            with self._guard:
                family, handle = self._family(name)
            column = ColumnFamily(self._db, family, handle, self._guard)
            self._partitions[number] = PartitionStore(column, self._schedule)
        return self._partitions[number]

    def close(self) -> None:
        """Close. What was not flushed is read from the state topic next time; so is all, if it turned out damaged."""
        for close in (*(attempts.close for attempts in self._partitions.values()), self._db.close):
            with suppress(StoreCorruptedError), self._guard:  # what it can't write any more, Kafka has
                close()
        self._partitions.clear()
        if self._guard.error:
            self._put_aside(self._guard.error)

    def rebuild(self) -> None:
        """Close, and begin anew: after damage with nothing in it.

        Raises:
            StoreCorruptedError: What is under way still holds the old one, for a moment.
        """
        self.close()
        self._guard = CorruptionGuard()
        gc.collect()  # errors hold what they were raised in, as long as nobody looks for cycles
        self._db = self._open()

    def check(self) -> None:
        """See that no error of the database was remembered: after one, it isn't to be trusted.

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

    def _put_aside(self, error: str) -> None:
        aside = self._path.with_suffix(".damaged")
        log.error("the cache is damaged; put aside, to be built anew", error=error, to=str(aside))
        shutil.rmtree(aside, ignore_errors=True)
        if self._path.exists():
            shutil.move(self._path, aside)

    def _open(self) -> Rdict:
        setting = f"{PREFIX}STATE__DIRECTORY"
        try:
            return self._opened()
        except Exception as error:
            if HELD_HERE in str(error):
                raise StoreCorruptedError("what is under way still holds the cache that was put aside") from error
            if str(self._path / "LOCK") in str(error):
                told = f"{setting}: another process uses {self._path.parent}; give each its own folder ({error})"
                raise ConfigurationError(told) from error
            self._put_aside(str(error))
        try:
            return self._opened()
        except Exception as error:
            raise ConfigurationError(f"{setting}: no database can be made in {self._path.parent} ({error})") from error

    def _opened(self) -> Rdict:
        path = str(self._path)
        families = Rdict.list_cf(path, self._options) if (self._path / "CURRENT").exists() else ["default"]
        return Rdict(path, self._options, column_families=dict.fromkeys(families, self._options))


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.create_missing_column_families(create_missing_cfs=True)
    cache = Cache(MEMORY_BYTES)
    buffers = WriteBufferManager.new_write_buffer_manager_with_cache(MEMORY_BYTES // 2, allow_stall=False, cache=cache)
    options.set_write_buffer_manager(buffers)
    # Half of all look-ups are of attempts that nobody has heard of yet: a filter answers them without reading a block.
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_bloom_filter(BITS_A_KEY, block_based=False)
    # Filters and indexes grow with the attempts: in pieces they are part of what the cache bounds.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_partition_filters(True)
    blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
    options.set_block_based_table_factory(blocks)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    return options
