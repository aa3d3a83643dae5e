"""Speedocom: statuses and poll requests."""

import json
from collections.abc import Callable, Mapping

import pytest

from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import AuthenticationFailedError, PoisonMessageError, PollFailedError
from bridge.providers.dialect import Callback, PollAnswer
from bridge.providers.report_rules import ReportRules
from bridge.providers.speedocom import STATUSES, Speedocom
from tests.support.providers.reading import read_one

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
    # Of other brands of the platform.
    "MessagePaused": Verdict(Status.PENDING, Reason.NONE, None),
    "Delivered": Verdict(Status.DELIVERED, Reason.NONE, None),
    "AbsentSubscribers": Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER, None),
    "NOT_DELIVERED": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED, None),
    "UserAbnormalState": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED, None),
    "UserIsSuspended": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED, None),
    "TeleserviceNotProvisioned": Verdict(Status.UNDELIVERED, Reason.NETWORK, permanent=True),
    "ReportNotHandled": Verdict(Status.FAILED, Reason.UNSPECIFIED, None),
    "NotSFCUser": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
    "UserNotSubscribed": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
    "Invalid_Linkid": Verdict(Status.REJECTED, Reason.UNSPECIFIED, None),
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
    report = read_one(Speedocom("main", rules=ReportRules(statuses)), Callback("POST", "", "application/json", body), 1)
    assert report is not None
    return report


def test_every_word_has_the_verdict_that_was_agreed() -> None:
    """The table has exactly these statuses, so that none is removed or added by accident."""
    assert STATUSES == WORDS


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_known_by_its_letters_and_keeps_its_writing(word: str) -> None:
    """Blanks, signs and case differ between the platform's brands; the event has the original spelling."""
    for written in WRITINGS:
        report = call(written(word))
        assert report.verdict == WORDS[word]
        assert report.provider_status == written(word)


def test_settings_overrule_a_word_and_add_one() -> None:
    """A new or different status needs a setting, not a release."""
    words = {"unknown": Verdict(Status.SENT), "Number Ported!": Verdict(Status.FAILED, Reason.NETWORK)}
    assert call("Unknown", words).verdict == Verdict(Status.SENT)
    assert call("NumberPorted", words).verdict == Verdict(Status.FAILED, Reason.NETWORK)
    assert call("Expired", words).verdict == WORDS["Expired"]


def test_a_word_without_letters_matches_itself_only() -> None:
    """A number that settings map doesn't match other numbers."""
    words = {"32": Verdict(Status.DELIVERED)}
    assert call("32", words).verdict == Verdict(Status.DELIVERED)
    assert call("33", words).verdict is None


def test_credentials_travel_in_the_body_only() -> None:
    """The key is in the body, because proxies log URLs."""
    dialect = Speedocom("main", base_url="https://sms.example/", api_key=KEY, partner_id="9")
    request = dialect.build_poll_request("00ü/7")
    assert (request.method, request.url) == ("POST", "https://sms.example/api/services/getdlr")
    assert request.headers["Content-Type"] == "application/json"
    assert KEY not in str(request.headers)
    assert json.loads(request.body or b"") == {"apikey": KEY, "partnerID": "9", "messageID": "00ü/7"}


def test_secrets_do_not_show() -> None:
    """A dialect in a log line and an error that quotes the provider reveal no secret."""
    dialect = Speedocom("main", api_key=KEY, partner_id="9")
    assert repr(dialect) == str(dialect) == "Speedocom(account='main')"
    body = json.dumps({"response-code": 1006, "response-description": f"bad key {KEY}"}).encode()
    with pytest.raises(AuthenticationFailedError) as raised:
        dialect.read_answer(PollAnswer(200, None, body), "7", 1)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("body", [b"\xff", b'{"messageid":"7","description":"\xff"}', b"", b"null", b"7", b'"x"'])
def test_a_body_that_is_no_callback_is_unreadable(body: bytes) -> None:
    """A body that isn't UTF-8 or isn't an object becomes a dead letter."""
    with pytest.raises(PoisonMessageError):
        read_one(Speedocom("main"), Callback("POST", "", "application/json", body), 1)
    with pytest.raises(PollFailedError):
        Speedocom("main").read_answer(PollAnswer(200, None, body), "7", 1)


def test_a_query_beside_the_body_fills_its_gaps() -> None:
    """A parameter of the callback's URL counts where the body has none."""
    callback = Callback("POST", "messageid=1&description=Unknown&timeTaken=9s", "", b"messageid=7&description=Expired")
    report = read_one(Speedocom("main"), callback, 1)
    assert report is not None
    assert (report.provider_message_id, report.provider_status) == ("7", "Expired")
    assert report.provider_details == {"tat": "9s"}
