"""Builds reports from the fields of a callback or an answer, in the same way for every provider.

Each dialect provides tables of the names of fields and the meanings of statuses.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from unicodedata import normalize

from msgspec import UNSET, Struct

from bridge.core.delivery import Source, Verdict
from bridge.core.entries import Report
from bridge.core.errors import RequestRejectedError
from bridge.providers.member_paths import MemberPath, make_paths
from bridge.providers.parsing import (
    Members,
    find_details,
    find_first,
    parse_id,
    parse_optional,
    parse_part,
    parse_status,
)
from bridge.providers.provider_times import ProviderTimes
from bridge.providers.report_rules import ReportRules


class FieldNames(NamedTuple):
    """The names that a message's id, status, error and time may have; the first that isn't empty counts."""

    id: tuple[str, ...]
    status: tuple[str, ...]
    error: tuple[str, ...]
    time: tuple[str, ...]


def list_known_paths(names: FieldNames) -> frozenset[MemberPath]:
    """List where ids are. Any other member may have a phone number in it, whatever it is called."""
    return make_paths(names.id)


class ReportedFields(Struct, frozen=True):
    """The fields of a report as the provider wrote them; None for a missing one."""

    status: Any
    error: Any
    time: Any
    details: Mapping[str, str]
    part: Any = None
    parts: Any = None


def find_fields(members: Members, names: FieldNames, details: Mapping[str, Iterable[str]]) -> ReportedFields:
    """Find the fields of a report.

    Args:
        members: The members of a callback or an answer.
        names: The names of the fields.
        details: The published name of each detail, with the provider's names for it.
    """
    return ReportedFields(
        find_first(members, names.status),
        find_first(members, names.error),
        find_first(members, names.time),
        find_details(members, details),
    )


class ReportBuilder:
    """Builds the reports of an account.

    Args:
        provider: Its provider.
        account: Its name in settings.
        statuses: The meanings of the provider's statuses; the rules' table overrides it.
        normalize: Normalizes a status before it is looked up.
        rules: What settings say about the account's reports.
    """

    def __init__(
        self,
        provider: str,
        account: str,
        *,
        statuses: Mapping[str, Verdict] = {},
        normalize: Callable[[str], str],
        rules: ReportRules,
    ) -> None:
        self._provider, self._account = provider, account
        self._normalize = normalize
        self._verdicts = {
            normalize(status): verdict for table in (statuses, rules.statuses) for status, verdict in table.items()
        }
        self._codes, self._unify_id = rules.codes, rules.id_forms.unify_reported
        self.times = ProviderTimes(rules.timezone, rules.time_formats)

    def build(
        self, provider_message_id: str, fields: ReportedFields, *, raw: str, source: Source, observed_at: int
    ) -> Report:
        """Build a report.

        Raises:
            PoisonMessageError: The status is missing or can't be parsed.
        """
        status = parse_status(fields.status)
        verdict, code = self._verdicts.get(self._normalize(status)), parse_optional(fields.error)
        if verdict and code is not None and code in self._codes:
            verdict = self._codes[code].refine(verdict)
        # By position, because keyword arguments take twice as long, and this runs for every report.
        return Report(
            self._provider,
            self._account,
            self._unify_id(provider_message_id),
            verdict.status if verdict else None,
            verdict.reason if verdict else None,
            verdict.permanent if verdict else None,
            status,
            code,
            dict(fields.details),
            self.times.parse(fields.time, observed_at),
            source,
            observed_at,
            raw,
            UNSET if fields.part is None else parse_part(fields.part, fields.parts),
        )

    def build_from_members(
        self,
        members: Members,
        names: FieldNames,
        details: Mapping[str, Iterable[str]],
        *,
        raw: str,
        source: Source,
        observed_at: int,
    ) -> Report:
        """Build a report from members that also say which message it is about.

        Raises:
            PoisonMessageError: The id or the status is missing or can't be parsed.
        """
        message_id = parse_id(find_first(members, names.id))
        fields = find_fields(members, names, details)
        return self.build(message_id, fields, raw=raw, source=source, observed_at=observed_at)

    def build_from_answer(
        self,
        provider_message_id: str,
        members: Members,
        names: FieldNames,
        details: Mapping[str, Iterable[str]],
        *,
        raw: str,
        observed_at: int,
    ) -> Report | None:
        """Build a report from the answer to a poll; None if the message has no status yet.

        Raises:
            RequestRejectedError: The answer is about another message.
            PoisonMessageError: The status is missing or can't be parsed.
        """
        answered_id = find_first(members, names.id)
        if answered_id is not None and not self.is_same_id(parse_id(answered_id), provider_message_id):
            raise RequestRejectedError("the answer is about another message")
        if find_first(members, names.status) is None and not members.keys().isdisjoint(names.status):
            return None
        fields = find_fields(members, names, details)
        return self.build(provider_message_id, fields, raw=raw, source=Source.POLL, observed_at=observed_at)

    def is_same_id(self, answered_id: str, polled_id: str) -> bool:
        """Whether an answer is about the polled message."""
        return answered_id == polled_id or self._unify_id(answered_id) == self._unify_id(polled_id)


def normalize_status(status: str) -> str:
    """Remove case and surrounding blanks, as most providers' statuses are compared. Letters are composed (NFC)."""
    text = status.strip().casefold()
    return text if text.isascii() else normalize("NFC", text)
