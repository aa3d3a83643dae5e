"""What becomes of a dead letter that is parsed again: an entry for the journal, or why there is none. Pure.

A callback goes through its provider's dialect as in the receiver, a sent event through the intake's parser. The entry
of what the tracker rejected is still in the journal, and is taken from there.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from bridge.accounts import Accounts, build_accounts, list_built_in
from bridge.core.entries import Entry, Report, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.lifecycle import EntryPosition, FoldOutcome, fold
from bridge.dead_letters import NOT_REPLAYABLE, DeadLetter, HttpSource
from bridge.intake.sent_parser import make_sent_parser
from bridge.intake.source_event import SentRecord
from bridge.journal.serde import decode_entry, encode_entry
from bridge.journal.writer import MAX_ENTRY_BYTES
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback, UnreadableReport
from bridge.settings.model import Settings
from bridge.settings.providers import AccountSettings

MAX_NAMED = 10
"""Entries of a dead letter that are named."""

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
    """What is appended: of a record with several attempts, all that can be parsed, since the fold drops repeats."""


class ReplayParser:
    """Parses dead letters as the service would parse their originals today.

    Args:
        settings: The service's settings.
        max_entry_bytes: Largest entry that the journal takes.
    """

    def __init__(self, settings: Settings, max_entry_bytes: int = MAX_ENTRY_BYTES) -> None:
        self._max_entry_bytes = max_entry_bytes
        # A letter was authentic when it came; its signature isn't kept.
        self._accounts = build_accounts(drop_signatures(settings))
        self._privacy = Privacy(settings.privacy)
        self._sent = make_sent_parser(settings, self._accounts, self._privacy)
        self.avro = self._sent.avro
        """Converts sent events that are Avro; the schemas of the originals have to be prepared."""
        self._topics, self._policy = settings.topics, settings.follow.to_policy()

    @property
    def accounts(self) -> Accounts:
        """The accounts that are set up."""
        return self._accounts

    def parse(self, letter: DeadLetter, original: SentRecord | None, now: int) -> ReplayResult:
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
        if any(self._is_too_large(entry) for entry in result.entries):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, NOT_REPLAYABLE[DeadLetterReason.TOO_LARGE])
        return result

    def _parse(self, letter: DeadLetter, original: SentRecord | None, now: int) -> ReplayResult:
        if letter.http:
            return self._parse_callback(letter, letter.http)
        topic = letter.source.topic if letter.source else ""
        if topic == self._topics.journal:
            if original is None:
                return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, "the journal no longer has it")
            return _journaled([decode_entry(original.value)])
        if topic in self._topics.sent:
            # Without the record, its timestamp is unknown: when the letter was written is the same in every replay.
            kept = SentRecord(letter.value, (), letter.key, letter.received_at, letter.source)
            return self._parse_sent(original or kept, now)
        return ReplayResult(
            ReplayOutcome.NOT_REPLAYABLE, f"from {topic or 'nowhere'}, which isn't a topic of the bridge"
        )

    def _parse_sent(self, record: SentRecord, now: int) -> ReplayResult:
        found = self._sent.parse(record, now)
        if found.skipped:
            return ReplayResult(ReplayOutcome.IGNORED, f"{found.skipped.value} by settings")
        entries = tuple(map(self._fit, found.entries))
        if found.errors:
            why = "; ".join(f"{poison.reason.value}: {poison.error}" for poison in found.errors)
            return ReplayResult(ReplayOutcome.STILL_BAD, why, entries)
        # Where the tracker would refuse each of them, a replay only adds dead letters.
        folded = [fold(entry.key, None, entry, EntryPosition(0, now), self._policy) for entry in entries]
        if folded and all(one.outcome is FoldOutcome.TOO_OLD for one in folded):
            return ReplayResult(ReplayOutcome.NOT_REPLAYABLE, max(one.rejections[0].error for one in folded))
        return _journaled(entries)

    def _fit(self, entry: Sent) -> Sent:
        """Leave out the metadata of an entry that is too large for the journal, as the intake does."""
        return replace(entry, metadata={}) if self._is_too_large(entry) else entry

    def _is_too_large(self, entry: Entry) -> bool:
        return len(encode_entry(entry)) > self._max_entry_bytes

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
        for entry in entries[:MAX_NAMED]
    )
    more = f" and {len(entries) - MAX_NAMED} more" if len(entries) > MAX_NAMED else ""
    return ReplayResult(ReplayOutcome.JOURNALED, why + more, entries)


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
