"""A provider that is only configured."""

import hmac
from base64 import b64encode
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import InvalidSignatureError, PoisonMessageError
from bridge.providers.dialect import Callback
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook, SignatureScheme, parse_pointer

SECRET = "the-key-of-acme"
STATUSES = {"Ok": Verdict(Status.DELIVERED), "3": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True)}
BODY = b'{"id":"007","status":"OK"}'


def made(**settings: Any) -> GenericWebhook:
    """Return the dialect of an account at Acme."""
    return GenericWebhook(
        "acme", "main", **{"pointers": CallbackPointers("/id", "/status"), "statuses": STATUSES, **settings}
    )


def read(body: bytes, content_type: str = "application/json", **settings: Any) -> Report | None:
    """Parse a body."""
    return made(**settings).read_callback(Callback("POST", "", content_type, None, body), 1)


def test_pointers_select_members() -> None:
    """At any depth; slashes and tildes in names are escaped as in RFC 6901."""
    body = b'{"a/b":[{"c~d":12345678901234567890}],"s":3,"e":{"n":404},"t":"2025-07-15 12:00:00","p":0.0110}'
    report = read(
        body,
        pointers=CallbackPointers("/a~1b/0/c~0d", "/s", "/e/n", "/t"),
        details={"price": "/p", "tat": "/none"},
        timezone=ZoneInfo("Europe/Berlin"),
    )
    assert report is not None
    assert (report.provider, report.account, report.provider_message_id) == ("acme", "main", "12345678901234567890")
    assert report.verdict == STATUSES["3"]
    assert (report.provider_status, report.provider_code) == ("3", "404")
    assert report.provider_details == {"price": "0.0110"}
    assert report.provider_time == 1_752_573_600_000
    assert report.raw.encode() == body


def test_form_parameters_are_members() -> None:
    """A provider may post forms."""
    report = read(b"id=0%2042&status=ok", "application/x-www-form-urlencoded")
    assert report is not None
    assert (report.provider_message_id, report.verdict) == ("0 42", STATUSES["Ok"])


def test_unknown_status_is_unmapped() -> None:
    """It is journaled unchanged and has no verdict."""
    report = read(b'{"id":1,"status":"Bounced"}')
    assert report is not None
    assert (report.verdict, report.provider_status) == (None, "Bounced")


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"OK"}',
        b'{"id":"7"}',
        b'{"id":"{id}","status":"OK"}',
        b'{"id":{"x":1},"status":"OK"}',
        b'[{"id":"7","status":"OK"}]',
        b'"7"',
        b"",
        b"{",
        b"\xff",
    ],
)
def test_unreadable_input_is_poison(body: bytes) -> None:
    """It becomes a dead letter, which shows that a pointer is wrong."""
    with pytest.raises(PoisonMessageError):
        read(body)


def test_several_messages_are_poison() -> None:
    """A callback about two messages becomes a dead letter, so that none is lost."""
    pointers = CallbackPointers("/results/0/id", "/results/0/status")
    one = b'{"results":[{"id":"7","status":"OK"}]}'
    assert read(one, pointers=pointers) is not None
    with pytest.raises(PoisonMessageError, match="several"):
        read(one.replace(b"]", b',{"id":"8","status":"OK"}]'), pointers=pointers)


@pytest.mark.parametrize(("event", "ignored"), [("dlr", False), (" DLR", False), ("click", True), (None, True)])
def test_filtered_callbacks_are_ignored(event: str | None, *, ignored: bool) -> None:
    """If settings say which callbacks are reports, the others are ignored."""
    body = BODY.replace(b"}", b',"event":%s}' % (f'"{event}"'.encode() if event else b"null"))
    assert (read(body, where={"/event": ("dlr", "status")}) is None) is ignored


DIGEST = hmac.digest(SECRET.encode(), BODY, "sha256")


@pytest.mark.parametrize(
    ("encoding", "signature"),
    [
        ("hex", DIGEST.hex()),
        ("hex", f" {DIGEST.hex().upper()}"),
        ("hex", f"sha256={DIGEST.hex()}"),
        ("base64", b64encode(DIGEST).decode()),
    ],
)
def test_valid_signature_is_accepted(encoding: str, signature: str) -> None:
    """In each configured format."""
    dialect = made(signature=SignatureScheme("X-Acme-Signature", SECRET, encoding))
    assert dialect.signature_header == "x-acme-signature"
    assert dialect.read_callback(Callback("POST", "", "application/json", signature, BODY), 1) is not None


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("signature", [None, "", "ü", "\ud800", DIGEST.hex()[:-1] + "x", b64encode(b"x" * 32).decode()])
@pytest.mark.parametrize("body", [BODY, b"id=7&status=ok"])
def test_invalid_signature_is_refused(encoding: str, signature: str | None, body: bytes) -> None:
    """For JSON and forms; the error contains no secret."""
    dialect = made(signature=SignatureScheme("X-Acme-Signature", SECRET, encoding))
    with pytest.raises(InvalidSignatureError) as raised:
        dialect.read_callback(Callback("POST", "", "", signature, body), 1)
    assert SECRET not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    """The representation contains no secret."""
    signature = SignatureScheme("X-Acme", SECRET)
    assert SECRET not in repr(signature)
    assert SECRET not in str(signature)
    assert repr(made(signature=signature)) == "Webhook(provider='acme', account='main')"


def test_pointer_starts_with_a_slash() -> None:
    """A name without a slash is refused."""
    assert parse_pointer("/") == ("",)
    with pytest.raises(ValueError, match="JSON pointer"):
        parse_pointer("id")
