"""Dexatel's dialect: its statuses, callbacks and polls, in two generations of its API.

`legacy` is the classic API: unsigned GET callbacks, and polls with the header `token`. `v1` is the API of the developer
pages: signed JSON webhooks, and polls with the header `X-Dexatel-Key`. The dialect reads the callbacks of both,
whichever is polled.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import InvalidSignatureError, PoisonMessageError, RequestRejectedError
from bridge.providers.callback_document import is_json, list_of_one, list_reports, open_callback, read_reports
from bridge.providers.dialect import Callback, CallbackReading, PollAnswer, PollRequest
from bridge.providers.parsing import (
    Members,
    decode_text,
    find_first,
    parse_json,
    read_members,
    unwrap_only_item,
)
from bridge.providers.report_builder import (
    FieldNames,
    ReportBuilder,
    list_known_paths,
    normalize_status,
)
from bridge.providers.report_rules import NO_RULES, ReportRules
from bridge.providers.responses import check_status, is_success
from bridge.providers.signatures import SignatureChecker, SignatureScheme

STATUSES: Mapping[str, Verdict] = {
    "scheduled": Verdict(Status.SCHEDULED),
    "pending": Verdict(Status.PENDING),
    "enroute": Verdict(Status.PENDING),
    "sent": Verdict(Status.SENT),  # sometimes no other status follows; then the deadline ends the attempt
    "delivered": Verdict(Status.DELIVERED),
    "seen": Verdict(Status.DELIVERED),
    "failed": Verdict(Status.FAILED, Reason.UNSPECIFIED),
    "rejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "expired": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    # "received" is not mapped on purpose: it is probably about an incoming message.
}
"""The vendor's statuses, compared without case and surrounding blanks."""

DETAILS: Mapping[str, tuple[str, ...]] = {
    name: (name,) for name in ("mccmnc", "segments", "price", "network_id", "tat")
}
"""The published name of each detail, with the vendor's names for it."""

EXPECTED_MEMBERS = {"event": "delivery", "channel": "sms"}
"""A webhook in which one of these members has another value isn't about an SMS's delivery."""

NOT_FOUND_CODE = "1501"
"""The error code for a message that doesn't exist, perhaps not yet."""

INVALID_ID_CODE = "1502"
"""The error code for an id that isn't valid: there will never be such a message."""

CALLBACK_NAMES = FieldNames(
    id=("message_uuid", "uuid", "sms_unique_id", "message_id", "id"),
    status=("status", "stat"),
    error=("err", "error", "error_code"),
    time=("timestamp", "date", "time"),
)
"""The names in a JSON webhook, and, unless settings change them, in a GET or form callback."""

ANSWER_NAMES = CALLBACK_NAMES._replace(time=("update_date", *CALLBACK_NAMES.time))
"""The names in the answer to a poll."""


KNOWN_PATHS = list_known_paths(ANSWER_NAMES)


class _Api(NamedTuple):
    path: str
    token_header: str


