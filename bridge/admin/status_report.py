"""The document behind the page: what a process is doing and what is wrong with it, from numbers. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.admin.rates import Sample, Values, make_course, measure_growth, per_minute
from bridge.core.delivery import RANKS, Status
from bridge.observability.logs import Notice
from bridge.text import format_count

LATELY = 600.0
"""Seconds over which delivery rates and dead letters are counted."""

LATE = 60.0
"""Seconds that a partition may be behind before it is worth a word."""

SLOW_LOOP = 1.0
"""Seconds by which the event loop may be late."""

FINAL = frozenset(status.value for status in Status if RANKS[status] == RANKS[Status.DELIVERED])


class PartStatus(NamedTuple):
    """Something that readiness depends on."""

    name: str
    ready: bool
    since_seconds: float
    """For how long it has been so."""
    why: str
    """What it means when it isn't ready."""


class PartitionStatus(NamedTuple):
    """A journal partition that this process owns."""

    number: int
    state: str
    """`restoring`, `catching up` or `level`."""
    lag_entries: int
    lag_seconds: float
    followed: int
    parked: int


class AccountStatus(NamedTuple):
    """An account as it is set up."""

    provider: str
    name: str
    polled: bool
    called: bool
    """Whether callbacks are taken for it."""


class StatusSnapshot(NamedTuple):
    """All that a document is made of."""

    identity: Mapping[str, Any]
    """Version, roles, start and the like, as they are shown."""
    tracks: bool
    polls: bool
    receives: bool
    parts: Sequence[PartStatus]
    partitions: Sequence[PartitionStatus]
    partitions_in_all: int
    restore_remaining: int
    accounts: Sequence[AccountStatus]
    samples: Sequence[Sample]
    circuits: Values
    credentials: Values
    polls_due: Values
    ages: Mapping[str, Mapping[str, int]]
    loop_delay: float
    notices: Sequence[Notice]


class Problem(NamedTuple):
    """Something that a person should know."""

    level: str
    """`wrong` or `warning`."""
    text: str


def make_report(seen: StatusSnapshot) -> dict[str, Any]:
    """What the page shows."""
    followed = Counter({provider: sum(ages.values()) for provider, ages in seen.ages.items()})
    return {
        **seen.identity,
        "ready": all(part.ready for part in seen.parts),
        "concerns": [concern._asdict() for concern in find_problems(seen)],
        "parts": [{**part._asdict(), "why": None if part.ready else part.why} for part in seen.parts],
        "partitions": {
            "in_all": seen.partitions_in_all,
            "restore_entries_remaining": seen.restore_remaining,
            "own": [partition._asdict() for partition in seen.partitions],
        },
        "published_per_minute": per_minute(seen.samples, "deliveries_published", lambda _: True),
        "sent_per_minute": per_minute(seen.samples, "sent_accepted", lambda _: True),
        "published_course": make_course(seen.samples, "deliveries_published", lambda _: True),
        "providers": [_provider(seen, name) for name in dict.fromkeys(one.provider for one in seen.accounts)],
        "pending": {
            "followed": sum(partition.followed for partition in seen.partitions),
            "looked_at": followed.total(),
            "parked": sum(partition.parked for partition in seen.partitions),
            "ages": seen.ages,
        },
        "dead_letters": {reason: count for (reason,), count in _lately(seen, "dead_letters_written").items()},
        "notices": [notice._asdict() for notice in reversed(seen.notices)],
    }


def _provider(seen: StatusSnapshot, provider: str) -> dict[str, Any]:
    def ours(key: tuple[str, ...]) -> bool:
        return key[0] == provider

    ends = Counter[str]()
    for (name, status, _source), count in _lately(seen, "deliveries_published").items():
        if name == provider and status in FINAL:
            ends[status] += count
    return {
        "provider": provider,
        "callbacks_per_minute": per_minute(seen.samples, "callbacks_received", ours) if seen.receives else None,
        "callbacks": _outcomes(seen, "callbacks_received", provider),
        "polls_per_minute": per_minute(seen.samples, "polls_completed", ours) if seen.polls else None,
        "polls": _outcomes(seen, "polls_completed", provider),
        "polls_due": int(seen.polls_due.get((provider,), 0)),
        "ended": dict(ends),
        "delivery_rate": round(ends[Status.DELIVERED] / ends.total(), 4) if ends else None,
        "course": make_course(seen.samples, "deliveries_published", ours),
        "accounts": [_account(seen, one) for one in seen.accounts if one.provider == provider],
    }


