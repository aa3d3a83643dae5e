"""`sms-bridge tail`: follows `sms.delivery`, filtered, until Ctrl-C."""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.text import Text

from bridge.clock import now_ms
from bridge.history.topic_scanner import open_scanner
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.kafka.wire_format import strip_frame
from bridge.settings.model import Settings
from bridge.text import format_time
from bridge.tools.output import ExitCode, stderr_console, stdout_console, style_text, write_json

FETCH_TIMEOUT_MS = 500


class TailFilter(NamedTuple):
    """Which events are shown; None: any."""

    message_ids: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    final: bool = False

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is shown."""
        members = (
            (self.message_ids, "message_id"),
            (self.providers, "provider"),
            (self.statuses, "status"),
        )
        return all(values is None or event[name] in values for values, name in members) and (
            event["final"] or not self.final
        )


async def follow_events(
    settings: Settings, wanted: TailFilter, since: Literal["end", "start"] | int, *, as_json: bool
) -> ExitCode:
    """Show events until the task is cancelled.

    Args:
        settings: Where they are.
        wanted: Which.
        since: Where to begin: at the end, at the start, or at a time in milliseconds since the epoch.
        as_json: Each event as it is, a line each.
    """
    kafka = KafkaClients(settings.kafka)
    topic = settings.topics.delivery
    async with open_scanner(kafka) as scan:
        spans = await scan.spans(topic, since if isinstance(since, int) else 0)
    starts = {tp: span.end if since == "end" else span.start for tp, span in spans.items()}
    consumer = await kafka.reader(committed=True)
    try:
        consumer.assign(list(starts))
        for tp, offset in starts.items():
            consumer.seek(tp, offset)
        if not as_json:
            begin = since if isinstance(since, str) else format_time(since)
            stderr_console().print(Text(f"{topic}, from {begin}; Ctrl-C ends", "dim"))
        await _follow(consumer, wanted, as_json=as_json)
    finally:
        await close_consumer(consumer)
    return ExitCode.FINE


async def _follow(consumer: AIOKafkaConsumer, wanted: TailFilter, *, as_json: bool) -> None:
    out = stdout_console()
    while True:
        batches: Mapping[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)
        for record in (record for batch in batches.values() for record in batch):
            event = orjson.loads(strip_frame(record.value))
            if wanted.matches(event):
                write_json(event) if as_json else _show(out, event)
        await asyncio.sleep(0)


def format_observed(observed_at: str, today: str) -> str:
    """Format an event's time to the millisecond, with its date where that isn't today's."""
    date, time = observed_at[:10], observed_at[11:23]
    return time if date == today else f"{date} {time}"


def _show(out: Console, event: Mapping[str, Any]) -> None:
    attempt = f"{event['provider']}:{event['account']}:{event['provider_message_id']}"
    line = Text(f"{format_observed(event['observed_at'], format_time(now_ms())[:10])}  ")
    line.append_text(style_text(f"{event['status']:<11}", event["outcome"]))
    line.append(f" {'final' if event['final'] else '':<5}  #{event['sequence']:<2} {event['source']:<8}  ")
    line.append(event["message_id"], "bold")
    line.append(f"  {attempt}")
    if event["reason"] != "none":
        line.append(f"  {event['reason']}", "dim")
    if event["corrects"]:
        line.append("  corrects what was final", "magenta")
    out.print(line)
