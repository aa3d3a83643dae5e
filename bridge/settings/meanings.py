"""The types of settings that say what a provider's statuses and error codes mean."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from bridge.core.delivery import CodeMeaning, Reason, Status, Verdict
from bridge.settings.types import ValueForm, parse_table

_DEFAULT_REASONS: Mapping[Status, Reason] = {
    Status.UNDELIVERED: Reason.UNSPECIFIED,
    Status.EXPIRED: Reason.VALIDITY_EXPIRED,
    Status.REJECTED: Reason.UNSPECIFIED,
    Status.FAILED: Reason.UNSPECIFIED,
    Status.UNKNOWN: Reason.UNSPECIFIED,
}


def _parse_verdict(status_name: str, meaning: Any) -> Verdict:
    """Parse the meaning of a provider's status: a `Status`, or an object with status, reason and permanent."""
    row = {"status": meaning} if isinstance(meaning, str) else meaning
    try:
        status = Status(row["status"])
        reason = Reason(row.get("reason", _DEFAULT_REASONS.get(status, Reason.NONE)))
        permanent = row.get("permanent")
        valid = row.keys() <= {"status", "reason", "permanent"}
    except (KeyError, TypeError, ValueError, AttributeError):
        valid = False
    if not valid or not (permanent is None or isinstance(permanent, bool)):
        raise ValueError(
            f"{status_name!r} should map to one of {', '.join(Status)}, or to an object of status, reason and permanent"
        )
    return Verdict(status, reason, permanent)


def _parse_statuses(value: object) -> Any:
    return {
        name: meaning if isinstance(meaning, Verdict) else _parse_verdict(name, meaning)
        for name, meaning in parse_table(value).items()
    }


def _parse_code(code: str, meaning: Any) -> CodeMeaning:
    """Parse the meaning of an error code: an object with reason, permanent and status."""
    try:
        status = Status(meaning["status"]) if "status" in meaning else None
        reason, permanent = Reason(meaning.get("reason", Reason.UNSPECIFIED)), meaning.get("permanent")
        valid = meaning.keys() <= {"status", "reason", "permanent"}
    except (TypeError, ValueError, AttributeError):
        valid = False
    if not valid or not (permanent is None or isinstance(permanent, bool)):
        raise ValueError(f"{code!r} should map to an object of reason, permanent and status")
    return CodeMeaning(status, reason, permanent)


def _parse_codes(value: object) -> Any:
    return {
        code: meaning if isinstance(meaning, CodeMeaning) else _parse_code(code, meaning)
        for code, meaning in parse_table(value).items()
    }


Codes = Annotated[dict[str, Any], BeforeValidator(_parse_codes), ValueForm("table")]
Statuses = Annotated[dict[str, Any], BeforeValidator(_parse_statuses), ValueForm("table")]
