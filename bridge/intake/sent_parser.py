"""One record of `sms.sent`, anybody's shape, becomes an entry, or a reason why not. Pure: the clock is an argument."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from bridge.accounts import Accounts
from bridge.core.entries import MAX_ID_BYTES, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.intake.field_mapping import MAX_TIME_MS, FieldMapping, Headers, decode_event
from bridge.observability.tracing import find_traceparent
from bridge.privacy import Privacy
from bridge.schemas import load_validator
from bridge.settings.model import SentSettings

MAX_AHEAD_MS = 86_400_000
"""Milliseconds that `sent_at` may lie in the future; clocks differ, but not by more."""


class SkipReason(StrEnum):
    """Why a record is none of ours."""

    TOMBSTONE = "tombstone"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"


class SentParser:
    """Reads records of `sms.sent` as settings say."""

    def __init__(self, settings: SentSettings, accounts: Accounts, privacy: Privacy, max_follow: int) -> None:
        self.mapping = FieldMapping(settings)
        self._accounts = accounts
        self._known = {provider for provider, _ in accounts}
        self._privacy = privacy
        self._max_follow = max_follow
        self._schema = load_validator("sms.sent.v1")

    def parse(
        self,
        value: bytes | None,
        now: int,
        headers: Headers = (),
        origin: tuple[str, int, int] | None = None,
    ) -> Sent | SkipReason:
        """What a record says.

        Args:
            value: The record's value.
            now: The time, in milliseconds since the epoch.
            headers: Its headers.
            origin: Its topic, partition and offset.

        Raises:
            PoisonMessageError: It isn't JSON, isn't valid, or names a provider or account that isn't set up.
        """
        if value is None:
            return SkipReason.TOMBSTONE
        found = decode_event(value, headers)
        if self.mapping.unwanted(found) is not None:
            return SkipReason.FILTERED
        event = self.mapping.mapped(found)
        if not self._schema.is_valid(event):
            name, text = next(iter(self.find_violations(event).items()))
            raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: {self._privacy.redact_text(text)}")
        return self._entry(event, _traceparent(headers, found.document), origin, now)

    def find_violations(self, event: Mapping[str, Any]) -> dict[str, str]:
        """What the published schema says against an event, by member; `event` for the whole."""
        found: dict[str, str] = {}
        for error in self._schema.iter_errors(event):
            found.setdefault("/".join(map(str, error.instance_path)) or "event", error.message[:200])
        return found

    def find_message_id(self, value: bytes | None) -> str | None:
        """The message's id, where one can be made out in a record that is poison otherwise."""
        try:
            found = self.mapping.mapped(decode_event(value or b"", ())).get("message_id")
        except PoisonMessageError:
            return None
        return found[:MAX_ID_BYTES] if isinstance(found, str) else None

    def _entry(
        self,
        event: Mapping[str, Any],
        traceparent: str | None,
        origin: tuple[str, int, int] | None,
        now: int,
    ) -> Sent:
        provider, account = event["provider"], event.get("account", "default")
        if provider not in self._known:
            raise PoisonMessageError(DeadLetterReason.UNKNOWN_PROVIDER, f"provider {provider!r} isn't set up")
        if (provider, account) not in self._accounts:
            raise PoisonMessageError(DeadLetterReason.UNKNOWN_ACCOUNT, f"{provider} has no account {account!r}")
        sent_at = _time(event, "sent_at")
        if sent_at > now + MAX_AHEAD_MS:
            raise PoisonMessageError(DeadLetterReason.INVALID, "sent_at: more than a day in the future")
        starts_at = max(sent_at, _time(event, "scheduled_at")) if "scheduled_at" in event else sent_at
        if "give_up_at" in event:
            gives_up_at = min(_time(event, "give_up_at"), sent_at + self._max_follow)
        else:
            gives_up_at = starts_at + self._accounts[provider, account].give_up_after
        return Sent(
            message_id=_bounded(event, "message_id"),
            provider=provider,
            account=account,
            provider_message_id=_bounded(event, "provider_message_id"),
            sent_at=sent_at,
            starts_at=starts_at,
            gives_up_at=gives_up_at,
            recipient=self._privacy.redact_recipient(event.get("recipient")),
            sender=event.get("sender"),
            metadata=event.get("metadata", {}),
            traceparent=traceparent,
            origin=origin,
        )


def _traceparent(headers: Headers, document: Mapping[str, Any]) -> str | None:
    extension = document.get("traceparent") if "specversion" in document else None
    inside = extension if isinstance(extension, str) else None
    return find_traceparent(headers) or inside


def _bounded(event: Mapping[str, Any], name: str) -> str:
    text: str = event[name]
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: longer than {MAX_ID_BYTES} bytes")
    return text


def _time(event: Mapping[str, Any], name: str) -> int:
    """An RFC 3339 time in milliseconds since the epoch."""
    try:
        milliseconds = round(datetime.fromisoformat(event[name]).timestamp() * 1000)
    except (ValueError, OverflowError):
        milliseconds = -1
    if not 0 <= milliseconds <= MAX_TIME_MS:
        raise PoisonMessageError(DeadLetterReason.INVALID, f"{name}: no time between 1970 and 2999")
    return milliseconds
