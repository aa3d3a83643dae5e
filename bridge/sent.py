"""One record of `sms.sent`, anybody's shape, becomes an entry, or a reason why not. Pure: the clock is an argument."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from bridge.contract import validator
from bridge.core.entries import LONGEST_ID, Sent
from bridge.core.errors import DeadLetterReason, Poison
from bridge.privacy import Privacy
from bridge.settings.accounts import Accounts
from bridge.settings.model import SentSettings

_IDS = ("message_id", "provider_message_id")
_CONFLUENT_MAGIC, _CONFLUENT_FRAME = 0, 5
"""Confluent's serialisers put a zero byte and a schema id of four bytes before the value."""

LAST_TIME = 32_503_679_999_999
"""The end of the year 2999: some clients write their largest date for "never", and ages are added to these."""

AHEAD = 86_400_000
"""Milliseconds that `sent_at` may lie in the future; clocks differ, but not by more."""

_WHOLE = range(-(2**63), 2**64)
"""Integers that a JSON reader takes without losing digits."""


class Skip(StrEnum):
    """Why a record is none of ours."""

    TOMBSTONE = "tombstone"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"


class SentReader:
    """Reads records of `sms.sent` as settings say."""

    def __init__(self, settings: SentSettings, accounts: Accounts, privacy: Privacy, max_follow: int) -> None:
        self._fields = {name: _steps(pointer) for name, pointer in settings.fields.items()}
        self._where = [(_steps(pointer), allowed) for pointer, allowed in settings.where.items()]
        self._constants = settings.constants
        self._providers = settings.providers
        self._accounts = accounts
        self._known = {provider for provider, _ in accounts}
        self._privacy = privacy
        self._max_follow = max_follow
        self._schema = validator("sms.sent.v1")

    def read(
        self,
        value: bytes | None,
        now: int,
        headers: Iterable[tuple[str, bytes]] = (),
        origin: tuple[str, int, int] | None = None,
    ) -> Sent | Skip:
        """What a record says.

        Args:
            value: The record's value.
            now: The time, in milliseconds since the epoch.
            headers: Its headers.
            origin: Its topic, partition and offset.

        Raises:
            Poison: It isn't JSON, isn't valid, or names a provider or account that isn't set up.
        """
        if value is None:
            return Skip.TOMBSTONE
        document = _document(value)
        if any(_resolve(document, steps) not in allowed for steps, allowed in self._where):
            return Skip.FILTERED
        event = self._mapped(document)
        if (error := next(self._schema.iter_errors(event), None)) is not None:
            where = "/".join(map(str, error.instance_path))
            raise Poison(DeadLetterReason.INVALID, f"{where or 'event'}: {error.message[:200]}")
        return self._entry(event, headers, origin, now)

    def _mapped(self, document: dict[str, Any]) -> dict[str, Any]:
        """Their shape in our names; null counts as absent, and an id that is a number counts as its digits."""
        event = {name: value for name, value in document.items() if name not in self._fields}
        event |= {name: _resolve(document, steps) for name, steps in self._fields.items()}
        event |= self._constants
        event = {name: value for name, value in event.items() if value is not None}
        for name in _IDS:
            event[name] = _as_id(event[name]) if name in event else None
        event = {name: value for name, value in event.items() if value is not None}
        if self._providers and isinstance(event.get("provider"), str):
            event["provider"] = self._providers.get(event["provider"], event["provider"])
        return event

    def _entry(
        self,
        event: Mapping[str, Any],
        headers: Iterable[tuple[str, bytes]],
        origin: tuple[str, int, int] | None,
        now: int,
    ) -> Sent:
        provider, account = event["provider"], event.get("account", "default")
        if provider not in self._known:
            raise Poison(DeadLetterReason.UNKNOWN_PROVIDER, f"provider {provider!r} isn't set up")
        if (provider, account) not in self._accounts:
            raise Poison(DeadLetterReason.UNKNOWN_ACCOUNT, f"{provider} has no account {account!r}")
        sent_at = _time(event, "sent_at")
        if sent_at > now + AHEAD:
            raise Poison(DeadLetterReason.INVALID, "sent_at: more than a day in the future")
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
            recipient=self._privacy.recipient(event.get("recipient")),
            sender=event.get("sender"),
            metadata=event.get("metadata", {}),
            traceparent=next(
                (text.decode("ascii", "replace") for name, text in headers if name == "traceparent"), None
            ),
            origin=origin,
        )


def _document(value: bytes) -> dict[str, Any]:
    if value[:1] == bytes([_CONFLUENT_MAGIC]) and len(value) > _CONFLUENT_FRAME:
        value = value[_CONFLUENT_FRAME:]
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Poison(DeadLetterReason.MALFORMED, f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Poison(DeadLetterReason.MALFORMED, "not a JSON object")
    return document


def _as_id(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value in _WHOLE:
        return str(value)
    return value


def _bounded(event: Mapping[str, Any], name: str) -> str:
    text: str = event[name]
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_ID:
        raise Poison(DeadLetterReason.INVALID, f"{name}: longer than {LONGEST_ID} bytes")
    return text


def _time(event: Mapping[str, Any], name: str) -> int:
    """An RFC 3339 time in milliseconds since the epoch."""
    try:
        milliseconds = round(datetime.fromisoformat(event[name]).timestamp() * 1000)
    except (ValueError, OverflowError):
        milliseconds = -1
    if not 0 <= milliseconds <= LAST_TIME:
        raise Poison(DeadLetterReason.INVALID, f"{name}: no time between 1970 and 2999")
    return milliseconds


def _steps(pointer: str) -> tuple[str, ...]:
    """A JSON pointer (RFC 6901) as its steps; a plain name is taken as a member of the top level."""
    parts = pointer.split("/")[1:] if pointer.startswith("/") else [pointer]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def _resolve(document: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document
