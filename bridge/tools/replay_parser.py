"""What becomes of a dead letter that is read again: an entry for the journal, or why there is none. Pure.

A letter from HTTP goes through its provider's dialect as the receiver would have it, one from a sent event through the
reader of sent events. What the tracker turned down is in the journal already: its entry is taken from there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from bridge.accounts import Accounts, AnyAccount, build_accounts
from bridge.core.entries import Entry, Report
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.dead_letters import DeadLetter, HttpSource
from bridge.intake.sent_parser import SentParser, SkipReason
from bridge.journal.serde import decode_entry, encode_entry
from bridge.journal.writer import MAX_ENTRY_BYTES
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback
from bridge.settings.model import Settings

NOT_REPLAYABLE: Mapping[DeadLetterReason, str] = {
    DeadLetterReason.CONFLICT: "the attempt belongs to another message, and will go on to",
    DeadLetterReason.TOO_OLD: "its end has passed",
    DeadLetterReason.TOO_LARGE: "the journal will not take it either",
}
"""Every other reason may have been mended since: by a setting, a release, or a sent event that came late."""


class ReplayOutcome(StrEnum):
    """What becomes of a dead letter."""

    JOURNALED = "journaled"
    STILL_BAD = "still_bad"
    IGNORED = "ignored"
    NOT_REPLAYABLE = "not_replayable"


class ReplayResult(NamedTuple):
    """What becomes of one dead letter, and why."""

    fate: ReplayOutcome
    why: str
    entry: Entry | None = None


class ReplaySource(NamedTuple):
    """The record that a dead letter is about, where Kafka still has it."""

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class ReplayParser:
    """Reads dead letters as the service would read what they hold, if it came now."""

    def __init__(self, settings: Settings) -> None:
        # A letter was authentic when it came, and doesn't keep its signature.
        self._accounts = build_accounts(drop_signatures(settings))
        self._privacy = Privacy(settings.privacy)
        self._sent = SentParser(settings.sent, self._accounts, self._privacy, settings.follow.max_follow)
        self._topics = settings.topics

    @property
    def accounts(self) -> Accounts:
        """The accounts that are set up."""
        return self._accounts

    def read(self, letter: DeadLetter, original: ReplaySource | None, now: int) -> ReplayResult:
        """What becomes of a letter.

        Args:
            letter: It.
            original: What it is about, where that is a record and still there.
            now: The time, in milliseconds since the epoch.
        """
        if letter.reason not in set(DeadLetterReason):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, f"not written by the bridge: reason {letter.reason!r}")
        if why := NOT_REPLAYABLE.get(DeadLetterReason(letter.reason)):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, why)
        if letter.original_bytes is not None and original is None:
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, "only its beginning was kept")
        try:
            verdict = self._read(letter, original, now)
        except PoisonMessageError as poison:
            return ReplayResult(ReplayOutcome.STILL_BAD, f"{poison.reason.value}: {poison.error}")
        if verdict.entry and len(encode_entry(verdict.entry)) > MAX_ENTRY_BYTES:
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, NOT_REPLAYABLE[DeadLetterReason.TOO_LARGE])
        return verdict

    def _read(self, letter: DeadLetter, original: ReplaySource | None, now: int) -> ReplayResult:
        if letter.http:
            return self._callback(letter, letter.http)
        topic = letter.source.topic if letter.source else ""
        if topic == self._topics.journal:
            if original is None:
                return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, "the journal no longer has it")
            return _journaled(decode_entry(original.value))
        if topic in self._topics.sent:
            return self._sent_event(letter, original or ReplaySource(letter.value, ()), now)
        return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, f"from {topic or 'nowhere'}, which is none of our topics")

    def _sent_event(self, letter: DeadLetter, original: ReplaySource, now: int) -> ReplayResult:
        entry = self._sent.parse(original.value, now, original.headers, letter.source)
        if isinstance(entry, SkipReason):
            return ReplayResult(ReplayOutcome.IGNORED, f"{entry.value} by settings")
        return _journaled(entry)

    def _callback(self, letter: DeadLetter, http: HttpSource) -> ReplayResult:
        account = self._accounts.get((letter.provider or "", letter.account or ""))
        if account is None:
            return ReplayResult(ReplayOutcome.STILL_BAD, f"{letter.provider}:{letter.account} isn't set up")
        is_get = http.method == "GET"
        query = letter.value.decode("utf-8", "surrogateescape") if is_get else ""
        callback = Callback(http.method, query, http.content_type or "", None, b"" if is_get else letter.value)
        report = account.dialect.read_callback(callback, letter.received_at)
        if report is None:
            return ReplayResult(ReplayOutcome.IGNORED, "about something else than an SMS")
        raw = self._privacy.redact_raw(report.raw, account.dialect.recipient_members)
        return _journaled(replace(report, raw=raw))


def _journaled(entry: Entry) -> ReplayResult:
    if isinstance(entry, Report):
        return ReplayResult(ReplayOutcome.JOURNALED, f"{entry.key} {entry.provider_status}", entry)
    return ReplayResult(ReplayOutcome.JOURNALED, f"{entry.key} sent as {entry.message_id}", entry)


def drop_signatures(settings: Settings) -> Settings:
    """The same settings with webhooks that need no signature."""
    webhooks = {name: _unsigned(one) for name, one in settings.webhooks.items()}
    return settings.model_copy(update={"dexatel": _unsigned(settings.dexatel), "webhooks": webhooks})


def _unsigned(account: AnyAccount) -> AnyAccount:
    update: dict[str, object] = dict.fromkeys(account.model_fields_set & {"webhook_secret", "signature"})
    if named := getattr(account, "accounts", None):
        update["accounts"] = {name: _unsigned(one) for name, one in named.items()}
    return account.model_copy(update=update)
