"""The document behind the status page: what a process does and what is wrong with it, from a snapshot. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bridge.admin.problems import Problem, count_outcomes, find_problems, measure_recent_growth
from bridge.admin.rates import make_curve, measure_rate
from bridge.admin.remedies import make_runbook_url
from bridge.admin.status_snapshot import AccountStatus, StatusSnapshot
from bridge.core.delivery import RANKS, Status
from bridge.observability.logs import Notice
from bridge.observability.readiness import STARTED, PartStatus
from bridge.state.ownership import PartitionSnapshot

FINAL = frozenset(status.value for status in Status if RANKS[status] == RANKS[Status.DELIVERED])


def make_report(seen: StatusSnapshot, runbooks: str = "") -> dict[str, Any]:
    """Make the document that the page shows.

    Args:
        seen: The snapshot.
        runbooks: The URL under which the runbooks are published.
    """
    letters = measure_recent_growth(seen, "dead_letters_written")
    counted = Counter({provider: sum(ages.values()) for provider, ages in seen.ages.items()})
    return {
        **seen.identity,
        "ready": all(part.ready for part in seen.parts),
        "concerns": [_report_problem(problem, runbooks) for problem in find_problems(seen)],
        "runbooks": runbooks,
        "parts": [_report_part(part) for part in seen.parts if part.name != STARTED],
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
        "dead_letters": {reason: count for (reason,), count in letters.items()},
        "notices": [notice._asdict() for notice in reversed(seen.notices)],
    }


def _report_part(part: PartStatus) -> dict[str, Any]:
    return {**part._asdict(), "why": None if part.ready else part.why}


def _report_problem(problem: Problem, runbooks: str) -> dict[str, Any]:
    url = make_runbook_url(runbooks, problem.remedy.runbook)
    text = problem.text[:1].upper() + problem.text[1:]
    return {"level": problem.level, "text": text, **problem.remedy._asdict(), "runbook_url": url}


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
    for (name, status), count in measure_recent_growth(seen, "deliveries_published").items():
        if name == provider and status in FINAL:
            ended[status] += count
    receives, polls = "receive" in seen.roles, "poll" in seen.roles
    return {
        "provider": provider,
        "callbacks_per_minute": measure_rate(seen.samples, "callbacks_received", is_its) if receives else None,
        "callbacks": count_outcomes(seen, "callbacks_received", provider),
        "polls_per_minute": measure_rate(seen.samples, "polls_completed", is_its) if polls else None,
        "polls": count_outcomes(seen, "polls_completed", provider),
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