class Dexatel:
    """An account at Dexatel. Implements `Polled`.

    Args:
        account: The account's name in settings.
        api: The API that is polled.
        base_url: The base URL of that API.
        token: The token for that API.
        poll_path: `legacy`: the path of a poll, with `{id}` for the message id.
        webhook_secret: The key of JSON webhooks' signatures; None if they aren't checked.
        accept_unsigned: Whether callbacks that Dexatel doesn't sign are accepted although there is a secret.
        callback_names: The names in a GET or form callback.
        rules: What settings say about its reports.
    """

    provider: str = "dexatel"

    def __init__(
        self,
        account: str,
        *,
        api: Literal["legacy", "v1"] = "legacy",
        base_url: str = "",
        token: str = "",
        poll_path: str = "",
        webhook_secret: str | None = None,
        accept_unsigned: bool = False,
        callback_names: FieldNames = CALLBACK_NAMES,
        rules: ReportRules = NO_RULES,
    ) -> None:
        self.account = account
        apis = {"legacy": _Api(poll_path, "token"), "v1": _Api("/v1/messages/{id}", "X-Dexatel-Key")}
        self._api = apis[api]
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._accept_unsigned = accept_unsigned
        scheme = SignatureScheme("x-dexatel-signature", (webhook_secret or "",), encodings=("base64", "hex"))
        self._signature = SignatureChecker(scheme) if webhook_secret is not None else None
        self._callback_names = FieldNames(*(tuple(name.lower() for name in names) for names in callback_names))
        self.known_paths = KNOWN_PATHS | list_known_paths(self._callback_names)
        self._report_builder = ReportBuilder(
            self.provider,
            account,
            statuses=STATUSES,
            normalize=normalize_status,
            rules=rules,
        )
        self.times = self._report_builder.times

    def __repr__(self) -> str:
        return f"Dexatel(account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Parse a GET callback, a form or a JSON webhook; a webhook that isn't about an SMS's delivery is left out.

        Only webhooks are signed. With a secret, callbacks of the classic API are accepted only by `accept_unsigned`.

        Raises:
            InvalidSignatureError: There is a secret, and the signature is wrong or missing.
            UnsupportedMediaTypeError: It is in a form that isn't read.
            PoisonMessageError: The callback can't be parsed at all.
        """
        callback = self._check_signature(callback, observed_at)
        document = open_callback(callback)
        names = CALLBACK_NAMES if document.is_json else self._callback_names

        def read(report: Any, raw: str) -> Report | None:
            members = read_members(report, document.query)
            if document.is_json and not _is_sms_delivery(members):
                return None
            return self._report_builder.build_from_members(
                members, names, DETAILS, raw=raw, source=Source.CALLBACK, observed_at=observed_at
            )

        return read_reports(callback, document, list_reports(document.content), list_of_one, read)

    def build_poll_request(self, provider_message_id: str) -> PollRequest:
        """Build the request for a message's status: a GET with the token in a header."""
        path = self._api.path.lstrip("/").replace("{id}", quote(provider_message_id, safe="", errors="replace"))
        headers = {self._api.token_header: self._token, "Accept": "application/json"}
        return PollRequest("GET", f"{self._base_url}/{path}", headers, None)

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """Parse an answer; None if there is no report yet: HTTP 404, code 1501, or a message without a status.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401.
            RequestRejectedError: The answer is any other error of 4xx, can't be parsed, or is about another message.
            PollFailedError: The answer is any other error.
        """
        check_status(answer, observed_at)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        try:
            return self._read_answer(answer, provider_message_id, observed_at)
        except PoisonMessageError as poison:
            raise RequestRejectedError(f"HTTP {answer.status}: {poison.error}") from poison

    def _read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        raw = decode_text(answer.body)
        document = parse_json(raw)
        codes = _find_error_codes(document)
        if NOT_FOUND_CODE in codes:
            return None
        if INVALID_ID_CODE in codes or not is_success(answer):
            error = f"HTTP {answer.status}, error codes: {', '.join(codes) or 'none'}"
            raise RequestRejectedError(error, permanent=INVALID_ID_CODE in codes)
        members = read_members(unwrap_only_item(document))
        return self._report_builder.build_from_answer(
            provider_message_id, members, ANSWER_NAMES, DETAILS, raw=raw, observed_at=observed_at
        )

    def _check_signature(self, callback: Callback, now: int) -> Callback:
        """Check a webhook's HMAC-SHA-256, in base64 or hex: the vendor's samples disagree."""
        if self._signature is None:
            return callback
        if is_json(callback):
            return self._signature.check(callback, now)
        if not self._accept_unsigned:
            raise InvalidSignatureError("the callback isn't signed")
        return callback


def _is_sms_delivery(members: Members) -> bool:
    values = ((find_first(members, (name,)), expected) for name, expected in EXPECTED_MEMBERS.items())
    return all(value is None or normalize_status(str(value)) == expected for value, expected in values)


def _find_error_codes(document: Any) -> list[str]:
    """Find the codes of the errors that an answer names."""
    errors = document.get("errors") if isinstance(document, dict) else None
    candidates = [document, *(errors if isinstance(errors, list) else [errors])]
    codes = (error.get("code") for error in candidates if isinstance(error, dict))
    return [code for code in codes if isinstance(code, str)]
