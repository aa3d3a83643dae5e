"""A provider that only settings describe."""

import hmac
import json
from base64 import b64encode
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import UNSET

from bridge.core.delivery import CodeMeaning, Reason, Status, Verdict
from bridge.core.entries import Part, Report
from bridge.core.errors import InvalidSignatureError, PoisonMessageError
from bridge.core.id_forms import parse_id_forms
from bridge.providers.dialect import Callback
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook
from bridge.providers.report_rules import ReportRules
from bridge.providers.signatures import SignatureScheme
from tests.support.providers.reading import read_one

SECRET = "the-key-of-acme"
STATUSES = {"Ok": Verdict(Status.DELIVERED), "3": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True)}
BODY = b'{"id":"007","status":"OK"}'


def make_dialect(**settings: Any) -> GenericWebhook:
    """Make an account at Acme."""
    return GenericWebhook(
        "acme", "main", **{"pointers": CallbackPointers("/id", "/status"), "rules": ReportRules(STATUSES), **settings}
    )


def read(body: bytes, content_type: str = "application/json", **settings: Any) -> Report | None:
    """Parse a body."""
    return read_one(make_dialect(**settings), Callback("POST", "", content_type, body), 1)


def test_pointers_say_where_things_stand() -> None:
    """At any depth and with any name: slashes and tildes are escaped as in RFC 6901."""
    body = b'{"a/b":[{"c~d":12345678901234567890}],"s":3,"e":{"n":404},"t":"2025-07-15 12:00:00","p":0.0110}'
    report = read(
        body,
        pointers=CallbackPointers("/a~1b/0/c~0d", "/s", "/e/n", "/t"),
        details={"price": "/p", "tat": "/none"},
        rules=ReportRules(STATUSES, timezone=ZoneInfo("Europe/Berlin")),
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


def test_a_word_that_the_table_lacks_is_unmapped() -> None:
    """An unmapped status is journaled as it is, and changes nothing."""
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
def test_what_cannot_be_read_is_poison(body: bytes) -> None:
    """It becomes a dead letter, so that a wrong pointer is noticed."""
    with pytest.raises(PoisonMessageError):
        read(body)


def test_no_message_of_several_gets_lost() -> None:
    """A callback about two messages becomes a dead letter, because single of them would be lost."""
    pointers = CallbackPointers("/results/0/id", "/results/0/status")
    single = b'{"results":[{"id":"7","status":"OK"}]}'
    assert read(single, pointers=pointers) is not None
    with pytest.raises(PoisonMessageError, match="several"):
        read(single.replace(b"]", b',{"id":"8","status":"OK"}]'), pointers=pointers)


def test_a_report_may_have_several_errors() -> None:
    """The pointer says which one counts: only ids and statuses tell that a callback is about several messages."""
    body = b'{"id":7,"status":"3","errors":[{"code":1,"text":"a"},{"code":2,"text":"b"}]}'
    pointers = CallbackPointers("/id", "/status", "/errors/1/code")
    report = read(body, pointers=pointers, details={"network_id": "/errors/0/text", "price": "/errors/2/text"})
    assert report is not None
    assert (report.provider_code, report.provider_details) == ("2", {"network_id": "a"})


@pytest.mark.parametrize(("event", "ignored"), [("dlr", False), (" DLR", False), ("click", True), (None, True)])
def test_what_is_about_something_else_is_ignored(event: str | None, *, ignored: bool) -> None:
    """Callbacks that `where` excludes are ignored."""
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
def test_a_right_signature_opens_the_door(encoding: str, signature: str) -> None:
    """The signature is accepted in the provider's encoding."""
    dialect = make_dialect(signature=SignatureScheme("X-Acme-Signature", (SECRET,), encodings=(encoding,)))
    assert (
        read_one(dialect, Callback("POST", "", "application/json", BODY, {"x-acme-signature": signature}), 1)
        is not None
    )


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("signature", [None, "", "ü", "\ud800", DIGEST.hex()[:-1] + "x", b64encode(b"x" * 32).decode()])
@pytest.mark.parametrize("body", [BODY, b"id=7&status=ok"])
def test_a_wrong_signature_does_not(encoding: str, signature: str | None, body: bytes) -> None:
    """JSON and forms are rejected alike, and the error reveals no secret."""
    dialect = make_dialect(signature=SignatureScheme("X-Acme-Signature", (SECRET,), encodings=(encoding,)))
    with pytest.raises(InvalidSignatureError) as raised:
        read_one(dialect, Callback("POST", "", "", body, {"x-acme-signature": signature}), 1)
    assert SECRET not in str(raised.value)


def test_secrets_do_not_show() -> None:
    """No representation of a dialect or a signature has the secret."""
    signature = SignatureScheme("X-Acme", (SECRET,))
    assert SECRET not in repr(signature)
    assert SECRET not in str(signature)
    assert repr(make_dialect(signature=signature)) == "GenericWebhook(provider='acme', account='main')"


def test_codes_refine_what_was_not_delivered() -> None:
    """A code says why; a delivered message has no reason, and an unmapped status stays so."""
    rules = ReportRules(
        {"ok": Verdict(Status.DELIVERED), "no": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED)},
        {"30003": CodeMeaning(None, Reason.ABSENT_SUBSCRIBER, permanent=False), "7": CodeMeaning(Status.REJECTED)},
    )
    pointers = CallbackPointers("/id", "/status", "/code")
    for status, code, verdict in (
        ("no", "30003", Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER, permanent=False)),
        ("no", "7", Verdict(Status.REJECTED, Reason.UNSPECIFIED)),
        ("no", "8", Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED)),
        ("ok", "7", Verdict(Status.DELIVERED)),
        ("hm", "7", None),
    ):
        report = read(f'{{"id":1,"status":"{status}","code":{code}}}'.encode(), pointers=pointers, rules=rules)
        assert report is not None
        assert (report.verdict, report.provider_code) == (verdict, code)


def test_ids_are_compared_in_one_form() -> None:
    """Of reports and of answers; the form is the account's."""
    rules = ReportRules(STATUSES, id_forms=parse_id_forms(["casefold", "strip-leading-zeros", "cut::"]))
    report = read(b'{"id":"00AB-7:1","status":"ok"}', rules=rules)
    assert report is not None
    assert report.provider_message_id == "ab-7"


@pytest.mark.parametrize(
    ("part", "parts", "expected"),
    [
        (1, 3, Part("1", 3)),
        ("2", "2", Part("2", 2)),
        (1, 1, UNSET),
        (1, None, UNSET),
        (None, 3, UNSET),
        (1, 256, UNSET),
        (1, "0000000029999", UNSET),
        (1, "2" + "9" * 30, UNSET),
        (1, "0003", Part("1", 3)),
    ],
)
def test_a_report_may_be_about_a_part(part: object, parts: object, expected: object) -> None:
    """If it says of how many."""
    body = json.dumps({"id": 1, "status": "ok", "n": part, "of": parts}).encode()
    report = read(body, pointers=CallbackPointers("/id", "/status", part="/n", parts="/of"))
    assert report is not None
    assert report.part == expected
