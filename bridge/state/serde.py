"""Attempts' states as bytes and back, for the state topic and the cache. Only the tracker reads them: JSON arrays."""

from typing import Any

import orjson

from bridge.core.attempt import Followed, Parked, ParkedReport
from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report

STATE_VERSION = 1

_STATUS = {str(status): status for status in Status}
_REASON = {str(reason): reason for reason in Reason}
_SOURCE = {str(source): source for source in Source}


def encode_state(state: Parked | Followed) -> bytes:
    """A state as the state topic and the cache hold it: version, kind, members in the order of their type."""
    if isinstance(state, Followed):
        return orjson.dumps((STATE_VERSION, "F", *state))
    reports = [(parked.offset, *_flat(parked.report)) for parked in state.reports]
    return orjson.dumps((STATE_VERSION, "P", state.until, reports))


def decode_state(value: bytes) -> Parked | Followed:
    """A state from the state topic or the cache.

    Raises:
        ValueError: It was written by a version that this one doesn't know.
    """
    version, kind, *members = orjson.loads(value)
    if version != STATE_VERSION:
        raise ValueError(f"state of version {version!r}: run the release that wrote it, or a later one")
    if kind == "F":
        members[8] = None if members[8] is None else _STATUS[members[8]]
        return Followed(*members)
    return Parked(members[0], tuple(_parked(*report) for report in members[1]))


def _flat(report: Report) -> tuple[Any, ...]:
    verdict = tuple(report.verdict) if report.verdict else None
    return (*report[:3], verdict, *report[4:-1])


def _parked(offset: int, *members: Any) -> ParkedReport:
    status, reason, permanent = members[3]
    verdict = Verdict(_STATUS[status], _REASON[reason], permanent)
    words = (*members[:3], verdict, *members[4:8], _SOURCE[members[8]], members[9], "")
    return ParkedReport(offset, Report._make(words))
