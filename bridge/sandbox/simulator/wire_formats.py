"""Each provider's wire format: its callbacks and its answers to polls. Pure; nothing is sent here.

Written from the vendors' documents and not from `bridge.providers`, which the simulators test. With `varied`, the
message's random numbers also choose undocumented shapes that were seen in practice.
"""

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from bridge.sandbox.simulator.fault_profiles import MessageRng


class CallbackRequest(NamedTuple):
    """A callback's HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class PollResponse(NamedTuple):
    """The answer to a poll."""

    status: int
    document: Mapping[str, Any]


class ReportedStatus(NamedTuple):
    """A status of one message."""

    provider_status: str
    at: float
    """When the provider learnt it, in seconds since the epoch."""
    submitted_at: float
    """Seconds since the epoch."""


class ProviderWireFormat(Protocol):
    """What each provider sends and answers."""

    max_retries: int
    """How often the provider retries a callback."""

    def make_callback(self, url: str, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> CallbackRequest:
        """Return the callback that reports this status."""
        ...

    def check_credentials(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> PollResponse | None:
        """Return the refusal if the credentials are wrong, else None."""
        ...

    def make_report(self, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> PollResponse:
        """Return the answer that reports this status."""
        ...

    def make_no_report(self, rng: MessageRng, *, varied: bool) -> PollResponse:
        """Return the answer for a message that is unknown or has no status yet."""
        ...


class DexatelWireFormat:
    """Dexatel: the legacy API and the current one. Polls of both are answered.

    Args:
        api: Which callbacks are sent: `legacy`, by GET, or `v1`, as JSON webhooks.
        token: A poll must carry it, in either header.
        webhook_secret: Webhooks are signed with it; None: they aren't signed.
    """

    max_retries = 5
    PARAMETER_NAMES = (
        ("message_uuid", "status", "err", "timestamp"),
        ("uuid", "status", "error", "date"),
        ("sms_unique_id", "stat", "error_code", "time"),
        ("message_id", "status", "err", "timestamp"),
        ("id", "status", "err", "timestamp"),
    )
    """The names seen in GET callbacks for id, status, error and time."""

    NETWORKS = (("28301", "0.0125"), ("28305", "0.0110"), ("28310", "0.0140"), ("25001", "0.0260"))
    """By country and network code, the price of a message."""

    def __init__(self, *, api: str = "legacy", token: str, webhook_secret: str | None = None) -> None:
        self._api = api
        self._token = token
        self._secret = webhook_secret

    def make_callback(self, url: str, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> CallbackRequest:
        """Return a GET with a query, or a signed JSON webhook; if varied, sometimes a form."""
        if self._api == "v1":
            return self._make_webhook(url, reported, rng, varied=varied)
        names = rng.choose(self.PARAMETER_NAMES, "names") if varied else self.PARAMETER_NAMES[0]
        error = "000" if reported.provider_status == "delivered" else "011"
        values = (rng.provider_message_id, reported.provider_status, error, format_time(reported.at))
        network, price = rng.choose(self.NETWORKS, "network")
        query = urlencode(dict(zip(names, values, strict=True), mccmnc=network, price=price))
        if varied and rng.decide(0.1, "form"):
            return CallbackRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, query.encode())
        return CallbackRequest("GET", f"{url}?{query}", {}, None)

    def _make_webhook(self, url: str, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> CallbackRequest:
        network, price = rng.choose(self.NETWORKS, "network")
        data = {
            "account_id": "3d3a1c5e-0000-4000-8000-000000000001",
            "message_id": rng.provider_message_id,
            "event": "delivery",
            "status": reported.provider_status
            if varied and rng.decide(0.5, "lower case")
            else reported.provider_status.upper(),
            "channel": "SMS",
            "to": "37400000000",
            "mccmnc": network,
            "price": float(price),
            "timestamp": format_time(reported.at),
        }
        body = json.dumps({"data": data}).encode()
        headers = {"Content-Type": "application/json"}
        if self._secret is not None:
            digest = hmac.digest(self._secret.encode(), body, "sha256")
            as_hex = varied and rng.decide(0.5, "hex")
            headers["X-Dexatel-Signature"] = digest.hex() if as_hex else b64encode(digest).decode()
        return CallbackRequest("POST", url, headers, body)

    def check_credentials(self, headers: Mapping[str, str], _parameters: Mapping[str, str]) -> PollResponse | None:
        """Return a 401 unless the token is right."""
        if self._token in (headers.get("token"), headers.get("X-Dexatel-Key")):
            return None
        return PollResponse(HTTPStatus.UNAUTHORIZED, _make_errors(HTTPStatus.UNAUTHORIZED, 1001, "unauthorized"))

    def make_report(self, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> PollResponse:
        """Return one document that fits both APIs; if varied, sometimes without its wrapper."""
        data = {
            "message_uuid": rng.provider_message_id,
            "id": rng.provider_message_id,
            "channel": "SMS",
            "status": reported.provider_status,
            "create_date": format_time(reported.submitted_at),
            "update_date": format_time(reported.at),
        }
        if varied and rng.decide(0.3, "bare"):
            return PollResponse(HTTPStatus.OK, data)
        return PollResponse(HTTPStatus.OK, {"statusName": "OK", "data": data})

    def make_page(self, rows: Sequence[tuple[str, ReportedStatus]], next_token: str | None) -> PollResponse:
        """Return a page of the list: ids and their statuses."""
        data = [
            {
                "id": message_id,
                "to": "37400000000",
                "channel": "SMS",
                "status": one.provider_status,
                "create_date": format_time(one.submitted_at),
                "update_date": format_time(one.at),
            }
            for message_id, one in rows
        ]
        return PollResponse(HTTPStatus.OK, {"data": data, "next_page_token": next_token})

    def make_rate_limited(self) -> PollResponse:
        """Return the answer to a request over the rate limit."""
        return PollResponse(
            HTTPStatus.TOO_MANY_REQUESTS, _make_errors(HTTPStatus.TOO_MANY_REQUESTS, 1429, "too many requests")
        )

    def make_no_report(self, rng: MessageRng, *, varied: bool) -> PollResponse:
        """Return a 404; if varied, sometimes a 200 with the same error code."""
        as_ok = varied and rng.decide(0.5, "no report")
        return PollResponse(
            HTTPStatus.OK if as_ok else HTTPStatus.NOT_FOUND, _make_errors(404, 1501, "message not found")
        )


class SpeedocomWireFormat:
    """Speedocom.

    Args:
        token: The API key, which a poll must carry.
        partner_id: The partner id, which a poll must carry as well.
    """

    max_retries = 3

    def __init__(self, *, token: str, partner_id: str) -> None:
        self._credentials = {"apikey": token, "partnerID": partner_id}

    def make_callback(self, url: str, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> CallbackRequest:
        """Return a POST of JSON; if varied, sometimes a form, or a number as the id."""
        members: dict[str, Any] = {
            "description": reported.provider_status,
            "messageid": rng.provider_message_id,
            "timeTaken": f"{max(0.0, reported.at - reported.submitted_at):.0f}s",
            "timestamp": format_time(reported.at),
        }
        if varied and rng.decide(0.3, "form"):
            body = urlencode(members).encode()
            return CallbackRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        if varied and rng.decide(0.3, "number"):
            members["messageid"] = _to_number(rng.provider_message_id)
        return CallbackRequest("POST", url, {"Content-Type": "application/json"}, json.dumps(members).encode())

    def check_credentials(self, _headers: Mapping[str, str], parameters: Mapping[str, str]) -> PollResponse | None:
        """Return code 1006 unless key and partner are right."""
        if all(parameters.get(name) == value for name, value in self._credentials.items()):
            return None
        return PollResponse(HTTPStatus.OK, {"response-code": 1006, "response-description": "Invalid credentials"})

    def make_report(self, reported: ReportedStatus, rng: MessageRng, *, varied: bool) -> PollResponse:
        """Return the documented answer; if varied, sometimes with null times."""
        timeless = varied and rng.decide(0.3, "null times")
        tat = f"{datetime.fromtimestamp(max(0.0, reported.at - reported.submitted_at), UTC):%H:%M:%S}"
        document = {
            "response-code": 200,
            "message-id": rng.provider_message_id,
            "response-description": "Success",
            "delivery-status": 32,
            "delivery-description": reported.provider_status,
            "delivery-tat": None if timeless else tat,
            "delivery-networkid": 1,
            "delivery-time": None if timeless else format_time(reported.at),
        }
        return PollResponse(HTTPStatus.OK, document)

    def make_no_report(self, rng: MessageRng, *, varied: bool) -> PollResponse:
        """Return code 1009; if varied, sometimes 1008 or HTTP 404."""
        code, description = (1008, "No delivery report") if varied and rng.decide(0.5, "1008") else (1009, "No dlr")
        missing = varied and rng.decide(0.5, "404")
        status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.OK
        return PollResponse(status, {"response-code": code, "response-description": description})


def format_time(at: float) -> str:
    """Format a time as both providers do: without zone and fractions; here it is UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _to_number(text: str) -> int | str:
    """Return the id as a JSON number if that loses nothing."""
    return int(text) if text.isascii() and text.isdecimal() and str(int(text)) == text and len(text) <= 18 else text  # noqa: PLR2004 - fits 64 bits


def _make_errors(status: int, code: int, message: str) -> Mapping[str, Any]:
    return {"errors": [{"method": "GET", "status": status, "message": message, "code": code}]}
