"""Checks the signatures of callbacks: an HMAC of a text that a template describes, whatever a provider calls it. Pure.

`SCHEMES` has what the well-known schemes have in common with any other; settings overrule each of their members.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl

from msgspec.structs import replace

from bridge.core.errors import InvalidSignatureError
from bridge.core.time_formats import parse_time
from bridge.providers.dialect import Callback
from bridge.providers.urlencoded import MAX_FIELDS

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"hex": lambda digest: digest.hex().encode(), "base64": b64encode}
"""The encodings of a signature."""

MAX_SIGNATURES = 16
"""The most signatures of one callback that are compared: a sender that changes its key sends two."""

MAX_CLOCK_YEARS_MS = 100 * 365 * 86_400_000

_BASE64_PREFIX = "whsec_"
"""Before a secret in base64 (Standard Webhooks, "Signature scheme")."""

_PLACEHOLDER = re.compile(r"\{(body|timestamp|id|url|parameters)\}")
_FORM_TYPE = "application/x-www-form-urlencoded"


class SignatureScheme(NamedTuple):
    """How callbacks are signed."""

    header: str
    """The header with the signature, or several of them, separated by blanks or commas."""
    secrets: tuple[str, ...] = ()
    """The keys; any of them may have signed."""
    algorithm: str = "sha256"
    """The hash function of the HMAC."""
    encodings: tuple[str, ...] = ("hex",)
    """Out of `ENCODINGS`."""
    prefix: str = ""
    """What stands before a signature, such as `v1=`. Without it, `sha256=` and the like may."""
    template: str = "{body}"
    """What is signed: text with `{body}`, `{timestamp}`, `{id}`, `{url}` and `{parameters}`."""
    timestamp_header: str = ""
    """The header with the timestamp; empty if it is in the signature's header, as `t=`."""
    id_header: str = ""
    """The header with the callback's id."""
    tolerance_ms: int = 300_000
    """How far a timestamp may be from now."""
    key_encodings: tuple[str, ...] = ("text",)
    """How the secrets are written: `text` or `base64`."""
    public_url: str = ""
    """The URL of the bridge as the provider sees it; empty: as the request's `Host` says."""

    def __repr__(self) -> str:
        return f"SignatureScheme(header={self.header!r})"


SCHEMES: Mapping[str, SignatureScheme] = {
    "hmac": SignatureScheme(""),
    # github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
    "standard-webhooks": SignatureScheme(
        "webhook-signature",
        encodings=("base64",),
        prefix="v1,",
        template="{id}.{timestamp}.{body}",
        timestamp_header="webhook-timestamp",
        id_header="webhook-id",
        key_encodings=("base64", "text"),
    ),
    # twilio.com/docs/usage/webhooks/webhooks-security
    "twilio": SignatureScheme(
        "x-twilio-signature", algorithm="sha1", encodings=("base64",), template="{url}{parameters}"
    ),
}
"""The schemes that settings may name; what they leave out is the user's to say."""


