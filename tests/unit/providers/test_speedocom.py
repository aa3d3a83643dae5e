"""Speedocom: statuses and poll requests."""

import json
from collections.abc import Callable, Mapping

import pytest

from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import AuthenticationFailedError, PoisonMessageError, PollFailedError
from bridge.providers.dialect import Callback, PollAnswer
from bridge.providers.speedocom import STATUSES, Speedocom

WORDS: Mapping[str, Verdict] = {
    "DeliveredToTerminal": Verdict(Status.DELIVERED, Reason.NONE, None),
    "DelivredToTerminal": Verdict(Status.DELIVERED, Reason.NONE, None),
    "DeliveredToNetwork": Verdict(Status.SENT, Reason.NONE, None),
    "SentToNetwork": Verdict(Status.SENT, Reason.NONE, None),
    "ForwardedToNetwork": Verdict(Status.SENT, Reason.NONE, None),
    "DeliveryUncertain": Verdict(Status.SENT, Reason.NONE, None),
    "Scheduled": Verdict(Status.SCHEDULED, Reason.NONE, None),
    "MessageWaiting": Verdict(Status.PENDING, Reason.NONE, None),
    "Queued": Verdict(Status.PENDING, Reason.NONE, None),
    "AbsentSubscriber": Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER, None),
    "DeliveryImpossible": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED, None),
    "UserNotExist": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "InvalidMsisdn": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "InvalidMobile": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "SenderName Blacklisted": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
    "UserInBlacklist": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
    "Invalid Source Address": Verdict(Status.REJECTED, Reason.SENDER_REJECTED, permanent=True),
    "Insufficient_Balance": Verdict(Status.REJECTED, Reason.INSUFFICIENT_CREDIT, permanent=False),
    "Expired": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    "MessagePurged": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    "Rejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
    "REJECTD": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
    "MessageRejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
    "Unknown": Verdict(Status.UNKNOWN, Reason.UNSPECIFIED, None),
}
KEY = "an-api-key"
WRITINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.lower,
    lambda word: word.replace(" ", "_"),
    lambda word: f" {word}.",
    "-".join,
]


def call(description: str, statuses: Mapping[str, Verdict] = {}) -> Report:
    """Parse a callback with this description."""
    body = json.dumps({"messageid": "40717", "description": description}).encode()
    report = Speedocom("main", statuses=statuses).read_callback(Callback("POST", "", "application/json", None, body), 1)
    assert report is not None
    return report


def test_every_status_has_its_verdict() -> None:
    """The table has exactly the agreed statuses."""
    assert STATUSES == WORDS


@pytest.mark.parametrize("word", WORDS)
def test_status_is_matched_by_its_letters(word: str) -> None:
    """Spaces, signs and case are ignored; the provider's spelling is kept."""
    for written in WRITINGS:
        report = call(written(word))
        assert report.verdict == WORDS[word]
        assert report.provider_status == written(word)


def test_settings_change_and_add_statuses() -> None:
    """A new or different status needs no release."""
    words = {"unknown": Verdict(Status.SENT), "Number Ported!": Verdict(Status.FAILED, Reason.NETWORK)}
    assert call("Unknown", words).verdict == Verdict(Status.SENT)
    assert call("NumberPorted", words).verdict == Verdict(Status.FAILED, Reason.NETWORK)
    assert call("Expired", words).verdict == WORDS["Expired"]


def test_status_without_letters_matches_exactly() -> None:
    """A configured number doesn't match other numbers."""
    words = {"32": Verdict(Status.DELIVERED)}
    assert call("32", words).verdict == Verdict(Status.DELIVERED)
    assert call("33", words).verdict is None


def test_credentials_are_in_the_body_only() -> None:
    """A key in a URL would be in the logs of every proxy."""
    dialect = Speedocom("main", base_url="https://sms.example/", api_key=KEY, partner_id="9")
    request = dialect.poll_request("00ü/7")
    assert (request.method, request.url) == ("POST", "https://sms.example/api/services/getdlr")
    assert request.headers["Content-Type"] == "application/json"
    assert KEY not in str(request.headers)
    assert json.loads(request.body or b"") == {"apikey": KEY, "partnerID": "9", "messageID": "00ü/7"}


def test_secrets_are_not_shown() -> None:
    """Neither a dialect's representation nor an error contains a secret."""
    dialect = Speedocom("main", api_key=KEY, partner_id="9")
    assert repr(dialect) == str(dialect) == "Speedocom(account='main')"
    body = json.dumps({"response-code": 1006, "response-description": f"bad key {KEY}"}).encode()
    with pytest.raises(AuthenticationFailedError) as raised:
        dialect.read_answer(PollAnswer(200, None, body), "7", 1)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("body", [b"\xff", b'{"messageid":"7","description":"\xff"}', b"", b"null", b"7", b'"x"'])
def test_invalid_body_is_unreadable(body: bytes) -> None:
    """A body that isn't UTF-8 or no object becomes a dead letter."""
    with pytest.raises(PoisonMessageError):
        Speedocom("main").read_callback(Callback("POST", "", "application/json", None, body), 1)
    with pytest.raises(PollFailedError):
        Speedocom("main").read_answer(PollAnswer(200, None, body), "7", 1)


def test_query_is_ignored() -> None:
    """Parameters of the callback URL are not from the provider."""
    callback = Callback("POST", "messageid=1&description=Unknown", "", None, b"messageid=7&description=Expired")
    report = Speedocom("main").read_callback(callback, 1)
    assert report is not None
    assert (report.provider_message_id, report.provider_status) == ("7", "Expired")


def test_no_signature_is_needed() -> None:
    """Speedocom doesn't sign, so no header is read."""
    assert Speedocom.signature_header is None
