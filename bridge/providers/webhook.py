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
from bridge.core.errors import Unauthentic
from bridge.providers.dialect import Callback
from bridge.providers.reading import document_of, id_of, is_json, optional_word, original_text, unreadable
from bridge.providers.reports import RECIPIENT_MEMBERS, Found, Reporter, folded

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"hex": lambda digest: digest.hex().encode(), "base64": b64encode}
"""How a signature is written."""

DETAILS = ("mccmnc", "segments", "price", "network_id", "tat")
"""What may be passed on verbatim."""

Steps = tuple[str, ...]


class Pointers(NamedTuple):
    """JSON pointers (RFC 6901) into a callback; of a form's parameters, `/name`. None: the provider doesn't say."""

    id: str
    status: str
    error: str | None = None
    time: str | None = None


class Signature(NamedTuple):
    """How callbacks are signed: HMAC-SHA256 of the raw body."""

    header: str
    secret: str
    encoding: str = "hex"
    """One of `ENCODINGS`."""

    def __repr__(self) -> str:
        return f"Signature(header={self.header!r})"


class Webhook:
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
        pointers: Pointers,
        statuses: Mapping[str, Verdict],
        details: Mapping[str, str] = {},
        where: Mapping[str, tuple[str, ...]] = {},
        signature: Signature | None = None,
        timezone: tzinfo = UTC,
    ) -> None:
        self.provider, self.account = provider, account
        self._places = {name: steps(pointer) for name, pointer in pointers._asdict().items() if pointer}
        self._details = {name: steps(pointer) for name, pointer in details.items()}
        self._where = [(steps(pointer), {folded(value) for value in values}) for pointer, values in where.items()]
        self._signature = signature
        self.signature_header: str | None = signature.header.lower() if signature else None
        self._reporter = Reporter(provider, account, tables=(statuses,), normalised=folded, timezone=timezone)

    def __repr__(self) -> str:
        return f"Webhook(provider={self.provider!r}, account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """What a JSON or form callback says; None where `where` says that it is about something else.

        Raises:
            Unauthentic: Its signature is wrong or missing, though there should be one.
            Poison: It can't be read.
        """
        self._check_signature(callback)
        raw = original_text(callback)
        document = document_of(raw) if is_json(callback) else dict(parse_qsl(raw, errors="surrogateescape"))
        if not all(folded(str(_at(document, place))) in allowed for place, allowed in self._where):
            return None
        said = {name: _at(document, place) for name, place in self._places.items()}
        extras = {name: optional_word(_at(document, place)) for name, place in self._details.items()}
        details = {name: text for name, text in extras.items() if text is not None}
        found = Found(said.get("status"), said.get("error"), said.get("time"), details)
        message_id = id_of(said.get("id"))
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
            raise Unauthentic("the callback's signature is wrong or missing")


def steps(pointer: str) -> Steps:
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
        Poison: The way leads into a list of several: one callback tells of one message, and none may get lost.
    """
    for step in place:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list):
            if len(document) > 1:
                raise unreadable("the callback is about several messages")
            document = document[0] if document and step == "0" else None
        else:
            return None
    return document
