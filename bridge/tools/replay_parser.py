"""What becomes of a dead letter that is parsed again: an entry for the journal, or why there is none. Pure.

A callback goes through its provider's dialect as in the receiver, a sent event through the intake's parser. The entry
of what the tracker rejected is still in the journal, and is taken from there.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from bridge.accounts import Accounts, build_accounts, list_built_in
from bridge.core.entries import Entry, Report
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.dead_letters import DeadLetter, HttpSource
from bridge.intake.sent_parser import SentParser, SkipReason
from bridge.journal.serde import decode_entry, encode_entry
from bridge.journal.writer import MAX_ENTRY_BYTES
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback, UnreadableReport
from bridge.settings.model import Settings
from bridge.settings.providers import AccountSettings

NOT_REPLAYABLE: Mapping[DeadLetterReason, str] = {
    DeadLetterReason.CONFLICT: "the attempt belongs to another message",
    DeadLetterReason.TOO_OLD: "its end has passed",
    DeadLetterReason.TOO_LARGE: "the journal will not take it either",
}
"""Every other reason may no longer hold: after a change of settings, a release, or a late sent event."""


AnyAccount = TypeVar("AnyAccount", bound=AccountSettings)


class ReplayOutcome(StrEnum):
    """What becomes of a dead letter."""

    JOURNALED = "journaled"
    STILL_BAD = "still_bad"
    IGNORED = "ignored"
    NOT_REPLAYABLE = "not_replayable"


class ReplayResult(NamedTuple):
    """What becomes of one dead letter, and why."""

    outcome: ReplayOutcome
    why: str
    entries: Sequence[Entry] = ()


class ReplaySource(NamedTuple):
    """The record that a dead letter is about, where Kafka still has it."""

    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class ReplayParser:
    """Parses dead letters as the service would parse their originals today."""

    def __init__(self, settings: Settings) -> None:
        # A letter was authentic when it came; its signature isn't kept.
        self._accounts = build_accounts(drop_signatures(settings))
        self._privacy = Privacy(settings.privacy)
        self._sent = SentParser(settings.sent, self._accounts, self._privacy, settings.follow.max_follow)
        self._topics = settings.topics

    @property
    def accounts(self) -> Accounts:
        """The accounts that are set up."""
        return self._accounts

    def parse(self, letter: DeadLetter, original: ReplaySource | None, now: int) -> ReplayResult:
        """Decide what becomes of a letter.

        Args:
            letter: The dead letter.
            original: The record that it is about, where there is one and Kafka still has it.
            now: The time, in milliseconds since the epoch.
        """
        if letter.reason not in set(DeadLetterReason):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, f"not written by the bridge: reason {letter.reason!r}")
        if why := NOT_REPLAYABLE.get(DeadLetterReason(letter.reason)):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, why)
        if letter.original_bytes is not None and original is None:
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, "only its beginning was kept")
        try:
            result = self._parse(letter, original, now)
        except PoisonMessageError as poison:
            return ReplayResult(ReplayOutcome.STILL_BAD, f"{poison.reason.value}: {poison.error}")
        if any(len(encode_entry(entry)) > MAX_ENTRY_BYTES for entry in result.entries):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, NOT_REPLAYABLE[DeadLetterReason.TOO_LARGE])
        return result

    def _parse(self, letter: DeadLetter, original: ReplaySource | None, now: int) -> ReplayResult:
        if letter.http:
            return self._parse_callback(letter, letter.http)
        topic = letter.source.topic if letter.source else ""
        if topic == self._topics.journal:
            if original is None:
                return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, "the journal no longer has it")
            return _journaled([decode_entry(original.value)])
        if topic in self._topics.sent:
            return self._parse_sent(letter, original or ReplaySource(letter.value, ()), now)
        return ReplayResult(
            ReplayOutcome.NOT_REPLAYABLE, f"from {topic or 'nowhere'}, which isn't a topic of the bridge"
        )

    def _parse_sent(self, letter: DeadLetter, original: ReplaySource, now: int) -> ReplayResult:
        entry = self._sent.parse(original.value, now, original.headers, letter.source)
        if isinstance(entry, SkipReason):
            return ReplayResult(ReplayOutcome.IGNORED, f"{entry.value} by settings")
        return _journaled([entry])

    def _parse_callback(self, letter: DeadLetter, http: HttpSource) -> ReplayResult:
        account = self._accounts.get((letter.provider or "", letter.account or ""))
        if account is None:
            return ReplayResult(ReplayOutcome.STILL_BAD, f"{letter.provider}:{letter.account} isn't configured")
        is_get = http.method == "GET"
        query = letter.value.decode("utf-8", "surrogateescape") if is_get else http.query or ""
        callback = Callback(http.method, query, http.content_type or "", b"" if is_get else letter.value)
        entries: list[Entry] = []
        for one in account.dialect.read_callback(callback, letter.received_at):
            if isinstance(one, UnreadableReport):
                return ReplayResult(ReplayOutcome.STILL_BAD, f"{one.error.reason.value}: {one.error.error}")
            entries.append(self._privacy.redact_report(one, account.dialect.known_paths))
        return _journaled(entries) if entries else ReplayResult(ReplayOutcome.IGNORED, "not about an SMS's delivery")


def _journaled(entries: Sequence[Entry]) -> ReplayResult:
    why = ", ".join(
        f"{entry.key} {entry.provider_status}"
        if isinstance(entry, Report)
        else f"{entry.key} sent as {entry.message_id}"
        for entry in entries
    )
    return ReplayResult(ReplayOutcome.JOURNALED, why, entries)


def drop_signatures(settings: Settings) -> Settings:
    """Copy settings, with callbacks that need no signature."""
    webhooks = {name: _drop_signature(one) for name, one in settings.webhooks.items()}
    built_in = {name: _drop_signature(group) for name, group in list_built_in(settings).items()}
    return settings.model_copy(update={**built_in, "webhooks": webhooks})


def _drop_signature(account: AnyAccount) -> AnyAccount:
    update: dict[str, object] = dict.fromkeys(account.model_fields_set & {account.signature_member})
    if named := getattr(account, "accounts", None):
        update["accounts"] = {name: _drop_signature(one) for name, one in named.items()}
    return account.model_copy(update=update)
