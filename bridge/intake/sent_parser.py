"""Parses a record of a sent topic into journal entries. Pure: the time is an argument.

Only what identifies an attempt is essential: without it, a record can't be followed. An optional member that can't be
used is left out, and a sending time that can't be used is replaced by the record's own timestamp.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

from msgspec import UNSET, Struct

from bridge.accounts import DEFAULT, Accounts, compute_lifetimes
from bridge.core.entries import MAX_ID_BYTES, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError, convert_to_poison
from bridge.intake.avro_values import AvroValues, make_avro_values
from bridge.intake.field_mapping import FieldMapping
from bridge.intake.member_values import read_id, read_metadata, read_text, read_time
from bridge.intake.optional_members import IgnoredMember, read_give_up_at, read_optional, read_sent_at
from bridge.intake.plain_events import PlainEvents
from bridge.intake.source_event import Headers, SentRecord, SourceEvent, decode_event
from bridge.kafka.wire_format import strip_frame
from bridge.observability.tracing import find_traceparent
from bridge.privacy import Privacy
from bridge.settings.model import SentSettings, Settings

ESSENTIAL_MEMBERS = ("message_id", "provider", "provider_message_id")
"""Without them, there is no attempt to follow."""

MAX_NAMED = 10
"""Elements that a dead letter names."""

MAX_TRACEPARENT_CHARS = 200
"""A longer text is no trace context, which has 55 characters in its first version."""

_NAME = re.compile(r"[a-z0-9-]{1,32}")


class SkipReason(StrEnum):
    """Why a record is skipped; a label of the metrics."""

    TOMBSTONE = "tombstone"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"


class ParsedRecord(Struct, frozen=True, gc=False):
    """What a record says."""

    entries: tuple[Sent, ...] = ()
    errors: tuple[PoisonMessageError, ...] = ()
    """About elements of `SENT__EACH` that can't be used: one for each reason."""
    ignored: tuple[IgnoredMember, ...] = ()
    skipped: SkipReason | None = None


_TOMBSTONE, _FILTERED = ParsedRecord(skipped=SkipReason.TOMBSTONE), ParsedRecord(skipped=SkipReason.FILTERED)


