"""The document behind the status page: what a process does and what is wrong with it, from a snapshot. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bridge.admin.rates import make_curve, measure_growth, measure_rate
from bridge.admin.status_snapshot import AccountStatus, StatusSnapshot
from bridge.core.delivery import RANKS, Status
from bridge.observability.logs import Notice
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

FINAL = frozenset(status.value for status in Status if RANKS[status] == RANKS[Status.DELIVERED])


class Problem(NamedTuple):
    """Something that a person should know."""

    level: str
    """`wrong` or `warning`."""
    text: str


def make_report(seen: StatusSnapshot) -> dict[str, Any]:
    """Make the document that the page shows."""
    counted = Counter({provider: sum(ages.values()) for provider, ages in seen.ages.items()})
    return {
        **seen.identity,
        "ready": all(part.ready for part in seen.parts),
        "concerns": [problem._asdict() for problem in find_problems(seen)],
        "parts": [{**part._asdict(), "why": None if part.ready else part.why} for part in seen.parts],
        "partitions": {
            "in_all": seen.partitions_in_all,
            "restore_entries_remaining": sum(partition.restore_remaining for partition in seen.partitions),
            "own": [_report_partition(partition) for partition in seen.partitions],
        },
        "published_per_minute": measure_rate(seen.samples, "deliveries_published", lambda _: True),
        "sent_per_minute": measure_rate(seen.samples, "sent_accepted", lambda _: True),
        "published_course": make_curve(seen.samples, "deliveries_published", lambda _: True),
        "providers": [_report_provider(seen, name) for name in dict.fromkeys(one.provider for one in seen.accounts)],
        "pending": {
            "followed": sum(partition.followed for partition in seen.partitions),
            "looked_at": counted.total(),
            "parked": sum(partition.parked for partition in seen.partitions),
            "ages": seen.ages,
        },
        "dead_letters": {reason: count for (reason,), count in _recent_growth(seen, "dead_letters_written").items()},
        "notices": [notice._asdict() for notice in reversed(seen.notices)],
    }


def _report_partition(partition: PartitionSnapshot) -> dict[str, Any]:
    return {
        "number": partition.number,
        "state": _describe_state(partition),
        "lag_entries": None if partition.silent else partition.lag_entries,
        "lag_seconds": None if partition.silent else round(partition.lag_seconds, 1),
        "followed": partition.followed,
        "parked": partition.parked,
    }


def _describe_state(partition: PartitionSnapshot) -> str:
    if partition.silent:
        return "no answer"
    if not partition.restored:
        return "restoring"
    return "level" if partition.caught_up else "catching up"


def _report_provider(seen: StatusSnapshot, provider: str) -> dict[str, Any]:
    def is_its(key: tuple[str, ...]) -> bool:
        return key[0] == provider

    ended = Counter[str]()
    for (name, status), count in _recent_growth(seen, "deliveries_published").items():
        if name == provider and status in FINAL:
            ended[status] += count
    receives, polls = "receive" in seen.roles, "poll" in seen.roles
    return {
        "provider": provider,
        "callbacks_per_minute": measure_rate(seen.samples, "callbacks_received", is_its) if receives else None,
        "callbacks": _outcomes(seen, "callbacks_received", provider),
        "polls_per_minute": measure_rate(seen.samples, "polls_completed", is_its) if polls else None,
        "polls": _outcomes(seen, "polls_completed", provider),
        "polls_due": sum(one.due for one in seen.polling if one.provider == provider),
        "ended": dict(ended),
        "delivery_rate": round(ended[Status.DELIVERED] / ended.total(), 4) if ended else None,
        "course": make_curve(seen.samples, "deliveries_published", is_its),
        "accounts": [_report_account(seen, one) for one in seen.accounts if one.provider == provider],
    }


def _report_account(seen: StatusSnapshot, account: AccountStatus) -> dict[str, Any]:
    polling = next((one for one in seen.polling if (one.provider, one.account) == account[:2]), None)
    last = _last_error(seen.notices, account)
    return {
        "account": account.name,
        "called": account.called,
        "polled": account.polled and "poll" in seen.roles,
        "circuit": "open" if polling and polling.paused_seconds else "closed",
        "credentials": "refused" if polling and polling.credentials_refused else "accepted",
        "last_error": last._asdict() if last else None,
    }


def _last_error(notices: Sequence[Notice], account: AccountStatus) -> Notice | None:
    about = {"provider": account.provider, "account": account.name}.items()
    return next((notice for notice in reversed(notices) if about <= notice.members.items()), None)


def _outcomes(seen: StatusSnapshot, name: str, provider: str) -> dict[str, int]:
    growth = _recent_growth(seen, name)
    return {outcome: count for (of, outcome), count in growth.items() if of == provider}


def _recent_growth(seen: StatusSnapshot, name: str) -> dict[tuple[str, ...], int]:
    growth, _ = measure_growth(seen.samples, name, RECENT_SECONDS)
    return {key: count for key, count in growth.items() if count}


def find_problems(seen: StatusSnapshot) -> list[Problem]:
    """What is wrong, the worst first, each in a sentence."""
    found = [*_of_parts(seen), *_of_polling(seen.polling), *_of_callbacks(seen), *_of_partitions(seen), *_of_rest(seen)]
    return sorted(found, key=lambda problem: problem.level != "wrong")


def _of_parts(seen: StatusSnapshot) -> Iterable[Problem]:
    for part in seen.parts:
        if not part.ready:
            yield Problem("wrong", f"{part.name} is not ready, for {_format_seconds(part.since_seconds)}: {part.why}")


def _of_polling(polling: Sequence[AccountPollSnapshot]) -> Iterable[Problem]:
    for one in polling:
        if one.credentials_refused:
            text = f"{one.provider} refuses the credentials of the account {one.account}: polls learn nothing"
            yield Problem("wrong", text)
        elif one.paused_seconds:
            why = f"{format_count(one.failures, 'failure')} in a row" if one.failures else "the provider asked for it"
            until = f"next try in {_format_seconds(one.paused_seconds)}"
            yield Problem("wrong", f"Polling of {one.provider} (account {one.account}) is paused: {why}, {until}")


def _of_callbacks(seen: StatusSnapshot) -> Iterable[Problem]:
    for provider in dict.fromkeys(account.provider for account in seen.accounts):
        refused = _outcomes(seen, "callbacks_received", provider).get("unavailable", 0)
        if refused:
            callbacks = format_count(refused, "callback")
            text = f"{callbacks} of {provider} answered 503 in the last ten minutes: Kafka didn't accept them"
            yield Problem("wrong", text)


def _of_partitions(seen: StatusSnapshot) -> Iterable[Problem]:
    restoring = [partition for partition in seen.partitions if not partition.restored]
    if restoring:
        remaining = sum(partition.restore_remaining for partition in restoring)
        left = f", {remaining:,} states to go" if remaining else ""
        yield Problem("warning", f"partitions {_list_numbers(restoring)} are being restored{left}; their events wait")
    behind = [
        partition for partition in seen.partitions if partition.restored and partition.lag_seconds > MAX_LAG_SECONDS
    ]
    if behind:
        worst = _format_seconds(max(partition.lag_seconds for partition in behind))
        yield Problem(
            "warning", f"partitions {_list_numbers(behind)} are behind by up to {worst}; their events come late"
        )
    if "track" in seen.roles and not seen.partitions and all(part.ready for part in seen.parts):
        yield Problem("warning", "this process owns no partition: others have them all, so it tracks nothing")


def _of_rest(seen: StatusSnapshot) -> Iterable[Problem]:
    letters = _recent_growth(seen, "dead_letters_written")
    if letters:
        reasons = ", ".join(f"{count:,} {reason}" for (reason,), count in sorted(letters.items()))
        yield Problem("warning", f"dead letters in the last ten minutes: {reasons}")
    if seen.loop_delay > MAX_LOOP_DELAY:
        yield Problem("warning", f"this process is short of CPU: its timers are {seen.loop_delay:.1f} s late")


def _list_numbers(partitions: Sequence[PartitionSnapshot]) -> str:
    shown = ", ".join(str(partition.number) for partition in partitions[:MAX_LISTED])
    return shown if len(partitions) <= MAX_LISTED else f"{shown} and {len(partitions) - MAX_LISTED} more"


def _format_seconds(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - below, seconds say more
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
