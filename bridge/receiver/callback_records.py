"""Makes the records of a callback: an entry of the journal for each report, a dead letter for what can't be read."""

from collections.abc import Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bridge.accounts import ProviderAccount
from bridge.core.entries import Report
from bridge.core.errors import (
    InvalidSignatureError,
    PoisonMessageError,
    UnsupportedMediaTypeError,
    convert_to_poison,
)
from bridge.dead_letters import DeadLetter, DeadLetters, HttpSource
from bridge.journal.writer import JournalWriter
from bridge.kafka.records import Record
from bridge.privacy import Privacy
from bridge.providers.callback_document import JSON_TYPE, is_multipart, open_callback
from bridge.providers.dialect import Callback, CallbackReading, UnreadableReport
from bridge.receiver.clock_skew import ProviderClocks

log = structlog.get_logger(__name__)


class CallbackRecords(Struct, frozen=True, gc=False):
    """What a callback becomes."""

    records: Sequence[Record]
    """In the order of its reports."""
    reports: Sequence[Report]
    """The reports that could be read."""


class CallbackRecorder:
    """Reads callbacks, and makes records of them.

    Args:
        journal: Makes the records of reports.
        dead_letters: Makes the records of what can't be read.
        privacy: Redacts phone numbers.
        clocks: Compares the providers' clocks with the bridge's.
    """

    def __init__(
        self, journal: JournalWriter, dead_letters: DeadLetters, privacy: Privacy, clocks: ProviderClocks
    ) -> None:
        self._journal, self._dead_letters = journal, dead_letters
        self._privacy, self._clocks = privacy, clocks

    def record(self, account: ProviderAccount, callback: Callback, now: int) -> CallbackRecords:
        """Make the records of a callback; none if it isn't about an SMS's delivery.

        Raises:
            InvalidSignatureError: The settings require a signature, and it is wrong or missing.
            UnsupportedMediaTypeError: It is in a form that isn't read.
        """
        records, reports = list[Record](), list[Report]()
        for one in _read(account, callback, now):
            try:
                if isinstance(one, UnreadableReport):
                    records.append(self._make_dead_letter(account, one, now))
                    continue
                self._clocks.compare(account, one.provider_time, now)
                redacted = self._privacy.redact_report(one, account.dialect.known_paths)
                records.append(self._journal.to_record(redacted))
                reports.append(redacted)
            except Exception as error:  # noqa: BLE001 - pure code: whatever it raises, this report is the cause
                unreadable = UnreadableReport(callback, convert_to_poison(error))
                records.append(self._make_dead_letter(account, unreadable, now))
        return CallbackRecords(records, reports)

    def _make_dead_letter(self, account: ProviderAccount, unreadable: UnreadableReport, now: int) -> Record:
        callback, poison = self._flatten(unreadable.callback), unreadable.error
        log.warning(
            "callback rejected",
            provider=account.provider,
            account=account.name,
            reason=poison.reason.value,
            error=poison.error,
        )
        self._dead_letters.count(poison.reason)
        letter = DeadLetter(
            reason=poison.reason.value,
            error=poison.error,
            key=None,
            value=callback.original,
            received_at=now,
            http=HttpSource(
                callback.method,
                f"/dlr/{account.provider}/{{secret}}",
                (callback.content_type or None) if callback.body else None,
                (callback.query or None) if callback.body else None,
            ),
            provider=account.provider,
            account=account.name,
        )
        return self._dead_letters.to_record(letter)

    def _flatten(self, callback: Callback) -> Callback:
        """Write a multipart form as JSON if phone numbers are redacted: its boundaries may look like some."""
        if self._privacy.keeps or not is_multipart(callback):
            return callback
        try:
            fields = open_callback(callback).raw
        except (PoisonMessageError, UnsupportedMediaTypeError):
            return callback
        return replace(callback, content_type=JSON_TYPE, body=fields.encode())


def _read(account: ProviderAccount, callback: Callback, now: int) -> CallbackReading:
    try:
        return account.dialect.read_callback(callback, now)
    except (InvalidSignatureError, UnsupportedMediaTypeError):
        raise
    except Exception as error:  # noqa: BLE001 - pure code: whatever it raises, this callback is the cause
        return (UnreadableReport(callback, convert_to_poison(error)),)
