"""Dexatel: statuses, signatures, times and poll requests."""

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import InvalidSignatureError, PoisonMessageError, PollFailedError
from bridge.providers.dexatel import CALLBACK_NAMES, STATUSES, Dexatel
from bridge.providers.dialect import Callback, PollAnswer, PollRequest
from bridge.providers.report_rules import ReportRules
from tests.support.providers.reading import read_one

WORDS: Mapping[str, Verdict] = {
    "scheduled": Verdict(Status.SCHEDULED, Reason.NONE, None),
    "pending": Verdict(Status.PENDING, Reason.NONE, None),
    "enroute": Verdict(Status.PENDING, Reason.NONE, None),
    "sent": Verdict(Status.SENT, Reason.NONE, None),
    "delivered": Verdict(Status.DELIVERED, Reason.NONE, None),
    "seen": Verdict(Status.DELIVERED, Reason.NONE, None),
    "failed": Verdict(Status.FAILED, Reason.UNSPECIFIED, None),
    "rejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
    "expired": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
}
SECRET = "a-webhook-secret"
BODY = b'{"data":{"message_id":"77","event":"delivery","status":"DELIVERED"}}'


def get(query: str, **settings: Any) -> Report:
    """Parse a classic callback."""
    report = read_one(Dexatel("main", **settings), Callback("GET", query, "", b""), 1)
    assert report is not None
    return report


def post(body: bytes, signature: str | None = None, content_type: str = "application/json") -> Report | None:
    """Parse a webhook for an account that checks signatures."""
    return read_one(
        Dexatel("main", webhook_secret=SECRET),
        Callback("POST", "", content_type, body, {"x-dexatel-signature": signature}),
        1,
    )


def test_every_word_has_the_verdict_that_was_agreed() -> None:
    """The table has exactly these statuses, so that none is removed or added by accident."""
    assert STATUSES == WORDS


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("written", [str.lower, str.upper, str.title, lambda word: f" {word}\t"])
def test_a_word_is_known_in_any_case_and_keeps_its_writing(word: str, written: Any) -> None:
    """Webhooks write statuses in upper case, the classic API in lower case; the event has the original spelling."""
    body = json.dumps({"message_id": "77", "status": written(word)}).encode()
    report = read_one(Dexatel("main"), Callback("POST", "", "application/json", body), 1)
    assert report is not None
    assert report.verdict == WORDS[word]
    assert report.provider_status == written(word)


def test_settings_overrule_a_word_and_add_one() -> None:
    """A new or different status needs a setting, not a release."""
    words = {"Sent ": Verdict(Status.DELIVERED), "BOUNCED": Verdict(Status.FAILED, Reason.NETWORK)}
    assert get("id=7&status=sent", rules=ReportRules(words)).verdict == Verdict(Status.DELIVERED)
    assert get("id=7&status=bounced", rules=ReportRules(words)).verdict == Verdict(Status.FAILED, Reason.NETWORK)
    assert get("id=7&status=failed", rules=ReportRules(words)).verdict == WORDS["failed"]


@pytest.mark.parametrize("names", ["message_uuid uuid sms_unique_id message_id id", "status stat"])
def test_first_nonempty_of_synonyms(names: str) -> None:
    """An id of the customer's own system later in the query never replaces Dexatel's."""
    ranked = names.split()
    rest = "status=sent" if "id" in ranked else "id=7"
    for position, name in enumerate(ranked):
        before = "&".join(f"{empty}=" for empty in ranked[:position])
        after = "&".join(f"{other}=wrong" for other in reversed(ranked[position + 1 :]))
        report = get(f"{after}&{before}&{name.upper()}=right&{rest}")
        assert "right" in {report.provider_message_id, report.provider_status}


@pytest.mark.parametrize(
    "signature",
    [
        b64encode(hmac.new(SECRET.encode(), BODY, sha256).digest()).decode(),
        hmac.new(SECRET.encode(), BODY, sha256).hexdigest(),
        hmac.new(SECRET.encode(), BODY, sha256).hexdigest().upper(),
    ],
)
def test_a_rightly_signed_webhook_is_read(signature: str) -> None:
    """The vendor's samples have signatures in base64 or hex; both are accepted."""
    report = post(BODY, signature)
    assert report is not None
    assert report.provider_message_id == "77"


