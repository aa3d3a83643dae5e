"""Speedocom's dialect: its words, its callbacks, its look-up.

A verdict is read from the description alone. The number beside it doesn't classify (one and the same was seen for a
delivered and for a scheduled message), and the success that an answer starts with is the look-up's, not the message's.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, tzinfo

from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import AuthenticationFailedError, PoisonMessageError, PollFailedError
from bridge.providers.dialect import Callback, PollAnswer, PollRequest
from bridge.providers.parsing import (
    Members,
    decode_original,
    decode_text,
    find_first,
    is_json,
    parse_form,
    parse_id,
    parse_json,
    parse_optional,
    read_members,
)
from bridge.providers.report_builder import RECIPIENT_MEMBERS, FieldNames, ReportBuilder, find_fields
from bridge.providers.responses import check_status, is_success

STATUSES: Mapping[str, Verdict] = {
    "Scheduled": Verdict(Status.SCHEDULED),
    "Queued": Verdict(Status.PENDING),
    "MessageWaiting": Verdict(Status.PENDING),
    "SentToNetwork": Verdict(Status.SENT),
    "ForwardedToNetwork": Verdict(Status.SENT),
    "DeliveredToNetwork": Verdict(Status.SENT),
    "DeliveryUncertain": Verdict(Status.SENT),
    "DeliveredToTerminal": Verdict(Status.DELIVERED),
    "DelivredToTerminal": Verdict(Status.DELIVERED),  # the vendor's own misspelling
    "AbsentSubscriber": Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER),
    "DeliveryImpossible": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED),
    "UserNotExist": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "InvalidMsisdn": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "InvalidMobile": Verdict(Status.REJECTED, Reason.INVALID_NUMBER, permanent=True),
    "SenderName Blacklisted": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
    "UserInBlacklist": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
    "Invalid Source Address": Verdict(Status.REJECTED, Reason.SENDER_REJECTED, permanent=True),
    "Insufficient_Balance": Verdict(Status.REJECTED, Reason.INSUFFICIENT_CREDIT, permanent=False),
    "Expired": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    "MessagePurged": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    "Rejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "REJECTD": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "MessageRejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "Unknown": Verdict(Status.UNKNOWN, Reason.UNSPECIFIED),
}
"""The vendor's words, compared in lower case and by their letters alone."""

DETAILS: Mapping[str, tuple[str, ...]] = {
    "tat": ("delivery-tat", "timetaken"),
    "network_id": ("delivery-networkid",),
}
"""What is passed on verbatim, and the vendor's members that hold it."""


NAMES = FieldNames(
    id=("messageid", "message-id"),
    status=("delivery-description", "description"),
    error=("delivery-status",),
    time=("delivery-time", "timestamp"),
)
"""Where callbacks and answers hold what. They name things differently, but never one name for two things."""

CODE_NAMES = ("response-code", "respose-code")  # the second is the vendor's own misspelling
FOUND = "200"
NO_REPORT = "1008"
NO_REPORT_OR_BAD_TYPE = "1009"  # which of the two, its description tells
REFUSALS = {
    "1006": "invalid credentials",
    "4091": "no partner id",
    "4092": "no API key",
}
"""The codes that speak of our credentials."""


class Speedocom:
    """One account at Speedocom. Implements `Polled`.

    Args:
        account: The account's name in settings.
        base_url: Where its interface is.
        api_key: What opens it; travels in a body, for a URL ends up in logs.
        partner_id: Whose it is.
        statuses: Words added to the built-in table, or overruling it.
        timezone: Where Speedocom's clock hangs: its times don't say.
    """

    provider: str = "speedocom"
    methods: frozenset[str] = frozenset({"POST"})
    signature_header: str | None = None
    recipient_members: frozenset[str] = RECIPIENT_MEMBERS

    def __init__(
        self,
        account: str,
        *,
        base_url: str = "",
        api_key: str = "",
        partner_id: str = "",
        statuses: Mapping[str, Verdict] = {},
        timezone: tzinfo = UTC,
    ) -> None:
        self.account = account
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._partner_id = partner_id
        self._reporter = ReportBuilder(
            self.provider, account, tables=(STATUSES, statuses), normalised=normalize_letters, timezone=timezone
        )

    def __repr__(self) -> str:
        return f"Speedocom(account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """What a JSON or form callback says. Speedocom signs nothing and calls about nothing else.

        Raises:
            PoisonMessageError: It can't be read.
        """
        raw = decode_original(callback)
        members = read_members(parse_json(raw)) if is_json(callback) else parse_form(raw)
        message_id, found = parse_id(find_first(members, NAMES.id)), find_fields(members, NAMES, DETAILS)
        return self._reporter.report(message_id, found, raw=raw, source=Source.CALLBACK, observed_at=observed_at)

    def poll_request(self, provider_message_id: str) -> PollRequest:
        """How to ask for one message's status: a POST, everything in its body."""
        question = {"apikey": self._api_key, "partnerID": self._partner_id, "messageID": provider_message_id}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return PollRequest("POST", f"{self._base_url}/api/services/getdlr", headers, json.dumps(question).encode())

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """What an answer says; None for codes 1008 and 1009 "no dlr" and a message without a verdict: no report yet.

        Those codes may come with HTTP 404.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401, 403, or a code that speaks of our credentials.
            PollFailedError: Anything else that is no answer about this message.
        """
        check_status(answer, observed_at)
        try:
            return self._read_answer(answer, provider_message_id, observed_at)
        except PoisonMessageError as poison:
            raise PollFailedError(poison.error) from poison

    def _read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        raw = decode_text(answer.body)
        members = read_members(parse_json(raw))
        code = parse_optional(find_first(members, CODE_NAMES)) or "missing"
        if code in REFUSALS:
            raise AuthenticationFailedError(f"response code {code}: {REFUSALS[code]}")
        if code == NO_REPORT or (code == NO_REPORT_OR_BAD_TYPE and _says_no_report(members)):
            return None
        if code != FOUND or not is_success(answer):
            raise PollFailedError(f"HTTP {answer.status}, response code {code}")
        return self._reporter.answer(provider_message_id, members, NAMES, DETAILS, raw=raw, observed_at=observed_at)


def normalize_letters(word: str) -> str:
    """A status as it is compared; one without any letter, as a number is, by all that it has."""
    lowered = word.strip().lower()
    return "".join(filter(str.isalpha, lowered)) or lowered


def _says_no_report(members: Members) -> bool:
    description = str(find_first(members, ("response-description",)))
    return "no dlr" in re.sub(r"\s+", " ", description.lower())