class SignatureChecker:
    """Checks the signatures of an account's callbacks.

    Args:
        scheme: How they are signed.
    """

    def __init__(self, scheme: SignatureScheme) -> None:
        self._scheme = scheme
        self._header = scheme.header.lower()
        self._keys = list(_decode_keys(scheme))
        self._prefixes = (scheme.prefix,) if scheme.prefix else (f"{scheme.algorithm}=", "")
        self._template = _PLACEHOLDER.split(scheme.template)

    def check(self, callback: Callback, now: int) -> Callback:
        """Check a callback's signature.

        Args:
            callback: The callback.
            now: The time, in milliseconds since the epoch.

        Returns:
            What is signed of it: without its query, unless the URL is signed.

        Raises:
            InvalidSignatureError: It is wrong, missing or too old, or there is nothing that it could cover.
        """
        covers_url = "url" in self._template
        if not callback.body and not covers_url:
            raise InvalidSignatureError("the callback has no body, and its URL isn't signed")
        header = str(callback.headers.get(self._header) or "")
        signatures = self._find_signatures(header)
        if not signatures:
            raise InvalidSignatureError("the callback isn't signed")
        texts = list(self._sign_texts(callback, header, now))
        # Every key, text and signature is compared, so that the time taken reveals nothing.
        matches = [
            hmac.compare_digest(expected, signature.lower() if encoding == "hex" else signature)
            for key in self._keys
            for text in texts
            for digest in (hmac.digest(key, text, self._scheme.algorithm),)
            for encoding in self._scheme.encodings
            for expected in (ENCODINGS[encoding](digest),)
            for signature in signatures
        ]
        if not any(matches):
            raise InvalidSignatureError("the callback's signature is wrong")
        return callback if covers_url else replace(callback, query="")

    def _find_signatures(self, header: str) -> list[bytes]:
        parts = {header.strip(), *header.split(), *(part.strip() for part in header.split(","))}
        found = {
            part.removeprefix(prefix) for part in parts for prefix in self._prefixes if part and part.startswith(prefix)
        }
        return [text.encode("utf-8", "replace") for text in sorted(found)[:MAX_SIGNATURES]]

    def _sign_texts(self, callback: Callback, header: str, now: int) -> Iterable[bytes]:
        """Make what the signature may be of: one text, or one for each URL that the provider may have called."""
        scheme = self._scheme
        values = {"body": callback.body}
        if "timestamp" in self._template:
            timestamp = _find_timestamp(callback, header, scheme.timestamp_header)
            moment = parse_time(timestamp, now + MAX_CLOCK_YEARS_MS)
            if moment is None or abs(now - moment) > scheme.tolerance_ms:
                raise InvalidSignatureError("the callback's timestamp is missing, or too far from now")
            values["timestamp"] = timestamp.encode("utf-8", "replace")
        if "id" in self._template:
            values["id"] = _read_header(callback, scheme.id_header)
        if "parameters" in self._template:
            values["parameters"] = _join_parameters(callback)
        for url in _list_urls(callback, scheme.public_url) if "url" in self._template else ("",):
            values["url"] = url.encode("utf-8", "replace")
            # Every second part is a placeholder's name.
            yield b"".join(values[part] if index % 2 else part.encode() for index, part in enumerate(self._template))


def _decode_keys(scheme: SignatureScheme) -> Iterable[bytes]:
    for secret in scheme.secrets:
        is_base64 = secret.startswith(_BASE64_PREFIX)
        if is_base64 or "base64" in scheme.key_encodings:
            with suppress(ValueError):
                yield b64decode(secret.removeprefix(_BASE64_PREFIX), validate=True)
        if not is_base64 and "text" in scheme.key_encodings:
            yield secret.encode(errors="surrogateescape")


def _read_header(callback: Callback, name: str) -> bytes:
    return str(callback.headers.get(name.lower()) or "").encode("utf-8", "replace")


def _find_timestamp(callback: Callback, header: str, name: str) -> str:
    if name:
        return str(callback.headers.get(name.lower()) or "")
    return next((part.strip()[2:] for part in header.split(",") if part.strip().startswith("t=")), "")


def _list_urls(callback: Callback, public_url: str) -> Iterable[str]:
    rest = callback.path + (f"?{callback.query}" if callback.query else "")
    if public_url:
        return (public_url.rstrip("/") + rest,)
    host = callback.headers.get("host") or ""
    return (f"https://{host}{rest}", f"http://{host}{rest}")


def _join_parameters(callback: Callback) -> bytes:
    """Join a form's fields, sorted by name. Another body is signed by its hash, in the query's `bodySHA256`.

    Raises:
        InvalidSignatureError: There is a body that isn't signed.
    """
    text = callback.body.decode("utf-8", "surrogateescape")
    if callback.content_type.partition(";")[0].strip().lower() in {_FORM_TYPE, ""}:
        try:
            fields = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise InvalidSignatureError(f"there are more than {MAX_FIELDS} fields") from None
        pairs = sorted(set(fields))
        return "".join(name + value for name, value in pairs).encode("utf-8", "surrogateescape")
    claimed = parse_qs(callback.query).get("bodySHA256", [""])[0]
    if not hmac.compare_digest(claimed.lower().encode(), sha256(callback.body).hexdigest().encode()):
        raise InvalidSignatureError("the callback's body isn't signed")
    return b""