@pytest.mark.parametrize(
    "signature",
    [None, "", "ü", "\ud800", "0" * 64, hmac.new(b"another", BODY, sha256).hexdigest(), b64encode(b"0" * 32).decode()],
)
@pytest.mark.parametrize("content_type", ["application/json", "", "application/x-www-form-urlencoded"])
def test_a_wrongly_signed_webhook_is_turned_away(signature: str | None, content_type: str) -> None:
    """Without the secret, no callback is accepted, with any content type."""
    with pytest.raises(InvalidSignatureError) as raised:
        post(BODY, signature, content_type)
    assert SECRET not in str(raised.value)


def test_a_signature_covers_every_byte_of_the_body() -> None:
    """A modified body is rejected."""
    with pytest.raises(InvalidSignatureError):
        post(BODY.replace(b"77", b"78"), hmac.new(SECRET.encode(), BODY, sha256).hexdigest())


def test_a_signature_is_checked_before_the_body_is_read() -> None:
    """An unsigned body that can't be parsed is rejected with 401 and doesn't become a dead letter."""
    with pytest.raises(InvalidSignatureError):
        post(b'{"data":\xff')


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_secret_closes_unsigned_ways_in(method: str) -> None:
    """With a secret, a classic callback is refused, because anybody could send it; a setting accepts it."""
    form = "id=77&status=sent"
    query, body = (form, b"") if method == "GET" else ("", form.encode())
    callback = Callback(method, query, "application/x-www-form-urlencoded", body)
    with pytest.raises(InvalidSignatureError):
        read_one(Dexatel("main", webhook_secret=SECRET), callback, 1)
    for dialect in (Dexatel("main"), Dexatel("main", webhook_secret=SECRET, accept_unsigned=True)):
        report = read_one(dialect, callback, 1)
        assert report is not None
        assert report.provider_message_id == "77"


def test_names_from_settings_leave_the_webhook_alone() -> None:
    """The names of a classic callback are configured, those of a webhook are documented."""
    dialect = Dexatel("main", callback_names=CALLBACK_NAMES._replace(id=("ref",), status=("state",)))
    assert read_one(dialect, Callback("POST", "", "application/json", BODY), 1) is not None
    with pytest.raises(PoisonMessageError):
        read_one(dialect, Callback("GET", "message_id=77&status=sent", "", b""), 1)


def test_the_classic_look_up_is_asked_with_a_token_in_a_header() -> None:
    """The id is quoted in the configured path; the token is not in the URL."""
    dialect = Dexatel("main", base_url="https://sms.example/", token="t0ken", poll_path="/v2/{id}/status?x={id}")
    assert dialect.build_poll_request("a/b ü?") == PollRequest(
        "GET",
        "https://sms.example/v2/a%2Fb%20%C3%BC%3F/status?x=a%2Fb%20%C3%BC%3F",
        {"token": "t0ken", "Accept": "application/json"},
        None,
    )


def test_v1_poll_request() -> None:
    """`v1` has its own path and header."""
    dialect = Dexatel("main", api="v1", base_url="https://sms.example", token="t0ken", poll_path="/ignored")
    assert dialect.build_poll_request("{id}") == PollRequest(
        "GET",
        "https://sms.example/v1/messages/%7Bid%7D",
        {"X-Dexatel-Key": "t0ken", "Accept": "application/json"},
        None,
    )


def test_secrets_do_not_show() -> None:
    """A dialect in a log line or a traceback reveals no secret."""
    dialect = Dexatel("main", token="t0ken", webhook_secret=SECRET)
    assert repr(dialect) == str(dialect) == "Dexatel(account='main')"


def test_an_answer_that_is_not_text_is_a_failed_look_up() -> None:
    """An answer that can't be parsed is polled again and never becomes a dead letter."""
    with pytest.raises(PollFailedError):
        Dexatel("main").read_answer(PollAnswer(200, None, b'{"status":"\xff"}'), "7", 1)
