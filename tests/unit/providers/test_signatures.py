"""Signatures of callbacks: what a key signed is accepted, and nothing else is."""

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.core.errors import InvalidSignatureError
from bridge.providers.dialect import Callback
from bridge.providers.signatures import SCHEMES, SignatureChecker, SignatureScheme

NOW = 1_769_860_800_000
STAMP = str(NOW // 1000)
KEY = "the-key-of-the-signature"
BODY = b'{"id":"7"}'
FORM = "application/x-www-form-urlencoded"
URL = "https://sms.example/dlr/acme/secret"


def sign(text: bytes, algorithm: str = "sha256", key: bytes = KEY.encode()) -> bytes:
    """Make an HMAC."""
    return hmac.digest(key, text, algorithm)


class Signed(NamedTuple):
    """A scheme, and a callback that it accepts."""

    scheme: SignatureScheme
    callback: Callback


def make(scheme: SignatureScheme, headers: dict[str, str], body: bytes = BODY, **more: str) -> Signed:
    """Make a scheme with a callback."""
    callback = Callback("POST", more.get("query", ""), more.get("type", ""), body, headers, "/dlr/acme/secret")
    return Signed(scheme._replace(secrets=("another-key-of-theirs", *(scheme.secrets or (KEY,)))), callback)


STAMPED = f"{STAMP}.".encode() + BODY
STANDARD = SCHEMES["standard-webhooks"]
TWILIO = SCHEMES["twilio"]
STANDARD_TEXT = f"msg_1.{STAMP}.".encode() + BODY
STANDARD_HEADERS = {"webhook-id": "msg_1", "webhook-timestamp": STAMP}

SAMPLES = {
    "raw body": make(SignatureScheme("X-Sig"), {"x-sig": sign(BODY).hex()}),
    "with the algorithm": make(SignatureScheme("X-Sig"), {"x-sig": f"sha256={sign(BODY).hex()}"}),
    "sha512 in base64": make(
        SignatureScheme("X-Sig", algorithm="sha512", encodings=("base64",)),
        {"x-sig": b64encode(sign(BODY, "sha512")).decode()},
    ),
    "own prefix": make(SignatureScheme("X-Sig", prefix="v0="), {"x-sig": f"v0={sign(BODY).hex()}"}),
    "timestamp and body": make(
        SignatureScheme("X-Sig", template="{timestamp}.{body}", timestamp_header="X-Time"),
        {"x-sig": sign(STAMPED).hex(), "x-time": STAMP},
    ),
    "both in one header": make(
        SignatureScheme("X-Sig", template="{timestamp}.{body}", prefix="v1="),
        {"x-sig": f"t={STAMP},v1={'0' * 64}, v1={sign(STAMPED).hex()},v0=zz"},
    ),
    "key in base64": make(
        SignatureScheme("X-Sig", secrets=(b64encode(b"\0binary\xff").decode(),), key_encodings=("base64",)),
        {"x-sig": sign(BODY, key=b"\0binary\xff").hex()},
    ),
    "standard webhooks": make(
        STANDARD, {**STANDARD_HEADERS, "webhook-signature": f"v1,AAAA v1,{b64encode(sign(STANDARD_TEXT)).decode()}"}
    ),
    "standard webhooks, whsec": make(
        STANDARD._replace(secrets=(f"whsec_{b64encode(b'a-binary-key').decode()}",)),
        {
            **STANDARD_HEADERS,
            "webhook-signature": f"v1,{b64encode(sign(STANDARD_TEXT, key=b'a-binary-key')).decode()}",
        },
    ),
    "twilio, public URL": make(
        TWILIO._replace(public_url="https://sms.example/"),
        {"x-twilio-signature": b64encode(sign(f"{URL}?x=1A2Bb c".encode(), "sha1")).decode()},
        b"B=b+c&A=2",
        query="x=1",
        type=f"{FORM}; charset=UTF-8",
    ),
    "twilio, by Host": make(
        TWILIO,
        {"x-twilio-signature": b64encode(sign(f"{URL}A1".encode(), "sha1")).decode(), "host": "sms.example"},
        b"A=1",
        type=FORM,
    ),
    "twilio, JSON": make(
        TWILIO,
        {
            "x-twilio-signature": b64encode(
                sign(f"{URL}?bodySHA256={sha256(BODY).hexdigest()}".encode(), "sha1")
            ).decode(),
            "host": "sms.example",
        },
        query=f"bodySHA256={sha256(BODY).hexdigest()}",
        type="application/json",
    ),
}


@pytest.mark.parametrize("signed", SAMPLES.values(), ids=SAMPLES)
def test_a_signed_callback_is_accepted(signed: Signed) -> None:
    """By either of two keys."""
    SignatureChecker(signed.scheme).check(signed.callback, NOW)


@pytest.mark.parametrize("signed", SAMPLES.values(), ids=SAMPLES)
def test_any_change_is_refused(signed: Signed) -> None:
    """Of the key, the body, the headers."""
    scheme, callback = signed
    headers = dict(callback.headers)  # type: ignore[call-overload]  # it is a dictionary here
    wrong = [
        (scheme._replace(secrets=("the-wrong-key-of-all",)), callback),
        (scheme._replace(secrets=()), callback),
        (scheme, replace(callback, body=callback.body + b" ")),
        (scheme, replace(callback, headers={})),
        *((scheme, replace(callback, headers=headers | {name: "x"})) for name in headers),
        *((scheme, replace(callback, headers=headers | {name: "\ud800ü"})) for name in headers),
    ]
    for changed_scheme, changed in wrong:
        with pytest.raises(InvalidSignatureError):
            SignatureChecker(changed_scheme).check(changed, NOW)


@pytest.mark.parametrize("name", ["timestamp and body", "both in one header", "standard webhooks"])
def test_a_replay_is_refused_after_the_tolerance(name: str) -> None:
    """Before it, the fold drops repeats."""
    scheme, callback = SAMPLES[name]
    checker = SignatureChecker(scheme)
    for now in (NOW + scheme.tolerance_ms, NOW - scheme.tolerance_ms):
        checker.check(callback, now)
    for now in (NOW + scheme.tolerance_ms + 1, NOW - scheme.tolerance_ms - 1):
        with pytest.raises(InvalidSignatureError):
            checker.check(callback, now)


def test_an_unsigned_body_is_refused() -> None:
    """A query's signature says nothing about another body."""
    scheme, callback = SAMPLES["twilio, JSON"]
    with pytest.raises(InvalidSignatureError):
        SignatureChecker(scheme).check(replace(callback, body=b"{}"), NOW)


@given(st.sampled_from(sorted(SCHEMES)), st.text(), st.text(), st.binary(), st.text(max_size=40))
def test_no_header_is_fatal(name: str, signature: str, stamp: str, body: bytes, query: str) -> None:
    """Whatever it is, the callback is refused."""
    scheme = SCHEMES[name]._replace(header=SCHEMES[name].header or "x-sig", secrets=(KEY,))
    headers = {scheme.header: signature, "webhook-timestamp": stamp, "webhook-id": stamp}
    with pytest.raises(InvalidSignatureError):
        SignatureChecker(scheme).check(Callback("POST", query, FORM, body, headers), NOW)


def test_secrets_do_not_show() -> None:
    """In no representation."""
    assert KEY not in repr(SCHEMES["hmac"]._replace(secrets=(KEY,)))


def test_what_is_not_signed_does_not_count() -> None:
    """A query that the signature doesn't cover is left out, and a callback without a body is refused."""
    scheme, callback = SAMPLES["raw body"]
    checker = SignatureChecker(scheme)
    assert checker.check(replace(callback, query="status=delivered"), NOW).query == ""
    empty = replace(callback, query="id=7&status=delivered", body=b"", headers={"x-sig": sign(b"").hex()})
    with pytest.raises(InvalidSignatureError):
        checker.check(empty, NOW)
    scheme, callback = SAMPLES["twilio, public URL"]
    assert SignatureChecker(scheme).check(callback, NOW).query == "x=1"
