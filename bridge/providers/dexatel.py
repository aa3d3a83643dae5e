"""Dexatel's dialect: its words, its callbacks, its look-up. Two generations of its interface are spoken.

`legacy` is the classic interface: unsigned GET callbacks, the header `token`. `v1` is the one of the developer pages:
signed JSON webhooks, the header `X-Dexatel-Key`. Callbacks of both are read whichever is chosen for polling.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, tzinfo
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import InvalidSignatureError, PoisonMessageError, PollFailedError
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
    read_members,
    unwrap_data,
)
from bridge.providers.report_builder import (
    RECIPIENT_MEMBERS,
    FieldNames,
    ReportBuilder,
    find_fields,
    normalize_status,
)
from bridge.providers.responses import check_status, is_success

STATUSES: Mapping[str, Verdict] = {
    "scheduled": Verdict(Status.SCHEDULED),
    "pending": Verdict(Status.PENDING),
    "enroute": Verdict(Status.PENDING),
    "sent": Verdict(Status.SENT),  # at times the last word; then the attempt's end settles it
    "delivered": Verdict(Status.DELIVERED),
    "seen": Verdict(Status.DELIVERED),
    "failed": Verdict(Status.FAILED, Reason.UNSPECIFIED),
    "rejected": Verdict(Status.REJECTED, Reason.UNSPECIFIED),
    "expired": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED, permanent=False),
    # "received" is left out on purpose: most likely it is a message that came in.
}
"""The vendor's words, compared without case and surrounding blanks."""

DETAILS: Mapping[str, tuple[str, ...]] = {
    name: (name,) for name in ("mccmnc", "segments", "price", "network_id", "tat")
}
"""What is passed on verbatim, and the vendor's members that hold it."""

EXPECTED = {"event": "delivery", "channel": "sms"}
"""Members of a webhook that must say this, where they are there, or it is about something else."""

NOT_FOUND = "1501"
"""The code of an error that says: no such message. Its neighbour 1502 says that the id itself is wrong."""


CALLBACK_NAMES = FieldNames(
    id=("message_uuid", "uuid", "sms_unique_id", "message_id", "id"),
    status=("status", "stat"),
    error=("err", "error", "error_code"),
    time=("timestamp", "date", "time"),
)
"""Where a GET or form callback holds what, as far as settings don't say; and where the webhook does, by its document.
"""

ANSWER_NAMES = CALLBACK_NAMES._replace(time=("update_date", *CALLBACK_NAMES.time))


class _Api(NamedTuple):
    path: str
    token_header: str


class Dexatel:
    """One account at Dexatel. Implements `Polled`.

    Args:
        account: The account's name in settings.
        api: Which interface is polled.
        base_url: Where that interface is.
        token: What opens it.
        poll_path: Where the classic interface tells one message's status; `{id}` stands for the message.
        webhook_secret: What JSON webhooks are signed with; None: they aren't checked.
        callback_names: Under which names a GET or form callback holds what.
        statuses: Words added to the built-in table, or overruling it.
        timezone: Where Dexatel's clock hangs, for times that don't say.
    """

    provider: str = "dexatel"
    methods: frozenset[str] = frozenset({"GET", "POST"})
    signature_header: str | None = "x-dexatel-signature"
    recipient_members: frozenset[str] = RECIPIENT_MEMBERS

    def __init__(
        self,
        account: str,
        *,
        api: Literal["legacy", "v1"] = "legacy",
        base_url: str = "",
        token: str = "",
        poll_path: str = "",
        webhook_secret: str | None = None,
        callback_names: FieldNames = CALLBACK_NAMES,
        statuses: Mapping[str, Verdict] = {},
        timezone: tzinfo = UTC,
    ) -> None:
        self.account = account
        apis = {"legacy": _Api(poll_path, "token"), "v1": _Api("/v1/messages/{id}", "X-Dexatel-Key")}
        self._api = apis[api]
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._webhook_key = None if webhook_secret is None else webhook_secret.encode(errors="surrogateescape")
        self._callback_names = FieldNames(*(tuple(name.lower() for name in names) for names in callback_names))
        self._reporter = ReportBuilder(
            self.provider, account, tables=(STATUSES, statuses), normalised=normalize_status, timezone=timezone
        )

    def __repr__(self) -> str:
        return f"Dexatel(account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """What a GET, a form or a JSON webhook says; None for a webhook that isn't about an SMS's delivery.

        Only the webhook is signed: the classic interface knows no signature.

        Raises:
            InvalidSignatureError: The webhook's signature is wrong or missing, though there is a secret.
            PoisonMessageError: It can't be read.
        """
        if not is_json(callback):
            raw = decode_original(callback)
            members, names = parse_form(raw), self._callback_names
        else:
            self._check_signature(callback)
            raw = decode_original(callback)
            members, names = read_members(unwrap_data(parse_json(raw))), CALLBACK_NAMES
            if not _is_expected(members):
                return None
        message_id = parse_id(find_first(members, names.id))
        found = find_fields(members, names, DETAILS)
        return self._reporter.report(message_id, found, raw=raw, source=Source.CALLBACK, observed_at=observed_at)

    def poll_request(self, provider_message_id: str) -> PollRequest:
        """How to ask for one message's status: a GET, the token in a header."""
        path = self._api.path.lstrip("/").replace("{id}", quote(provider_message_id, safe="", errors="replace"))
        headers = {self._api.token_header: self._token, "Accept": "application/json"}
        return PollRequest("GET", f"{self._base_url}/{path}", headers, None)

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """What an answer says; None for HTTP 404, code 1501 and a message without a status: no report yet.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401 or 403.
            PollFailedError: Anything else that is no answer about this message.
        """
        check_status(answer, observed_at)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        try:
            return self._read_answer(answer, provider_message_id, observed_at)
        except PoisonMessageError as poison:
            raise PollFailedError(poison.error) from poison

    def _read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        raw = decode_text(answer.body)
        document = parse_json(raw)
        if _says_not_found(document):
            return None
        if not is_success(answer):
            raise PollFailedError(f"HTTP {answer.status}")
        members = read_members(unwrap_data(document))
        return self._reporter.answer(
            provider_message_id, members, ANSWER_NAMES, DETAILS, raw=raw, observed_at=observed_at
        )

    def _check_signature(self, callback: Callback) -> None:
        """HMAC-SHA256 of the raw body, as base64 or as hex: the vendor's samples disagree."""
        if self._webhook_key is None:
            return
        given = (callback.signature or "").strip().encode(errors="replace")
        digest = hmac.digest(self._webhook_key, callback.body, "sha256")
        as_base64 = hmac.compare_digest(given, b64encode(digest))
        as_hex = hmac.compare_digest(given.lower(), digest.hex().encode())
        if not (as_base64 or as_hex):
            raise InvalidSignatureError("the webhook's signature is wrong or missing")


def _is_expected(members: Members) -> bool:
    said = {name: find_first(members, (name,)) for name in EXPECTED}
    return all(value is None or normalize_status(str(value)) == EXPECTED[name] for name, value in said.items())


def _says_not_found(document: Any) -> bool:
    errors = document.get("errors") if isinstance(document, dict) else None
    places = [document, *(errors if isinstance(errors, list) else [errors])]
    return any(isinstance(place, dict) and place.get("code") == NOT_FOUND for place in places)
