"""What was found about a message becomes a report: the same for every provider.

Under which names things stand and what words mean, each dialect brings along as tables.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from bridge.core.delivery import Source, Verdict
from bridge.core.entries import Report
from bridge.core.errors import PollFailedError
from bridge.providers.parsing import (
    Members,
    find_details,
    find_first,
    parse_id,
    parse_optional,
    parse_status,
    parse_time,
)

RECIPIENT_MEMBERS = frozenset(
    {"to", "recipient", "phone", "phone_number", "phonenumber", "number", "msisdn", "mobile", "destination"}
)
"""Members that are known to hold a phone number, lower-case."""


class FieldNames(NamedTuple):
    """Under which names a message's id, status, error and time stand; of each the first that isn't empty counts."""

    id: tuple[str, ...]
    status: tuple[str, ...]
    error: tuple[str, ...]
    time: tuple[str, ...]


class ReportedFields(NamedTuple):
    """What was said about a message, as it was written; None where nothing was."""

    status: Any
    error: Any
    time: Any
    details: Mapping[str, str]


def find_fields(members: Members, names: FieldNames, details: Mapping[str, Iterable[str]]) -> ReportedFields:
    """What members say about a message; `details` has our name of each extra and the provider's names for it."""
    return ReportedFields(
        find_first(members, names.status),
        find_first(members, names.error),
        find_first(members, names.time),
        find_details(members, details),
    )


class ReportBuilder:
    """Makes one account's reports.

    Args:
        provider: Its provider.
        account: Its name in settings.
        tables: What the provider's words mean; a later table overrules an earlier one.
        normalised: A word as it is compared.
        timezone: Where the provider's clock hangs, for times that don't say.
    """

    def __init__(
        self,
        provider: str,
        account: str,
        *,
        tables: Iterable[Mapping[str, Verdict]],
        normalised: Callable[[str], str],
        timezone: tzinfo,
    ) -> None:
        self._provider, self._account, self._timezone = provider, account, timezone
        self._normalised = normalised
        self._verdicts = {normalised(word): verdict for table in tables for word, verdict in table.items()}

    def report(
        self, provider_message_id: str, found: ReportedFields, *, raw: str, source: Source, observed_at: int
    ) -> Report:
        """What was found, as a report.

        Raises:
            PoisonMessageError: It has no readable status.
        """
        word = parse_status(found.status)
        verdict = self._verdicts.get(self._normalised(word))
        return Report(
            provider=self._provider,
            account=self._account,
            provider_message_id=provider_message_id,
            status=verdict and verdict.status,
            reason=verdict and verdict.reason,
            permanent=verdict and verdict.permanent,
            provider_status=word,
            provider_code=parse_optional(found.error),
            provider_details=dict(found.details),
            provider_time=parse_time(found.time, self._timezone),
            source=source,
            observed_at=observed_at,
            raw=raw,
        )

    def answer(
        self,
        provider_message_id: str,
        members: Members,
        names: FieldNames,
        details: Mapping[str, Iterable[str]],
        *,
        raw: str,
        observed_at: int,
    ) -> Report | None:
        """What a look-up's answer says about the message that was asked about; None: nothing is known of it yet.

        Raises:
            PollFailedError: It is about another message.
            PoisonMessageError: It has no readable status.
        """
        answered = find_first(members, names.id)
        if answered is not None and parse_id(answered) != provider_message_id:
            raise PollFailedError("the answer is about another message")
        if find_first(members, names.status) is None and not members.keys().isdisjoint(names.status):
            return None
        found = find_fields(members, names, details)
        return self.report(provider_message_id, found, raw=raw, source=Source.POLL, observed_at=observed_at)


def normalize_status(word: str) -> str:
    """A word as most providers' are compared: without case and surrounding blanks."""
    return word.strip().casefold()
