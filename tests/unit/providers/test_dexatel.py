"""Dexatel: statuses, signature, times and poll requests."""

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
    """Parse a legacy callback."""
    report = Dexatel("main", **settings).read_callback(Callback("GET", query, "", None, b""), 1)
    assert report is not None
    return report


def post(body: bytes, signature: str | None = None, content_type: str = "application/json") -> Report | None:
    """Parse a webhook of an account that checks signatures."""
    return Dexatel("main", webhook_secret=SECRET).read_callback(Callback("POST", "", content_type, signature, body), 1)


def test_every_status_has_its_verdict() -> None:
    """The table has exactly the agreed statuses."""
    assert STATUSES == WORDS


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("written", [str.lower, str.upper, str.title, lambda word: f" {word}\t"])
def test_status_is_case_insensitive(word: str, written: Any) -> None:
    """The provider's own spelling is kept."""
    body = json.dumps({"message_id": "77", "status": written(word)}).encode()
    report = Dexatel("main").read_callback(Callback("POST", "", "application/json", None, body), 1)
    assert report is not None
    assert report.verdict == WORDS[word]
    assert report.provider_status == written(word)


def test_settings_change_and_add_statuses() -> None:
    """A new or different status needs no release."""
    words = {"Sent ": Verdict(Status.DELIVERED), "BOUNCED": Verdict(Status.FAILED, Reason.NETWORK)}
    assert get("id=7&status=sent", statuses=words).verdict == Verdict(Status.DELIVERED)
    assert get("id=7&status=bounced", statuses=words).verdict == Verdict(Status.FAILED, Reason.NETWORK)
    assert get("id=7&status=failed", statuses=words).verdict == WORDS["failed"]


@pytest.mark.parametrize("names", ["message_uuid uuid sms_unique_id message_id id", "status stat"])
def test_first_nonempty_parameter_wins(names: str) -> None:
    """A later parameter, such as the owner's own id, is ignored."""
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
def test_valid_signature_is_accepted(signature: str) -> None:
    """As Base64 or as hex."""
    report = post(BODY, signature)
    assert report is not None
    assert report.provider_message_id == "77"


@pytest.mark.parametrize(
    "signature",
    [None, "", "ü", "\ud800", "0" * 64, hmac.new(b"another", BODY, sha256).hexdigest(), b64encode(b"0" * 32).decode()],
)
@pytest.mark.parametrize("content_type", ["application/json", "", "application/x-www-form-urlencoded"])
def test_invalid_signature_is_refused(signature: str | None, content_type: str) -> None:
    """With any content type."""
    with pytest.raises(InvalidSignatureError) as raised:
        post(BODY, signature, content_type)
    assert SECRET not in str(raised.value)


def test_signature_covers_the_whole_body() -> None:
    """Any changed byte is refused."""
    with pytest.raises(InvalidSignatureError):
        post(BODY.replace(b"77", b"78"), hmac.new(SECRET.encode(), BODY, sha256).hexdigest())


def test_signature_is_checked_first() -> None:
    """An unsigned body is never parsed, so it can't become a dead letter."""
    with pytest.raises(InvalidSignatureError):
        post(b'{"data":\xff')


def test_legacy_callbacks_need_no_signature() -> None:
    """Only webhooks are signed."""
    assert get("id=77&status=sent", webhook_secret=SECRET).provider_message_id == "77"
    form = post(b"id=77&status=sent", None, "application/x-www-form-urlencoded")
    assert form is not None
    assert form.provider_message_id == "77"


def test_configured_names_apply_to_legacy_callbacks_only() -> None:
    """The webhook's names are documented and fixed."""
    dialect = Dexatel("main", callback_names=CALLBACK_NAMES._replace(id=("ref",), status=("state",)))
    assert dialect.read_callback(Callback("POST", "", "application/json", None, BODY), 1) is not None
    with pytest.raises(PoisonMessageError):
        dialect.read_callback(Callback("GET", "message_id=77&status=sent", "", None, b""), 1)


def test_legacy_poll_request() -> None:
    """The id is quoted in the configured path; the token is in a header."""
    dialect = Dexatel("main", base_url="https://sms.example/", token="t0ken", poll_path="/v2/{id}/status?x={id}")
    assert dialect.poll_request("a/b ü?") == PollRequest(
        "GET",
        "https://sms.example/v2/a%2Fb%20%C3%BC%3F/status?x=a%2Fb%20%C3%BC%3F",
        {"token": "t0ken", "Accept": "application/json"},
        None,
    )


def test_v1_poll_request() -> None:
    """`v1` has its own path and header."""
    dialect = Dexatel("main", api="v1", base_url="https://sms.example", token="t0ken", poll_path="/ignored")
    assert dialect.poll_request("{id}") == PollRequest(
        "GET",
        "https://sms.example/v1/messages/%7Bid%7D",
        {"X-Dexatel-Key": "t0ken", "Accept": "application/json"},
        None,
    )


def test_secrets_are_not_shown() -> None:
    """The representation of a dialect contains no secret."""
    dialect = Dexatel("main", token="t0ken", webhook_secret=SECRET)
    assert repr(dialect) == str(dialect) == "Dexatel(account='main')"


def test_binary_answer_is_a_failed_poll() -> None:
    """An answer that isn't text is retried and is no dead letter."""
    with pytest.raises(PollFailedError):
        Dexatel("main").read_answer(PollAnswer(200, None, b'{"status":"\xff"}'), "7", 1)


def test_recipient_members_are_known() -> None:
    """The names of members with phone numbers are complete and in lower case."""
    assert "to" in Dexatel.recipient_members
    assert {name.lower() for name in Dexatel.recipient_members} == Dexatel.recipient_members
