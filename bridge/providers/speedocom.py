"""Speedocom's dialect: its statuses, callbacks and polls.

The status is the description, not the number beside it: the same number was seen for a delivered and for a scheduled
message. The success code at the beginning of an answer is about the poll, not about the message.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import AuthenticationFailedError, PoisonMessageError, PollFailedError, RequestRejectedError
from bridge.providers.callback_document import list_of_one, list_reports, open_callback, read_reports
from bridge.providers.dialect import Callback, CallbackReading, PollAnswer, PollRequest
from bridge.providers.parsing import (
    Members,
    decode_text,
    find_first,
    parse_json,
    parse_optional,
    read_members,
)
from bridge.providers.report_builder import FieldNames, ReportBuilder, list_known_paths
from bridge.providers.report_rules import NO_RULES, ReportRules
from bridge.providers.responses import check_status, is_success

STATUSES: Mapping[str, Verdict] = {
    "Scheduled": Verdict(Status.SCHEDULED),
    "Queued": Verdict(Status.PENDING),
    "MessageWaiting": Verdict(Status.PENDING),
    "SentToNetwork": Verdict(Status.SENT),
    "ForwardedToNetwork": Verdict(Status.SENT),
    "DeliveredToNetwork": Verdict(Status.SENT),
    "DeliveryUncertain": Verdict(Status.SENT),
    "MessagePaused": Verdict(Status.PENDING),
    "DeliveredToTerminal": Verdict(Status.DELIVERED),
    "Delivered": Verdict(Status.DELIVERED),
    "DelivredToTerminal": Verdict(Status.DELIVERED),  # the vendor's own misspelling
    "AbsentSubscriber": Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER),
    "AbsentSubscribers": Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER),
    "DeliveryImpossible": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED),
    "NOT_DELIVERED": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED),
    "UserAbnormalState": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED),
    "UserIsSuspended": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED),
    "TeleserviceNotProvisioned": Verdict(Status.UNDELIVERED, Reason.NETWORK, permanent=True),
    "ReportNotHandled": Verdict(Status.FAILED, Reason.UNSPECIFIED),
    "UserNotExist": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "InvalidMsisdn": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "InvalidMobile": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "SenderName Blacklisted": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
    "UserInBlacklist": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
    "NotSFCUser": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "UserNotSubscribed": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "Invalid_Linkid": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "Invalid Source Address": Verdict(Status.REJECTED, Reason.SENDER_REJECTED, permanent=True),
    "Insufficient_Balance": Verdict(Status.REJECTED, Reason.INSUFFICIENT_CREDIT, permanent=False),
    "Expired": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    "MessagePurged": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    "Rejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "REJECTD": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "MessageRejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "Unknown": Verdict(Status.UNKNOWN, Reason.UNSPECIFIED),
}
"""The statuses of the vendor and of other brands of its platform, compared in lower case and by their letters only."""

DETAILS: Mapping[str, tuple[str, ...]] = {
    "tat": ("delivery-tat", "timetaken", "tat"),
    "network_id": ("delivery-networkid", "network"),
}
"""The published name of each detail, with the vendor's names for it."""

FIELD_NAMES = FieldNames(
    id=("messageid", "message-id"),
    status=("delivery-description", "description", "dlrdesc"),
    error=("delivery-status", "dlrstatus"),
    time=("delivery-time", "timestamp", "dlrtime"),
)
"""The names in callbacks and answers, also of other brands of the platform. They have different names, but none that
means different things."""

CODE_NAMES = ("response-code", "respose-code")  # the second is the vendor's own misspelling
FOUND_CODE = "200"
NO_REPORT_CODE = "1008"
NO_REPORT_OR_BAD_TYPE_CODE = "1009"  # its description tells which of the two
CREDENTIAL_ERRORS = {
    "1006": "invalid credentials",
    "4091": "no partner id",
    "4092": "no API key",
}
"""The response codes of wrong or missing credentials."""

