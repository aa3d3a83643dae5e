"""Every dialect passes the conformance kit, and the kit detects dialects that break its rules."""

import hmac
import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from bridge.core.delivery import Status, Verdict
from bridge.core.entries import Report
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback, CallbackReading, PollAnswer
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook
from bridge.providers.report_rules import ReportRules
from bridge.providers.signatures import SignatureScheme
from bridge.providers.speedocom import Speedocom
from tests.support.providers import conformance
from tests.support.providers.conformance import CHECKS, Subject

SECRET = "a-webhook-secret"
SIGNATURE_HEADERS = ("x-dexatel-signature", "x-acme")
FORM = "application/x-www-form-urlencoded"


def post(document: object) -> Callback:
    """Make a JSON callback."""
    return Callback("POST", "", "application/json", json.dumps(document).encode())


def answer(document: object) -> PollAnswer:
    """Make a poll's answer."""
    return PollAnswer(200, None, json.dumps(document).encode())


def signed(callback: Callback) -> Callback:
    """Make a callback with its signature."""
    return replace(
        callback,
        headers={name: hmac.digest(SECRET.encode(), callback.body, "sha256").hex() for name in SIGNATURE_HEADERS},
    )


def webhook(message_id: str, **more: str) -> Callback:
    """Make Dexatel's webhook."""
    return post({"data": {"event": "delivery", "status": "DELIVERED", "message_id": message_id, **more}})


def acme(message_id: str, **more: str) -> Callback:
    """Make a generic webhook."""
    return post({"results": [{"ref": message_id, "state": {"code": 5}, "price": "1", **more}], "kind": "DLR"})


SUBJECTS = {
    "dexatel, classic": Subject(
        Dexatel("main", poll_path="/{id}"),
        lambda i: Callback("GET", urlencode({"message_uuid": i, "status": "delivered"}), "", b""),
        lambda n: Callback("GET", urlencode({"message_uuid": "7", "status": "delivered", "to": n}), "", b""),
        answer=lambda i: answer({"statusName": "OK", "data": {"message_uuid": i, "status": "delivered"}}),
    ),
    "dexatel, v1": Subject(
        Dexatel("main", api="v1", webhook_secret=SECRET),
        lambda i: signed(webhook(i)),
        lambda n: signed(webhook("7", to=n)),
        signed,
        answer=lambda i: answer({"data": {"id": i, "status": "delivered", "update_date": "2025-03-04 05:06:07"}}),
    ),
    "speedocom": Subject(
        Speedocom("main"),
        lambda i: post({"messageid": i, "description": "DeliveredToTerminal", "timeTaken": "22s"}),
        lambda n: post({"messageid": "7", "description": "DeliveredToTerminal", "Mobile": n}),
        answer=lambda i: answer({"response-code": 200, "message-id": i, "delivery-description": "DeliveredToTerminal"}),
    ),
    "speedocom, forms": Subject(
        Speedocom("main"),
        lambda i: Callback("POST", "", FORM, urlencode({"messageid": i, "description": "Unknown"}).encode()),
        lambda n: Callback("POST", "", FORM, urlencode({"messageid": "7", "description": "Unknown", "to": n}).encode()),
    ),
    "webhook by settings": Subject(
        GenericWebhook(
            "acme",
            "main",
            pointers=CallbackPointers("/results/0/ref", "/results/0/state/code"),
            rules=ReportRules({"5": Verdict(Status.DELIVERED)}),
            details={"price": "/results/0/price"},
            where={"/kind": ("dlr",)},
            signature=SignatureScheme("X-Acme", (SECRET,)),
        ),
        lambda i: signed(acme(i)),
        lambda n: signed(acme("7", phoneNumber=n)),
        signed,
    ),
}


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_dialect_keeps_its_promises(check: Callable[[Subject], None], subject: Subject) -> None:
    """Totality, purity, redaction, opaque ids, idempotence: the rest of the service relies on them."""
    check(subject)


class Crashing(Speedocom):
    """A dialect that raises unexpected errors."""

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Raise an undefined error for a form."""
        assert callback.body.startswith(b"{")
        return super().read_callback(callback, observed_at)


class Remembering(Speedocom):
    """A dialect with hidden state."""

    seen = 0

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Return another time in each call."""
        self.seen += 1
        return super().read_callback(callback, observed_at + self.seen)


class Changed(Speedocom):
    """A dialect that changes a report."""

    def change(self, report: Report) -> Report:
        """Change it."""
        raise NotImplementedError

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Change the reports."""
        reading = super().read_callback(callback, observed_at)
        return [self.change(report) if isinstance(report, Report) else report for report in reading]


class Talkative(Changed):
    """Takes a phone number for an id, wherever it is."""

    def change(self, report: Report) -> Report:
        """Add the number to a detail."""
        return replace(report, provider_details={"tat": report.raw})


class Counting(Changed):
    """Treats ids as numbers."""

    def change(self, report: Report) -> Report:
        """Drop leading zeros."""
        return replace(report, provider_message_id=report.provider_message_id.lstrip("0"))


class Fickle(Speedocom):
    """Has different meanings in callbacks and answers."""

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """Contradict the callback."""
        report = super().read_answer(answer, provider_message_id, observed_at)
        return report and replace(report, status=Status.FAILED)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (conformance.check_totality, Crashing),
        (conformance.check_purity, Remembering),
        (conformance.check_redaction, Talkative),
        (conformance.check_opaque_ids, Counting),
        (conformance.check_idempotence, Fickle),
    ],
)
def test_the_kit_finds_what_is_wrong(check: Callable[[Subject], None], wrong: type[Speedocom]) -> None:
    """A dialect that breaks a rule fails the check of that rule."""
    with pytest.raises(AssertionError):
        check(SUBJECTS["speedocom"]._replace(dialect=wrong("main")))
