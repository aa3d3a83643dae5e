"""Any provider that calls back, described by settings alone: where things stand in its callbacks, what its words mean.

It is never asked. A provider that wants more than this table can say gets a dialect of its own beside the others.
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
from bridge.providers.dialect import Callback
from bridge.providers.parsing import (
    decode_original,
    is_json,
    parse_id,
    parse_json,
    parse_optional,
    unreadable_error,
)
from bridge.providers.report_builder import RECIPIENT_MEMBERS, ReportBuilder, ReportedFields, normalize_status

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"hex": lambda digest: digest.hex().encode(), "base64": b64encode}
"""How a signature is written."""

Steps = tuple[str, ...]


class CallbackPointers(NamedTuple):
    """JSON pointers (RFC 6901) into a callback; of a form's parameters, `/name`. None: the provider doesn't say."""

    id: str
    status: str
    error: str | None = None
    time: str | None = None


class SignatureScheme(NamedTuple):
    """How callbacks are signed: HMAC-SHA256 of the raw body."""

    header: str
    secret: str
    encoding: str = "hex"
    """One of `ENCODINGS`."""

    def __repr__(self) -> str:
        return f"Signature(header={self.header!r})"


class GenericWebhook:
    """One account at a provider known by settings. Implements `Dialect`.

    Args:
        provider: The provider's name.
        account: The account's name in settings.
        pointers: Where a callback holds what.
        statuses: What the provider's words mean; there is no table but this.
        details: Our name of each extra that is passed on, and a pointer to it.
        where: Pointers to what must have one of these values, or the callback is about something else.
        signature: How callbacks are signed; None: they aren't.
        timezone: Where the provider's clock hangs, for times that don't say.
    """

    methods: frozenset[str] = frozenset({"POST"})
    recipient_members: frozenset[str] = RECIPIENT_MEMBERS

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
        self._places = {name: parse_pointer(pointer) for name, pointer in pointers._asdict().items() if pointer}
        self._details = {name: parse_pointer(pointer) for name, pointer in details.items()}
        self._where = [
            (parse_pointer(pointer), {normalize_status(value) for value in values}) for pointer, values in where.items()
        ]
        self._signature = signature
        self.signature_header: str | None = signature.header.lower() if signature else None
        self._reporter = ReportBuilder(
            provider, account, tables=(statuses,), normalised=normalize_status, timezone=timezone
        )

    def __repr__(self) -> str:
        return f"Webhook(provider={self.provider!r}, account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """What a JSON or form callback says; None where `where` says that it is about something else.

        Raises:
            InvalidSignatureError: Its signature is wrong or missing, though there should be one.
            PoisonMessageError: It can't be read.
        """
        self._check_signature(callback)
        raw = decode_original(callback)
        document = parse_json(raw) if is_json(callback) else dict(parse_qsl(raw, errors="surrogateescape"))
        if not all(normalize_status(str(_at(document, place))) in allowed for place, allowed in self._where):
            return None
        said = {name: _at(document, place) for name, place in self._places.items()}
        extras = {name: parse_optional(_at(document, place)) for name, place in self._details.items()}
        details = {name: text for name, text in extras.items() if text is not None}
        found = ReportedFields(said.get("status"), said.get("error"), said.get("time"), details)
        message_id = parse_id(said.get("id"))
        return self._reporter.report(message_id, found, raw=raw, source=Source.CALLBACK, observed_at=observed_at)

    def _check_signature(self, callback: Callback) -> None:
        if self._signature is None:
            return
        digest = hmac.digest(self._signature.secret.encode(errors="surrogateescape"), callback.body, "sha256")
        wanted = ENCODINGS[self._signature.encoding](digest)
        # Some write the algorithm before it, as in `sha256=...`.
        given = (callback.signature or "").strip().removeprefix("sha256=").encode(errors="replace")
        if self._signature.encoding == "hex":
            given = given.lower()
        if not hmac.compare_digest(given, wanted):
            raise InvalidSignatureError("the callback's signature is wrong or missing")


def parse_pointer(pointer: str) -> Steps:
    """A JSON pointer's steps.

    Raises:
        ValueError: It is none: it doesn't begin with a slash.
    """
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} should be a JSON pointer such as /data/id")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _at(document: Any, place: Steps) -> Any:
    """What stands there, or None.

    Raises:
        PoisonMessageError: The pointer leads into a list of several messages, and none of them may get lost.
    """
    for step in place:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list):
            if len(document) > 1:
                raise unreadable_error("the callback is about several messages")
            document = document[0] if document and step == "0" else None
        else:
            return None
    return document
