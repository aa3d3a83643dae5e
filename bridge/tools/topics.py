"""`sms-bridge topics`: what topics there are and what they should be; make it so."""

from typing import Literal

from rich.text import Text

from bridge.kafka.clients import Kafka
from bridge.kafka.offsets import adopt as adopt_journal
from bridge.kafka.topics import Found, inspect
from bridge.settings.model import Settings
from bridge.tools.output import Exit, console, styled, table, write_json


async def topics(settings: Settings, *, apply: bool, adopt: Literal["end", "start"] | None, as_json: bool) -> Exit:
    """Show the topics, make what is missing, give lost places in the journal back; each only when asked."""
    kafka = Kafka(settings.kafka)
    found = await inspect(kafka, settings, apply=apply)
    adopted: list[int] | None = None
    if adopt and found[0].partitions:
        adopted = await adopt_journal(kafka, settings, found[0].partitions, adopt)
    missing = [topic.plan.name for topic in found if not topic.partitions]
    if as_json:
        write_json({"topics": [_document(topic) for topic in found], "missing": missing, "adopted": adopted})
    else:
        _show(found, missing, adopted, adopt)
    return Exit.WRONG if missing else Exit.FINE


def _document(found: Found) -> dict[str, object]:
    wanted = {"partitions": found.plan.partitions, "config": dict(found.plan.config)}
    return {"name": found.plan.name, "partitions": found.partitions, "policy": found.policy or None, "wanted": wanted}


def _show(found: list[Found], missing: list[str], adopted: list[int] | None, where: str | None) -> None:
    out = console()
    out.print(table(("topic", "is", "wanted"), (_row(topic) for topic in found)))
    if adopted is not None:
        out.print(f"adopted at the {where}: partitions {adopted}" if adopted else "every partition has its offset")
    if missing:
        out.print(styled("topics are missing; create them with --apply", "wrong"))


def _row(found: Found) -> tuple[str, Text, str]:
    is_there = f"{found.partitions} partitions, {found.policy or 'settings not readable'}"
    state = styled(is_there, "ok") if found.partitions else styled("missing", "wrong")
    return found.plan.name, state, f"{found.plan.partitions} partitions, {found.plan.config['cleanup.policy']}"