def _account(seen: StatusSnapshot, account: AccountStatus) -> dict[str, Any]:
    last = _last_error(seen.notices, account)
    key = (account.provider, account.name)
    return {
        "account": account.name,
        "called": account.called,
        "polled": account.polled and seen.polls,
        "circuit": "open" if seen.circuits.get(key) else "closed",
        "credentials": "refused" if seen.credentials.get(key) else "accepted",
        "last_error": last._asdict() if last else None,
    }


def _last_error(notices: Sequence[Notice], account: AccountStatus) -> Notice | None:
    about = {"provider": account.provider, "account": account.name}.items()
    return next((notice for notice in reversed(notices) if about <= notice.members.items()), None)


def _outcomes(seen: StatusSnapshot, name: str, provider: str) -> dict[str, int]:
    found = _lately(seen, name)
    return {outcome: count for (of, outcome), count in found.items() if of == provider}


def _lately(seen: StatusSnapshot, name: str) -> dict[tuple[str, ...], int]:
    found, _ = measure_growth(seen.samples, name, LATELY)
    return {key: round(count) for key, count in found.items() if count}


def find_problems(seen: StatusSnapshot) -> list[Problem]:
    """What is wrong, the worst first, each in a sentence."""
    found = [*_of_parts(seen), *_of_providers(seen), *_of_partitions(seen), *_of_the_rest(seen)]
    return sorted(found, key=lambda concern: concern.level != "wrong")


def _of_parts(seen: StatusSnapshot) -> Iterable[Problem]:
    for part in seen.parts:
        if not part.ready:
            yield Problem("wrong", f"{part.name} is not ready, for {_lasting(part.since_seconds)}: {part.why}")


def _of_providers(seen: StatusSnapshot) -> Iterable[Problem]:
    for provider, account in seen.credentials:
        if seen.credentials[provider, account]:
            yield Problem("wrong", f"{provider} refuses the credentials of the account {account}: polls learn nothing")
    for provider, account in seen.circuits:
        if seen.circuits[provider, account] and not seen.credentials.get((provider, account)):
            yield Problem(
                "wrong", f"{provider} isn't asked about the account {account} for now: too many polls failed in a row"
            )
    for provider in dict.fromkeys(account.provider for account in seen.accounts):
        turned_away = _outcomes(seen, "callbacks_received", provider).get("unavailable", 0)
        if turned_away:
            yield Problem(
                "wrong",
                f"{format_count(turned_away, 'callback')} of {provider} got a 503 lately: Kafka didn't take them",
            )


def _of_partitions(seen: StatusSnapshot) -> Iterable[Problem]:
    restoring = [partition.number for partition in seen.partitions if partition.state == "restoring"]
    if restoring:
        left = f", {seen.restore_remaining:,} states to go" if seen.restore_remaining else ""
        yield Problem("warning", f"partitions {_listed(restoring)} are being restored{left}; their events wait")
    behind = [partition for partition in seen.partitions if partition.lag_seconds > LATE]
    if behind:
        worst = max(partition.lag_seconds for partition in behind)
        numbers = _listed([partition.number for partition in behind])
        yield Problem("warning", f"partitions {numbers} are behind by up to {_lasting(worst)}; their events come late")
    if seen.tracks and not seen.partitions and all(part.ready for part in seen.parts):
        yield Problem("warning", "this process owns no partition: others have them all, so it tracks nothing")


def _of_the_rest(seen: StatusSnapshot) -> Iterable[Problem]:
    letters = _lately(seen, "dead_letters_written")
    if letters:
        reasons = ", ".join(f"{count:,} {reason}" for (reason,), count in sorted(letters.items()))
        yield Problem("warning", f"dead letters in the last ten minutes: {reasons}")
    if seen.loop_delay > SLOW_LOOP:
        yield Problem("warning", f"this process is short of CPU: its timers are {seen.loop_delay:.1f} s late")


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"  # noqa: PLR2004 - what a line holds


def _lasting(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - below, seconds say more
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