SYSTEM_ERRORS = {"1005", "1007", "4090"}
"""The response codes of a fault of the provider's. Any other code is about the one request, such as 4093."""


class Speedocom:
    """An account at Speedocom. Implements `Polled`.

    Args:
        account: The account's name in settings.
        base_url: The base URL of the API.
        api_key: The key for the API. It is sent in the body, because URLs may be logged.
        partner_id: The partner id for the API.
        rules: What settings say about its reports.
    """

    provider: str = "speedocom"
    known_paths = list_known_paths(FIELD_NAMES)

    def __init__(
        self,
        account: str,
        *,
        base_url: str = "",
        api_key: str = "",
        partner_id: str = "",
        rules: ReportRules = NO_RULES,
    ) -> None:
        self.account = account
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._partner_id = partner_id
        self._report_builder = ReportBuilder(
            self.provider,
            account,
            statuses=STATUSES,
            normalize=normalize_letters,
            rules=rules,
        )
        self.times = self._report_builder.times

    def __repr__(self) -> str:
        return f"Speedocom(account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Parse a JSON or form callback. Speedocom's callbacks are not signed, and are all about deliveries.

        Raises:
            UnsupportedMediaTypeError: It is in a form that isn't read.
            PoisonMessageError: It can't be parsed at all.
        """
        document = open_callback(callback)

        def read(report: Any, raw: str) -> Report:
            members = read_members(report, document.query)
            return self._report_builder.build_from_members(
                members, FIELD_NAMES, DETAILS, raw=raw, source=Source.CALLBACK, observed_at=observed_at
            )

        return read_reports(callback, document, list_reports(document.content), list_of_one, read)

    def build_poll_request(self, provider_message_id: str) -> PollRequest:
        """Build the request for a message's status: a POST with all parameters in its body."""
        parameters = {"apikey": self._api_key, "partnerID": self._partner_id, "messageID": provider_message_id}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return PollRequest("POST", f"{self._base_url}/api/services/getdlr", headers, json.dumps(parameters).encode())

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """Parse an answer; None if there is no report yet: code 1008, 1009 "no dlr", or a message without a status.

        Those codes may come with HTTP 404.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401, or a response code of `CREDENTIAL_ERRORS`.
            PollFailedError: The answer is 5xx, or has a response code of `SYSTEM_ERRORS`.
            RequestRejectedError: The answer is any other error, can't be parsed, or is about another message.
        """
        check_status(answer, observed_at)
        try:
            return self._read_answer(answer, provider_message_id, observed_at)
        except PoisonMessageError as poison:
            raise RequestRejectedError(f"HTTP {answer.status}: {poison.error}") from poison

    def _read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        raw = decode_text(answer.body)
        members = read_members(parse_json(raw))
        code = parse_optional(find_first(members, CODE_NAMES)) or "missing"
        if code in CREDENTIAL_ERRORS:
            raise AuthenticationFailedError(f"response code {code}: {CREDENTIAL_ERRORS[code]}")
        if code == NO_REPORT_CODE or (code == NO_REPORT_OR_BAD_TYPE_CODE and _has_no_report(members)):
            return None
        if code in SYSTEM_ERRORS:
            raise PollFailedError(f"HTTP {answer.status}, response code {code}")
        if code != FOUND_CODE or not is_success(answer):
            raise RequestRejectedError(f"HTTP {answer.status}, response code {code}")
        return self._report_builder.build_from_answer(
            provider_message_id, members, FIELD_NAMES, DETAILS, raw=raw, observed_at=observed_at
        )


def normalize_letters(status: str) -> str:
    """Reduce a status to its letters in lower case; one without letters, such as a number, stays whole."""
    lowered = status.strip().lower()
    return "".join(filter(str.isalpha, lowered)) or lowered


def _has_no_report(members: Members) -> bool:
    description = str(find_first(members, ("response-description",)))
    return "no dlr" in re.sub(r"\s+", " ", description.lower())
