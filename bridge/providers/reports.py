"""What was found about a message becomes a report: the same for every provider.

Under which names things stand and what words mean, each dialect brings along as tables.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from bridge.core.delivery import Source, Verdict
from bridge.core.entries import Report
from bridge.core.errors import LookupFailed
from bridge.providers.reading import Members, details_of, first, id_of, optional_word, time_of, word_of

RECIPIENT_MEMBERS = frozenset(
    {"to", "recipient", "phone", "phone_number", "phonenumber", "number", "msisdn", "mobile", "destination"}
)
"""Members that are known to hold a phone number, lower-case."""


class Names(NamedTuple):
    """Under which names a message's id, status, error and time stand; of each the first that isn't empty counts."""

    id: tuple[str, ...]
    status: tuple[str, ...]
    error: tuple[str, ...]
    time: tuple[str, ...]


class Found(NamedTuple):
    """What was said about a message, as it was written; None where nothing was."""

    status: Any
    error: Any
    time: Any
    details: Mapping[str, str]


def found_in(members: Members, names: Names, details: Mapping[str, Iterable[str]]) -> Found:
    """What members say about a message; `details` has our name of each extra and the provider's names for it."""
    return Found(
        first(members, names.status),
        first(members, names.error),
        first(members, names.time),
        details_of(members, details),
    )


class Reporter:
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

    def report(self, provider_message_id: str, found: Found, *, raw: str, source: Source, observed_at: int) -> Report:
        """What was found, as a report.

        Raises:
            Poison: It has no readable status.
        """
        word = word_of(found.status)
        return Report(
            provider=self._provider,
            account=self._account,
            provider_message_id=provider_message_id,
            verdict=self._verdicts.get(self._normalised(word)),
            provider_status=word,
            provider_code=optional_word(found.error),
            provider_details=found.details,
            provider_time=time_of(found.time, self._timezone),
            source=source,
            observed_at=observed_at,
            raw=raw,
        )

    def answer(
        self,
        provider_message_id: str,
        members: Members,
        names: Names,
        details: Mapping[str, Iterable[str]],
        *,
        raw: str,
        observed_at: int,
    ) -> Report | None:
        """What a look-up's answer says about the message that was asked about; None: nothing is known of it yet.

        Raises:
            LookupFailed: It is about another message.
            Poison: It has no readable status.
        """
        answered = first(members, names.id)
        if answered is not None and id_of(answered) != provider_message_id:
            raise LookupFailed("the answer is about another message")
        if first(members, names.status) is None and not members.keys().isdisjoint(names.status):
            return None
        found = found_in(members, names, details)
        return self.report(provider_message_id, found, raw=raw, source=Source.POLL, observed_at=observed_at)


def folded(word: str) -> str:
    """A word as most providers' are compared: without case and surrounding blanks."""
    return word.strip().casefold()
