"""The dialect of providers that settings alone describe: pointers into their callbacks, and meanings of their statuses.

Such a provider is never polled. One that needs more than these settings gets a dialect of its own.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from bridge.core.delivery import Source, Verdict
from bridge.core.entries import Report
from bridge.core.errors import InvalidSignatureError
from bridge.core.json_pointer import Steps, find_value, parse_pointer
from bridge.providers.dialect import Callback
from bridge.providers.member_paths import make_path
from bridge.providers.parsing import (
    decode_original,
    is_json,
    make_unreadable_error,
    parse_id,
    parse_json,
    parse_optional,
)
from bridge.providers.report_builder import ReportBuilder, ReportedFields, normalize_status

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"hex": lambda digest: digest.hex().encode(), "base64": b64encode}
"""The encodings of a signature."""


class CallbackPointers(NamedTuple):
    """JSON pointers (RFC 6901) into a callback; `/name` for a form's parameter. None for a field that it lacks."""

    id: str
    status: str
    error: str | None = None
    time: str | None = None


class SignatureScheme(NamedTuple):
    """How callbacks are signed: with the HMAC-SHA-256 of the raw body."""

    header: str
    secret: str
    encoding: str = "hex"
    """One of `ENCODINGS`."""

    def __repr__(self) -> str:
        return f"SignatureScheme(header={self.header!r})"


class GenericWebhook:
    """An account at a provider that settings describe. Implements `Dialect`.

    Args:
        provider: The provider's name.
        account: The account's name in settings.
        pointers: Pointers to the fields of a report.
        statuses: The meanings of the provider's statuses.
        details: The published name of each detail, with a pointer to it.
        where: Pointers with allowed values; a callback with any other value is ignored.
        signature: How callbacks are signed; None if they aren't.
        timezone: The time zone of times that come without one.
    """

    methods: frozenset[str] = frozenset({"POST"})

    def __init__(
        self,
        provider: str,
        account: str,
        *,
        pointers: CallbackPointers,
        statuses: Mapping[str, Verdict],
        details: Mapping[str, str] = {},
        where: Mapping[str, tuple[str, ...]] = {},
        signature: SignatureScheme | None = None,
        timezone: tzinfo = UTC,
    ) -> None:
        self.provider, self.account = provider, account
        self._pointers = {name: parse_pointer(pointer) for name, pointer in pointers._asdict().items() if pointer}
        self._details = {name: parse_pointer(pointer) for name, pointer in details.items()}
        self.known_paths = frozenset({make_path(self._pointers["id"])})
        self._where = [
            (parse_pointer(pointer), {normalize_status(value) for value in values}) for pointer, values in where.items()
        ]
        self._signature = signature
        self.signature_header: str | None = signature.header.lower() if signature else None
        self._report_builder = ReportBuilder(
            provider, account, tables=(statuses,), normalize=normalize_status, timezone=timezone
        )

    def __repr__(self) -> str:
        return f"GenericWebhook(provider={self.provider!r}, account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """Parse a JSON or form callback; None if `where` excludes it.

        Raises:
            InvalidSignatureError: Callbacks are signed, and the signature is wrong or missing.
            PoisonMessageError: It can't be parsed.
        """
        self._check_signature(callback)
        raw = decode_original(callback)
        document = parse_json(raw) if is_json(callback) else dict(parse_qsl(raw, errors="surrogateescape"))
        if not all(normalize_status(str(_find(document, steps))) in allowed for steps, allowed in self._where):
            return None
        values = {name: _find(document, steps) for name, steps in self._pointers.items()}
        texts = {name: parse_optional(_find(document, steps)) for name, steps in self._details.items()}
        details = {name: text for name, text in texts.items() if text is not None}
        fields = ReportedFields(values.get("status"), values.get("error"), values.get("time"), details)
        message_id = parse_id(values.get("id"))
        return self._report_builder.build(message_id, fields, raw=raw, source=Source.CALLBACK, observed_at=observed_at)

    def _check_signature(self, callback: Callback) -> None:
        if self._signature is None:
            return
        digest = hmac.digest(self._signature.secret.encode(errors="surrogateescape"), callback.body, "sha256")
        expected = ENCODINGS[self._signature.encoding](digest)
        # Some providers write the algorithm before it, as in `sha256=...`.
        received = (callback.signature or "").strip().removeprefix("sha256=").encode(errors="replace")
        if self._signature.encoding == "hex":
            received = received.lower()
        if not hmac.compare_digest(received, expected):
            raise InvalidSignatureError("the callback's signature is wrong or missing")


def _find(document: Any, steps: Steps) -> Any:
    return find_value(document, steps, _select_only_item)


def _select_only_item(items: list[Any], step: str) -> Any:
    """Select the item of a list of one.

    Raises:
        PoisonMessageError: The list holds several messages: reading one of them would lose the others.
    """
    if len(items) > 1:
        raise make_unreadable_error("the callback is about several messages")
    return items[0] if items and step == "0" else None
