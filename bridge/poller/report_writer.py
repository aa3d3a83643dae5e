"""Appends the reports of polls to the journal, unless they would change nothing."""

from collections.abc import Sequence

from bridge.core.attempt import Followed
from bridge.core.entries import Report
from bridge.core.moves import CHANGING_MOVES, MOVES
from bridge.journal.writer import JournalWriter
from bridge.poller.client import reject_on_error
from bridge.poller.due_polls import DuePoll
from bridge.privacy import Privacy
from bridge.providers.member_paths import MemberPath
from bridge.state.keys import StoredAttempt


class ReportWriter:
    """Writes one account's reports.

    Args:
        journal: Takes the entries.
        privacy: Redacts phone numbers.
        known_paths: Where the provider's answers have harmless values.
    """

    def __init__(self, journal: JournalWriter, privacy: Privacy, known_paths: frozenset[MemberPath]) -> None:
        self._journal, self._privacy, self._known_paths = journal, privacy, known_paths

    async def write(self, answered: Sequence[tuple[DuePoll, Report]]) -> None:
        """Append the reports that change something, and return once Kafka has them.

        Raises:
            RequestRejectedError: A report can't be written.
            KafkaUnavailableError: Kafka isn't known to have them.
            StoreCorruptedError: The attempts can't be read.
        """
        news = [report for poll, report in answered if changes_something(poll.store.get([poll.key])[0], report)]
        if news:
            with reject_on_error():
                redacted = [self._privacy.redact_report(report, self._known_paths) for report in news]
                records = [self._journal.to_record(report) for report in redacted]
            await self._journal.append(records)


def changes_something(known: StoredAttempt | None, report: Report) -> bool:
    """Whether the fold would publish an event for this report or count it as unmapped."""
    if report.status is None or known is None or not isinstance(known.state, Followed):
        return True
    return MOVES[known.state.status, report.status] in CHANGING_MOVES
