"""`sms-bridge topics`: lists topics and their expected settings; creates what is missing, adopts lost offsets."""

from collections.abc import Mapping
from typing import Literal

from rich.text import Text

from bridge.clock import now_ms
from bridge.journal.offsets import adopt_offsets
from bridge.kafka.clients import KafkaClients
from bridge.kafka.topics import TopicStatus, inspect_topics
from bridge.settings.model import Settings
from bridge.text import format_count
from bridge.tools.output import ExitCode, make_table, stdout_console, style_text, write_json
from bridge.tools.rebuild_state import rebuild_state


async def show_topics(
    settings: Settings, *, apply: bool, adopt: Literal["end", "start"] | None, rebuild: bool, as_json: bool
) -> ExitCode:
    """List the topics; when asked, create what is missing, adopt lost offsets and rebuild lost states."""
    kafka = KafkaClients(settings.kafka)
    found = await inspect_topics(kafka, settings.topics, apply=apply or rebuild)
    group, adopted = settings.kafka.tracker_group, None
    if adopt and found[0].partitions:
        forgotten_until = now_ms() - settings.follow.remember_for
        adopted = await adopt_offsets(
            kafka, group, settings.topics, found[0].partitions, adopt, refused_until=forgotten_until
        )
    rebuilt = await rebuild_state(kafka, settings) if rebuild else None
    missing = [topic.plan.name for topic in found if not topic.partitions]
    if as_json:
        write_json(
            {
                "topics": [_document(topic) for topic in found],
                "missing": missing,
                "adopted": adopted,
                "rebuilt": rebuilt and [{"partition": at, "followed": count} for at, count in rebuilt.items()],
            }
        )
    else:
        _show(found, missing, adopted, adopt)
        _show_rebuilt(rebuilt)
    return ExitCode.WRONG if missing else ExitCode.FINE


def _document(found: TopicStatus) -> dict[str, object]:
    wanted = {"partitions": found.plan.partitions, "config": dict(found.plan.config)}
    return {"name": found.plan.name, "partitions": found.partitions, "policy": found.policy or None, "wanted": wanted}


def _show(found: list[TopicStatus], missing: list[str], adopted: list[int] | None, where: str | None) -> None:
    out = stdout_console()
    out.print(make_table(("topic", "is", "wanted"), (_row(topic) for topic in found)))
    if adopted is not None:
        out.print(f"adopted at the {where}: partitions {adopted}" if adopted else "every partition has its offset")
    if missing:
        out.print(style_text("topics are missing; create them with --apply", "wrong"))


def _show_rebuilt(rebuilt: Mapping[int, int] | None) -> None:
    out = stdout_console()
    if rebuilt == {}:
        out.print("no partition has lost states")
    for partition, followed in (rebuilt or {}).items():
        out.print(f"rebuilt partition {partition}: {format_count(followed, 'open attempt')}")


def _row(found: TopicStatus) -> tuple[str, Text, str]:
    actual = f"{found.partitions} partitions, {found.policy or 'configs not readable'}"
    state = style_text(actual, "ok") if found.partitions else style_text("missing", "wrong")
    return found.plan.name, state, f"{found.plan.partitions} partitions, {found.plan.config['cleanup.policy']}"
