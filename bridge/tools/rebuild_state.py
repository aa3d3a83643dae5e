"""`sms-bridge topics --rebuild-state`: finds the partitions whose states are lost, and rebuilds them."""

from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.core.errors import ConfigurationError
from bridge.core.schedule import Schedule
from bridge.core.timestamps import parse_rfc3339
from bridge.dead_letters import DeadLetter
from bridge.history.search import GIVEN_UP
from bridge.history.topic_scanner import TopicScanner, open_scanner
from bridge.journal.offsets import fetch_journal_offsets
from bridge.kafka.clients import KafkaClients
from bridge.kafka.errors import format_error
from bridge.kafka.topics import fetch_limits
from bridge.kafka.wire_format import strip_frame
from bridge.settings.model import Settings
from bridge.state.store import Store
from bridge.tools.output import stderr_console
from bridge.tracker.state_rebuild import LostPartition, StateRebuilder, TimerEffects
from bridge.tracker.transaction import TransactionTarget

DEADLINE = b'"source":"deadline"'


async def rebuild_state(kafka: KafkaClients, settings: Settings) -> dict[int, int]:
    """Rebuild the partitions of the state topic that have lost states.

    Returns:
        By partition, how many attempts are open again.

    Raises:
        ConfigurationError: A bridge runs, or Kafka refuses.
    """
    topics, group = settings.topics, settings.kafka.tracker_group
    await fetch_limits(kafka, topics)
    async with open_scanner(kafka) as scan:
        await _refuse_running_bridges(scan, group)
        lost = await _find_lost_partitions(scan, settings, group)
    columns = (TextColumn("folding the journal"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=stderr_console(), transient=True)
    rebuilt = {}
    with bar if stderr_console().is_terminal else nullcontext():
        task = bar.add_task("", total=sum(one.committed.offset - one.start for one in lost))
        rebuilder = StateRebuilder(
            kafka,
            TransactionTarget(topics.journal, topics.state, group),
            settings.follow.to_policy(),
            uuid4().hex,
            lambda entries: bar.advance(task, entries),
        )
        for one in lost:
            rebuilt[one.tp.partition] = await _rebuild(rebuilder, one)
    return rebuilt


async def _rebuild(rebuilder: StateRebuilder, lost: LostPartition) -> int:
    with TemporaryDirectory(prefix="sms-bridge-rebuild-") as folder:
        store = Store(Path(folder), Schedule(rebuilder.policy, {}))
        try:
            return await rebuilder.rebuild(lost, store.partition(lost.tp.partition))
        except KafkaError as error:
            raise ConfigurationError(
                f"partition {lost.tp.partition} can't be rebuilt ({format_error(error)}); does a bridge run?"
            ) from error
        finally:
            store.close()


async def _refuse_running_bridges(scan: TopicScanner, group: str) -> None:
    [answer] = await scan.admin.describe_consumer_groups([group])
    members = [member for described in answer.groups for member in described[5]]
    if members:
        raise ConfigurationError(f"the group {group} has {len(members)} members: stop all bridges first")


async def _find_lost_partitions(scan: TopicScanner, settings: Settings, group: str) -> list[LostPartition]:
    """Find the partitions whose states end before what was written of them."""
    topics = settings.topics
    journal = await scan.spans(topics.journal, 0)
    committed = await fetch_journal_offsets(scan.admin, group, list(journal))
    states = await scan.spans(topics.state, 0)
    lost = [tp for tp, at in committed.items() if states[TopicPartition(topics.state, tp.partition)].end < at.state_end]
    if not lost:
        return []
    deadlines, discarded = await _read_deadlines(scan, settings), await _read_discarded(scan, settings)
    return [
        LostPartition(tp, journal[tp].start, committed[tp], TimerEffects(deadlines, discarded[tp.partition]))
        for tp in lost
    ]


async def _read_deadlines(scan: TopicScanner, settings: Settings) -> dict[str, int]:
    """Read when deadlines took effect, by the ids of their events."""
    found: dict[str, int] = {}

    def take(record: Any) -> None:
        if record.value and DEADLINE in record.value:
            event = orjson.loads(strip_frame(record.value))
            found[event["event_id"]] = parse_rfc3339(event["observed_at"]) or record.timestamp

    await scan.scan(await scan.spans(settings.topics.delivery, 0), take)
    return found


async def _read_discarded(scan: TopicScanner, settings: Settings) -> dict[int, set[int]]:
    """Read which parked reports became dead letters: their offsets in the journal, by partition."""
    found: dict[int, set[int]] = defaultdict(set)

    def take(record: Any) -> None:
        letter = DeadLetter.parse(record)
        if letter.source and letter.source.topic == settings.topics.journal and letter.reason in GIVEN_UP:
            found[letter.source.partition].add(letter.source.offset)

    await scan.scan(await scan.spans(settings.topics.dead_letter, 0), take)
    return found
