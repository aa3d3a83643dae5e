"""How each provider speaks over HTTP: its callbacks, its answers to polls. Values in, values out; nothing is sent here.

Written from the vendors' documents and not from `bridge.providers`, which it is there to test. Shapes that were seen
beside the documented ones come where a profile asks for variety, chosen by the message's dice.
"""

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from bridge.sandbox.simulator.fault_profiles import Dice


class CallbackRequest(NamedTuple):
    """A callback as it goes over the wire."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class PollResponse(NamedTuple):
    """What a poll gets."""

    status: int
    document: Mapping[str, Any]


class ReportedStatus(NamedTuple):
    """One word about one message."""

    word: str
    at: float
    """When the provider learnt it, in seconds since the epoch."""
    submitted_at: float


class ProviderWireFormat(Protocol):
    """What every provider can say."""

    retries: int
    """How often a callback is tried again that got no 2xx."""

    def callback(self, url: str, told: ReportedStatus, dice: Dice, *, varied: bool) -> CallbackRequest:
        """The callback that tells this."""
        ...

    def refusal(self, headers: Mapping[str, str], question: Mapping[str, str]) -> PollResponse | None:
        """The answer to whoever isn't allowed to ask, or None."""
        ...

    def report(self, told: ReportedStatus, dice: Dice, *, varied: bool) -> PollResponse:
        """The answer that tells this."""
        ...

    def no_report(self, dice: Dice, *, varied: bool) -> PollResponse:
        """The answer when there is nothing to tell, or no such message."""
        ...


class DexatelWireFormat:
    """Dexatel: the classic interface and the one of the developer pages. Polls of both are answered.

    Args:
        api: Which callbacks come: `legacy`, by GET, or `v1`, as JSON webhooks.
        token: What a poll must carry, under either header.
        webhook_secret: What webhooks are signed with; None: not at all.
    """

    retries = 5
    NAMES = (
        ("message_uuid", "status", "err", "timestamp"),
        ("uuid", "status", "error", "date"),
        ("sms_unique_id", "stat", "error_code", "time"),
        ("message_id", "status", "err", "timestamp"),
        ("id", "status", "err", "timestamp"),
    )
    """Under which names a GET callback has been seen to hold id, status, error and time."""

    def __init__(self, *, api: str = "legacy", token: str, webhook_secret: str | None = None) -> None:
        self._api = api
        self._token = token
        self._secret = webhook_secret

    def callback(self, url: str, told: ReportedStatus, dice: Dice, *, varied: bool) -> CallbackRequest:
        """A GET whose query says it, or a signed JSON webhook; in variety also a form."""
        if self._api == "v1":
            return self._webhook(url, told, dice, varied=varied)
        names = dice.pick(self.NAMES, "names") if varied else self.NAMES[0]
        error = "000" if told.word == "delivered" else "011"
        query = urlencode(dict(zip(names, (dice.provider_message_id, told.word, error, clock(told.at)), strict=True)))
        if varied and dice.chance(0.1, "form"):
            return CallbackRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, query.encode())
        return CallbackRequest("GET", f"{url}?{query}", {}, None)

    def _webhook(self, url: str, told: ReportedStatus, dice: Dice, *, varied: bool) -> CallbackRequest:
        data = {
            "account_id": "3d3a1c5e-0000-4000-8000-000000000001",
            "message_id": dice.provider_message_id,
            "event": "delivery",
            "status": told.word if varied and dice.chance(0.5, "lower case") else told.word.upper(),
            "channel": "SMS",
            "to": "37400000000",
            "mccmnc": "28301",
            "price": 0.0125,
            "timestamp": clock(told.at),
        }
        body = json.dumps({"data": data}).encode()
        headers = {"Content-Type": "application/json"}
        if self._secret is not None:
            digest = hmac.digest(self._secret.encode(), body, "sha256")
            as_hex = varied and dice.chance(0.5, "hex")
            headers["X-Dexatel-Signature"] = digest.hex() if as_hex else b64encode(digest).decode()
        return CallbackRequest("POST", url, headers, body)

    def refusal(self, headers: Mapping[str, str], _question: Mapping[str, str]) -> PollResponse | None:
        """401 without the right token."""
        if self._token in (headers.get("token"), headers.get("X-Dexatel-Key")):
            return None
        return PollResponse(HTTPStatus.UNAUTHORIZED, _errors(HTTPStatus.UNAUTHORIZED, 1001, "unauthorized"))

    def report(self, told: ReportedStatus, dice: Dice, *, varied: bool) -> PollResponse:
        """One document that both interfaces' readers understand; in variety without its wrapping."""
        data = {
            "message_uuid": dice.provider_message_id,
            "id": dice.provider_message_id,
            "channel": "SMS",
            "status": told.word,
            "create_date": clock(told.submitted_at),
            "update_date": clock(told.at),
        }
        if varied and dice.chance(0.3, "bare"):
            return PollResponse(HTTPStatus.OK, data)
        return PollResponse(HTTPStatus.OK, {"statusName": "OK", "data": data})

    def listed(self, told: Sequence[tuple[str, ReportedStatus]], next_token: str | None) -> PollResponse:
        """A page of the list: ids and what is known of each."""
        data = [
            {
                "id": message_id,
                "to": "37400000000",
                "channel": "SMS",
                "status": one.word,
                "create_date": clock(one.submitted_at),
                "update_date": clock(one.at),
            }
            for message_id, one in told
        ]
        return PollResponse(HTTPStatus.OK, {"data": data, "next_page_token": next_token})

    def limited(self) -> PollResponse:
        """The answer to whoever asks too often."""
        return PollResponse(
            HTTPStatus.TOO_MANY_REQUESTS, _errors(HTTPStatus.TOO_MANY_REQUESTS, 1429, "too many requests")
        )

    def no_report(self, dice: Dice, *, varied: bool) -> PollResponse:
        """404; in variety also 200 with the code that says the same."""
        as_ok = varied and dice.chance(0.5, "no report")
        return PollResponse(HTTPStatus.OK if as_ok else HTTPStatus.NOT_FOUND, _errors(404, 1501, "message not found"))