class SentParser:
    """Parses records of sent topics.

    Args:
        settings: How to map records to members.
        accounts: The configured accounts.
        privacy: How phone numbers are kept.
        max_follow_ms: The maximum time that an attempt is followed.
        avro: Converts values and keys that are Avro; None if they are JSON. Its schemas have to be prepared.
    """

    def __init__(
        self,
        settings: SentSettings,
        accounts: Accounts,
        privacy: Privacy,
        max_follow_ms: int,
        avro: AvroValues | None = None,
    ) -> None:
        self.avro = avro
        self._decode = avro.convert if avro else strip_frame
        self.mapping = FieldMapping(settings, self._decode)
        self._accounts = accounts
        self._providers = {provider for provider, _ in accounts}
        self._privacy = privacy
        self._max_follow_ms = max_follow_ms
        self._lifetimes = compute_lifetimes(accounts, settings, max_follow_ms)
        reads_plain = avro is None and self.mapping.is_plain
        self._plain_events = PlainEvents(accounts, privacy, self._lifetimes) if reads_plain else None

    def decode(self, record: SentRecord) -> SourceEvent | None:
        """Decode a record; None if there is no event in it: its row was deleted.

        Raises:
            PoisonMessageError: Its value isn't a JSON object.
        """
        return None if record.value is None else decode_event(record, self._decode)

    def parse(self, record: SentRecord, now: int) -> ParsedRecord:
        """Parse a record.

        Args:
            record: The record.
            now: The time, in milliseconds since the epoch.

        Raises:
            PoisonMessageError: It isn't a JSON object, or doesn't identify an attempt of a configured account.
        """
        if self._plain_events and (plain := self._plain_events.read(record, now)):
            return ParsedRecord((plain,))
        event = self.decode(record)
        if event is None:
            return _TOMBSTONE
        if self.mapping.each:
            return self._parse_elements(event, now)
        if self.mapping.find_mismatch(event) is not None:
            return _FILTERED
        ignored: list[IgnoredMember] = []
        entry = self._make_entry(event, now, ignored)
        return ParsedRecord((entry,), (), tuple(ignored))

    def _parse_elements(self, event: SourceEvent, now: int) -> ParsedRecord:
        entries: list[Sent] = []
        errors: list[tuple[int, PoisonMessageError]] = []
        ignored: list[IgnoredMember] = []
        try:
            elements = self.mapping.split(event)
        except PoisonMessageError:
            if self.mapping.find_mismatch(event) is not None:  # events of another kind need no array
                return _FILTERED
            raise
        for number, element in enumerate(elements):
            if self.mapping.find_mismatch(element) is not None:
                continue
            try:
                entries.append(self._make_entry(element, now, ignored))
            except Exception as error:  # noqa: BLE001 - pure code: whatever it raises, this element is the cause
                errors.append((number, convert_to_poison(error)))
        if not entries and not errors:
            return _FILTERED
        return ParsedRecord(tuple(entries), _merge_errors(self.mapping.each or "", errors), tuple(ignored))

    def find_message_id(self, record: SentRecord) -> str | None:
        """Find the message id in a record that can't be used; None if it has none."""
        try:
            event = self.decode(record)
            return read_id(self.mapping.map(event).get("message_id"))[:MAX_ID_BYTES] if event else None
        except Exception:  # noqa: BLE001 - the record can't be used already
            return None

    def _make_entry(self, event: SourceEvent, now: int, ignored: list[IgnoredMember]) -> Sent:
        members, record = self.mapping.map(event), event.record
        provider, account = name = self._find_account(members)
        settings = self._accounts[name]
        message_id = self._read_id(members, "message_id")
        provider_message_id = self._read_id(members, "provider_message_id")
        compared_id = settings.id_forms.unify_sent(provider_message_id)
        sent_at = starts_at = read_sent_at(members, record.timestamp, now, ignored)
        scheduled_at = read_optional(members, "scheduled_at", read_time, ignored)
        if scheduled_at is not None and scheduled_at > sent_at:
            starts_at = scheduled_at
        gives_up_at = read_give_up_at(members, sent_at, ignored)
        if gives_up_at is None:
            gives_up_at = starts_at + settings.give_up_after_ms
        else:
            gives_up_at = min(gives_up_at, sent_at + self._max_follow_ms)
        # By position, because keyword arguments take twice as long, and this runs for every message.
        return Sent(
            message_id,
            provider,
            account,
            provider_message_id,
            sent_at,
            starts_at,
            gives_up_at,
            self._privacy.redact_recipient(read_optional(members, "recipient", read_text, ignored)),
            read_optional(members, "sender", read_text, ignored),
            read_optional(members, "metadata", read_metadata, ignored) or {},
            _find_traceparent(record.headers, (event.top or event).documents[0]),
            record.origin,
            self._lifetimes,
            UNSET if compared_id == provider_message_id else compared_id,
        )

    def _find_account(self, members: Mapping[str, Any]) -> tuple[str, str]:
        provider, account = members.get("provider"), members.get("account")
        if account is None:
            account = DEFAULT
        if isinstance(provider, str) and isinstance(account, str) and (provider, account) in self._accounts:
            return provider, account
        for name, value in (("provider", provider), ("account", account)):
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                self._reject(name, value, "not a name of lower-case letters, digits and hyphens")
        if provider not in self._providers:
            raise PoisonMessageError(DeadLetterReason.UNKNOWN_PROVIDER, f"provider {provider!r} isn't configured")
        raise PoisonMessageError(DeadLetterReason.UNKNOWN_ACCOUNT, f"{provider} has no account {account!r}")

    def _read_id(self, members: Mapping[str, Any], name: str) -> str:
        value = members.get(name)
        try:
            return read_id(value)
        except ValueError as error:
            self._reject(name, value, str(error))

    def _reject(self, name: str, value: Any, why: str) -> NoReturn:
        place = self.mapping.name_place(name)
        why = f"missing; looked for at {place}" if value is None else why
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: {why}")


def make_sent_parser(settings: Settings, accounts: Accounts, privacy: Privacy) -> SentParser:
    """Make the parser that settings describe.

    Raises:
        ConfigurationError: They require an extra that isn't installed.
    """
    avro = make_avro_values(settings.sent, settings.registry)
    return SentParser(settings.sent, accounts, privacy, settings.follow.max_follow, avro)


def _find_traceparent(headers: Headers, document: Mapping[str, Any]) -> str | None:
    """Find the trace in the headers, or in the extension attribute of a CloudEvent."""
    extension = document.get("traceparent") if "specversion" in document else None
    found = find_traceparent(headers) or (extension if isinstance(extension, str) else None)
    return found if found is None or len(found) <= MAX_TRACEPARENT_CHARS else None


def _merge_errors(pointer: str, errors: Iterable[tuple[int, PoisonMessageError]]) -> tuple[PoisonMessageError, ...]:
    """Merge the errors of a record's elements to one for each reason, so that its original is kept once for each."""
    by_reason: dict[DeadLetterReason, list[tuple[int, str]]] = {}
    for number, poison in errors:
        by_reason.setdefault(poison.reason, []).append((number, poison.error))
    merged = []
    for reason, found in by_reason.items():
        (first, error), *others = found
        names = ", ".join(str(number) for number, _ in others[:MAX_NAMED])
        more = f"; likewise {len(others)} more: {names}{', …' if len(others) > MAX_NAMED else ''}" if others else ""
        merged.append(PoisonMessageError(reason, f"{pointer}/{first}: {error}{more}"))
    return tuple(merged)
