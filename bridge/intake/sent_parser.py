"""Parses a record of a sent topic into a journal entry. Pure: the time is an argument."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from bridge.accounts import Accounts, compute_lifetimes
from bridge.core.entries import MAX_AHEAD_MS, MAX_ID_BYTES, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.timestamps import parse_rfc3339
from bridge.intake.field_mapping import MAX_TIME_MS, FieldMapping, Headers, decode_event
from bridge.observability.tracing import find_traceparent
from bridge.privacy import Privacy
from bridge.schemas import load_validator
from bridge.settings.model import SentSettings

MAX_VIOLATION_CHARS = 200
"""The schema's longer error messages are cut."""


class SkipReason(StrEnum):
    """Why a record is skipped; a label of the metrics."""

    TOMBSTONE = "tombstone"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"


class SentParser:
    """Parses records of sent topics.

    Args:
        settings: How to map records to members.
        accounts: The configured accounts.
        privacy: How phone numbers are kept.
        max_follow_ms: The maximum time that an attempt is followed.
    """

    def __init__(self, settings: SentSettings, accounts: Accounts, privacy: Privacy, max_follow_ms: int) -> None:
        self.mapping = FieldMapping(settings)
        self._accounts = accounts
        self._providers = {provider for provider, _ in accounts}
        self._privacy = privacy
        self._max_follow_ms = max_follow_ms
        self._lifetimes = compute_lifetimes(accounts, settings, max_follow_ms)
        self._schema = load_validator("sms.sent.v1")

    def parse(
        self,
        value: bytes | None,
        now: int,
        headers: Headers = (),
        origin: tuple[str, int, int] | None = None,
    ) -> Sent | SkipReason:
        """Parse a record into an entry, or into the reason to skip it.

        Args:
            value: The record's value.
            now: The time, in milliseconds since the epoch.
            headers: Its headers.
            origin: Its topic, partition and offset.

        Raises:
            PoisonMessageError: It isn't JSON, isn't valid, or names a provider or account that isn't configured.
        """
        if value is None:
            return SkipReason.TOMBSTONE
        event = decode_event(value, headers)
        if self.mapping.find_mismatch(event) is not None:
            return SkipReason.FILTERED
        members = self.mapping.map(event)
        if not self._schema.is_valid(members):
            name, text = next(iter(self.find_violations(members).items()))
            raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: {self._privacy.redact_text(text)}")
        return self._make_entry(members, _find_traceparent(headers, event.document), origin, now)

    def find_violations(self, members: Mapping[str, Any]) -> dict[str, str]:
        """Find how members violate the published schema: an error by member, or by `event` for the whole."""
        violations: dict[str, str] = {}
        for error in self._schema.iter_errors(members):
            violations.setdefault(
                "/".join(map(str, error.instance_path)) or "event", error.message[:MAX_VIOLATION_CHARS]
            )
        return violations

    def find_message_id(self, value: bytes | None) -> str | None:
        """Find the message id in a record that can't be used; None if it has none."""
        try:
            message_id = self.mapping.map(decode_event(value or b"", ())).get("message_id")
        except Exception:  # noqa: BLE001 - the record can't be used already
            return None
        return message_id[:MAX_ID_BYTES] if isinstance(message_id, str) else None

    def _make_entry(
        self,
        members: Mapping[str, Any],
        traceparent: str | None,
        origin: tuple[str, int, int] | None,
        now: int,
    ) -> Sent:
        provider, account = members["provider"], members.get("account", "default")
        if provider not in self._providers:
            raise PoisonMessageError(DeadLetterReason.UNKNOWN_PROVIDER, f"provider {provider!r} isn't configured")
        if (provider, account) not in self._accounts:
            raise PoisonMessageError(DeadLetterReason.UNKNOWN_ACCOUNT, f"{provider} has no account {account!r}")
        sent_at = _parse_time(members, "sent_at")
        if sent_at > now + MAX_AHEAD_MS:
            raise PoisonMessageError(DeadLetterReason.INVALID, "sent_at: more than a day in the future")
        starts_at = max(sent_at, _parse_time(members, "scheduled_at")) if "scheduled_at" in members else sent_at
        if "give_up_at" in members:
            gives_up_at = min(_parse_time(members, "give_up_at"), sent_at + self._max_follow_ms)
        else:
            gives_up_at = starts_at + self._accounts[provider, account].give_up_after_ms
        return Sent(
            message_id=_parse_id(members, "message_id"),
            provider=provider,
            account=account,
            provider_message_id=_parse_id(members, "provider_message_id"),
            sent_at=sent_at,
            starts_at=starts_at,
            gives_up_at=gives_up_at,
            recipient=self._privacy.redact_recipient(members.get("recipient")),
            sender=members.get("sender"),
            metadata=members.get("metadata", {}),
            traceparent=traceparent,
            origin=origin,
            lifetimes=self._lifetimes,
        )


def _find_traceparent(headers: Headers, document: Mapping[str, Any]) -> str | None:
    """Find the trace in the headers, or in the extension attribute of a CloudEvent."""
    extension = document.get("traceparent") if "specversion" in document else None
    return find_traceparent(headers) or (extension if isinstance(extension, str) else None)


def _parse_id(members: Mapping[str, Any], name: str) -> str:
    text = members[name]
    if not isinstance(text, str):  # a float such as 1.0, which a JSON Schema takes for an integer
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: neither text nor an exact integer")
    if text in {".", ".."}:  # in a URL, percent-encoded too, these name another path (RFC 3986, section 6.2.2)
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: {text!r} is no id")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: longer than {MAX_ID_BYTES} bytes")
    return text


def _parse_time(members: Mapping[str, Any], name: str) -> int:
    """Parse an RFC 3339 time to milliseconds since the epoch."""
    milliseconds = parse_rfc3339(members[name])
    if milliseconds is None or not 0 <= milliseconds <= MAX_TIME_MS:
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: not a time between 1970 and 2999")
    return milliseconds