class SpeedocomWireFormat:
    """Speedocom.

    Args:
        token: The API key that a poll must carry.
        partner_id: And whose it must be.
    """

    retries = 3

    def __init__(self, *, token: str, partner_id: str) -> None:
        self._credentials = {"apikey": token, "partnerID": partner_id}

    def callback(self, url: str, told: ReportedStatus, dice: Dice, *, varied: bool) -> CallbackRequest:
        """A POST of JSON; in variety also a form, or a number for an id."""
        members: dict[str, Any] = {
            "description": told.word,
            "messageid": dice.provider_message_id,
            "timeTaken": f"{max(0.0, told.at - told.submitted_at):.0f}s",
            "timestamp": clock(told.at),
        }
        if varied and dice.chance(0.3, "form"):
            body = urlencode(members).encode()
            return CallbackRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        if varied and dice.chance(0.3, "number"):
            members["messageid"] = _as_number(dice.provider_message_id)
        return CallbackRequest("POST", url, {"Content-Type": "application/json"}, json.dumps(members).encode())

    def refusal(self, _headers: Mapping[str, str], question: Mapping[str, str]) -> PollResponse | None:
        """Code 1006 unless key and partner are right."""
        if all(question.get(name) == value for name, value in self._credentials.items()):
            return None
        return PollResponse(HTTPStatus.OK, {"response-code": 1006, "response-description": "Invalid credentials"})

    def report(self, told: ReportedStatus, dice: Dice, *, varied: bool) -> PollResponse:
        """As documented; in variety with null times."""
        timeless = varied and dice.chance(0.3, "null times")
        tat = f"{datetime.fromtimestamp(max(0.0, told.at - told.submitted_at), UTC):%H:%M:%S}"
        document = {
            "response-code": 200,
            "message-id": dice.provider_message_id,
            "response-description": "Success",
            "delivery-status": 32,
            "delivery-description": told.word,
            "delivery-tat": None if timeless else tat,
            "delivery-networkid": 1,
            "delivery-time": None if timeless else clock(told.at),
        }
        return PollResponse(HTTPStatus.OK, document)

    def no_report(self, dice: Dice, *, varied: bool) -> PollResponse:
        """Code 1009 and its words; in variety also 1008, and HTTP 404."""
        code, description = (1008, "No delivery report") if varied and dice.chance(0.5, "1008") else (1009, "No dlr")
        missing = varied and dice.chance(0.5, "404")
        status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.OK
        return PollResponse(status, {"response-code": code, "response-description": description})


def clock(at: float) -> str:
    """A time as both providers write it: no zone, no fractions; here it is UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _as_number(text: str) -> int | str:
    """The id as a JSON number, where that loses nothing."""
    return int(text) if text.isascii() and text.isdecimal() and str(int(text)) == text and len(text) <= 18 else text  # noqa: PLR2004 - fits 64 bits


def _errors(status: int, code: int, message: str) -> Mapping[str, Any]:
    return {"errors": [{"method": "GET", "status": status, "message": message, "code": code}]}
