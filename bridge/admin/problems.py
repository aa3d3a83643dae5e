"""What is wrong with a process, from a snapshot: each in a sentence, with its remedy. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bridge.admin import remedies
from bridge.admin.rates import measure_growth
from bridge.admin.remedies import Remedy
from bridge.admin.status_snapshot import StatusSnapshot
from bridge.poller.snapshot import AccountPollSnapshot
from bridge.state.ownership import PartitionSnapshot
from bridge.text import format_count

RECENT_SECONDS = 600.0
"""Over which delivery rates and dead letters are counted."""

MAX_LAG_SECONDS = 60.0
"""That a partition may be behind before it is a problem."""

MAX_LOOP_DELAY = 1.0
"""Seconds by which the event loop may be late."""

MAX_LISTED = 8
"""Partitions that a sentence names."""


class Problem(NamedTuple):
    """Something that a person should know."""

    level: str
    """`wrong` or `warning`."""
    text: str
    remedy: Remedy


_READY: Mapping[bool, tuple[str, Remedy]] = {
    True: ("is not ready", remedies.NOT_READY),
    False: ("gets no answer of Kafka", remedies.KAFKA_LOST),
}
"""What a part that isn't ready lacks, and its remedy, by whether Kafka answers it."""


def count_outcomes(seen: StatusSnapshot, name: str, provider: str) -> dict[str, int]:
    """Count a provider's callbacks or polls of the last ten minutes, by outcome."""
    growth = measure_recent_growth(seen, name)
    return {outcome: count for (of, outcome), count in growth.items() if of == provider}


def measure_recent_growth(seen: StatusSnapshot, name: str) -> dict[tuple[str, ...], int]:
    """Measure what was added to counts in the last ten minutes, by their keys."""
    growth, _ = measure_growth(seen.samples, name, RECENT_SECONDS)
    return {key: count for key, count in growth.items() if count}


def find_problems(seen: StatusSnapshot) -> list[Problem]:
    """What is wrong, the worst first, each in a sentence."""
    found = [*_of_parts(seen), *_of_polling(seen.polling), *_of_callbacks(seen), *_of_partitions(seen), *_of_rest(seen)]
    return sorted(found, key=lambda problem: problem.level != "wrong")


def _of_parts(seen: StatusSnapshot) -> Iterable[Problem]:
    for part in seen.parts:
        if not part.ready:
            lacks, remedy = _READY[part.connected]
            text = f"{part.name} {lacks}, for {_format_seconds(part.since_seconds)}: {part.why}"
            yield Problem("wrong", text, remedy)


def _of_polling(polling: Sequence[AccountPollSnapshot]) -> Iterable[Problem]:
    for one in polling:
        if one.credentials_refused:
            text = f"{one.provider} refuses the credentials of the account {one.account}: polls learn nothing"
            yield Problem("wrong", text, remedies.CREDENTIALS_REFUSED)
        elif one.paused_seconds:
            why = f"{format_count(one.failures, 'failure')} in a row" if one.failures else "the provider asked for it"
            until = f"next try in {_format_seconds(one.paused_seconds)}"
            text = f"Polling of {one.provider} (account {one.account}) is paused: {why}, {until}"
            yield Problem("wrong", text, remedies.POLLING_PAUSED)


def _of_callbacks(seen: StatusSnapshot) -> Iterable[Problem]:
    for provider in dict.fromkeys(account.provider for account in seen.accounts):
        refused = count_outcomes(seen, "callbacks_received", provider).get("unavailable", 0)
        if refused:
            callbacks = format_count(refused, "callback")
            text = f"{callbacks} of {provider} answered 503 in the last ten minutes: Kafka didn't accept them"
            yield Problem("wrong", text, remedies.CALLBACKS_UNAVAILABLE)


def _of_partitions(seen: StatusSnapshot) -> Iterable[Problem]:
    restoring = [partition for partition in seen.partitions if not partition.restored]
    if restoring:
        remaining = sum(partition.restore_remaining for partition in restoring)
        left = f", {remaining:,} states to go" if remaining else ""
        text = f"{_name_partitions(restoring)} being restored{left}; until then, no events come from there"
        yield Problem("warning", text, remedies.RESTORING)
    behind = [
        partition for partition in seen.partitions if partition.restored and partition.lag_seconds > MAX_LAG_SECONDS
    ]
    if behind:
        worst = _format_seconds(max(partition.lag_seconds for partition in behind))
        text = f"{_name_partitions(behind)} behind by up to {worst}; events come late from there"
        yield Problem("warning", text, remedies.BEHIND)
    if "track" in seen.roles and not seen.partitions and all(part.ready for part in seen.parts):
        text = "this process owns no partition: others have them all, so it tracks nothing"
        yield Problem("warning", text, remedies.NO_PARTITION)


def _of_rest(seen: StatusSnapshot) -> Iterable[Problem]:
    letters = measure_recent_growth(seen, "dead_letters_written")
    if letters:
        reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for (reason,), count in sorted(letters.items()))
        yield Problem("warning", f"dead letters in the last ten minutes: {reasons}", remedies.DEAD_LETTERS)
    if seen.loop_delay > MAX_LOOP_DELAY:
        text = f"this process is short of CPU: its timers are {seen.loop_delay:.1f} s late"
        yield Problem("warning", text, remedies.SHORT_OF_CPU)


def _name_partitions(partitions: Sequence[PartitionSnapshot]) -> str:
    """Name partitions with the verb: `partition 3 is`, `partitions 3, 4 are`."""
    if len(partitions) == 1:
        return f"partition {partitions[0].number} is"
    shown = ", ".join(str(partition.number) for partition in partitions[:MAX_LISTED])
    more = f" and {len(partitions) - MAX_LISTED} more" if len(partitions) > MAX_LISTED else ""
    return f"partitions {shown}{more} are"


def _format_seconds(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - below, seconds say more
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
