"""Dexatel: its words, its signature, its times, and what it is asked."""

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import DeadLetterReason, LookupFailed, Poison, Unauthentic
from bridge.providers.dexatel import STATUSES, Dexatel
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
    """What is read from a classic callback."""
    report = Dexatel("main", **settings).read_callback(Callback("GET", query, "", None, b""), 1)
    assert report is not None
    return report


def post(body: bytes, signature: str | None = None, content_type: str = "application/json") -> Report | None:
    """What is read from a webhook of an account that checks signatures."""
    return Dexatel("main", webhook_secret=SECRET).read_callback(Callback("POST", "", content_type, signature, body), 1)


def test_every_word_has_the_verdict_that_was_agreed() -> None:
    """The table holds exactly the words of the mapping, so none is lost or added unnoticed."""
    assert STATUSES == WORDS


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("written", [str.lower, str.upper, str.title, lambda word: f" {word}\t"])
def test_a_word_is_known_in_any_case_and_keeps_its_writing(word: str, written: Any) -> None:
    """Webhooks shout where the classic interface doesn't; support still sees what the provider wrote."""
    body = json.dumps({"message_id": "77", "status": written(word)}).encode()
    report = Dexatel("main").read_callback(Callback("POST", "", "application/json", None, body), 1)
    assert report is not None
    assert report.verdict == WORDS[word]
    assert report.provider_status == written(word)


def test_settings_overrule_a_word_and_add_one() -> None:
    """A new or different word needs a setting, not a release."""
    words = {"Sent ": Verdict(Status.DELIVERED), "BOUNCED": Verdict(Status.FAILED, Reason.NETWORK)}
    assert get("id=7&status=sent", statuses=words).verdict == Verdict(Status.DELIVERED)
    assert get("id=7&status=bounced", statuses=words).verdict == Verdict(Status.FAILED, Reason.NETWORK)
    assert get("id=7&status=failed", statuses=words).verdict == WORDS["failed"]


@pytest.mark.parametrize("names", ["message_uuid uuid sms_unique_id message_id id", "status stat"])
def test_of_several_names_for_one_thing_the_first_that_says_something_counts(names: str) -> None:
    """An id of the owner's own system further back in the query never displaces Dexatel's."""
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
def test_a_rightly_signed_webhook_is_read(signature: str) -> None:
    """The vendor's samples write the signature as base64 or as hex; both are good."""
    report = post(BODY, signature)
    assert report is not None
    assert report.provider_message_id == "77"


@pytest.mark.parametrize(
    "signature",
    [None, "", "ü", "0" * 64, hmac.new(b"another", BODY, sha256).hexdigest(), b64encode(b"0" * 32).decode()],
)
@pytest.mark.parametrize("content_type", ["application/json", "", "application/x-www-form-urlencoded"])
def test_a_wrongly_signed_webhook_is_turned_away(signature: str | None, content_type: str) -> None:
    """Nobody without the secret writes a message's story, under whatever content type."""
    with pytest.raises(Unauthentic) as raised:
        post(BODY, signature, content_type)
    assert SECRET not in str(raised.value)


def test_a_signature_covers_every_byte_of_the_body() -> None:
    """A body that was changed on its way is turned away."""
    with pytest.raises(Unauthentic):
        post(BODY.replace(b"77", b"78"), hmac.new(SECRET.encode(), BODY, sha256).hexdigest())


def test_a_signature_is_checked_before_the_body_is_read() -> None:
    """Garbage from a stranger is a 401 and never gets into the dead letter topic."""
    with pytest.raises(Unauthentic):
        post(b'{"data":\xff')


def test_classic_callbacks_need_no_signature() -> None:
    """The classic interface doesn't sign, and goes on while webhooks are checked."""
    assert get("id=77&status=sent", webhook_secret=SECRET).provider_message_id == "77"
    form = post(b"id=77&status=sent", None, "application/x-www-form-urlencoded")
    assert form is not None
    assert form.provider_message_id == "77"


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        ("2025-03-04 05:06:07", 1_741_064_767_000),
        ("2025-03-04T05:06:07Z", 1_741_064_767_000),
        ("2025-03-04t05:06:07.1234567z", 1_741_064_767_123),
        ("2025-03-04T06:06:07.5%2B01:00", 1_741_064_767_500),
        ("2025-03-04T05:06:07", 1_741_064_767_000),
        ("1741064767", 1_741_064_767_000),
        ("1741064767.25", 1_741_064_767_250),
        ("1741064767250", 1_741_064_767_250),
        ("", None),
        ("null", None),
        ("0", None),
        ("-5", None),
        ("1e9", None),
        ("yesterday", None),
        ("2025-02-30 05:06:07", None),
        ("0001-01-01 00:00:00", None),
        ("999999999999999", None),
        ("9" * 5000, None),
    ],
)
def test_times_are_read_in_every_known_writing_and_never_fatal(time: str, milliseconds: int | None) -> None:
    """A status counts even where its time is useless."""
    assert get(f"id=7&status=sent&timestamp={time}").provider_time == milliseconds


@pytest.mark.parametrize(
    ("local", "milliseconds"),
    [
        ("2025-01-15 12:00:00", 1_736_938_800_000),  # winter: 11:00 UTC
        ("2025-07-15 12:00:00", 1_752_573_600_000),  # summer: 10:00 UTC
        ("2025-03-30 02:30:00", 1_743_298_200_000),  # skipped by daylight saving: as before the change, 01:30 UTC
        ("2025-10-26 02:30:00", 1_761_438_600_000),  # there twice: the first one, 00:30 UTC
    ],
)
def test_a_time_without_zone_is_in_the_zone_of_settings(local: str, milliseconds: int) -> None:
    """Local clocks are understood in summer, in winter and in the hours between."""
    report = get(f"id=7&status=sent&timestamp={local}", timezone=ZoneInfo("Europe/Berlin"))
    assert report.provider_time == milliseconds


@pytest.mark.parametrize(
    "value",
    ["%s", "%d", "%25message_id%25", "{x}", "{}", "{0}", "${id}", "{{x}}", "{{ message.id }}", "<id>", "<message-id>"],
)
@pytest.mark.parametrize("query", ["id={}&status=sent", "id=7&status={}"])
def test_a_template_nobody_filled_in_is_unreadable(query: str, value: str) -> None:
    """A URL set up wrongly at the provider shows in the dead letter topic, not as a message with a strange id."""
    with pytest.raises(Poison) as raised:
        get(query.replace("{}", value))
    assert raised.value.reason is DeadLetterReason.UNREADABLE


@pytest.mark.parametrize(
    "message_id",
    ["007", "a b", "100%", "{3f6c1f0e-9a57-4b0f-8f0d-52b1c7a9e611}", "<20250304.7@host>", "ü" * 64, "-", "%41b%"],
)
def test_an_id_is_opaque(message_id: str) -> None:
    """Zeros, blanks, braces and letters of any alphabet survive, up to 128 bytes."""
    body = json.dumps({"data": {"message_id": message_id, "status": "sent"}}, ensure_ascii=False).encode()
    report = Dexatel("main").read_callback(Callback("POST", "", "application/json", None, body), 1)
    assert report is not None
    assert report.provider_message_id == message_id


@pytest.mark.parametrize(
    ("number", "good"), [(2**64 - 1, True), (-(2**63), True), (2**64, False), (-(2**63) - 1, False)]
)
def test_an_integer_id_is_its_digits_as_far_as_64_bits_reach(number: int, *, good: bool) -> None:
    """Every digit of a numeric id counts; one that other systems have rounded already is refused."""
    body = b'{"message_id":%d,"status":"sent"}' % number
    callback = Callback("POST", "", "application/json", None, body)
    if good:
        report = Dexatel("main").read_callback(callback, 1)
        assert report is not None
        assert report.provider_message_id == str(number)
    else:
        with pytest.raises(Poison):
            Dexatel("main").read_callback(callback, 1)


@pytest.mark.parametrize("query", ["id=" + "ü" * 65 + "&status=sent", "id=7&status=" + "x" * 257])
def test_what_is_too_long_for_an_id_or_a_status_is_unreadable(query: str) -> None:
    """No key of 64 KiB gets into the journal, and no page of text into an event."""
    with pytest.raises(Poison):
        get(query)


def test_details_and_codes_that_say_nothing_are_left_out() -> None:
    """Empty, nested, endless and unfilled extras don't cost the report."""
    data = {"message_id": "7", "status": "sent", "mccmnc": None, "segments": "", "price": {"eur": 1}, "tat": "x" * 257}
    body = json.dumps({"data": data | {"network_id": "%n", "err": True, "secret_extra": "x"}}).encode()
    report = Dexatel("main").read_callback(Callback("POST", "", "application/json", None, body), 1)
    assert report is not None
    assert report.provider_details == {}
    assert report.provider_code is None


def test_json_nested_without_end_is_unreadable() -> None:
    """A body that only wants to exhaust the reader ends in the dead letter topic."""
    body = b'{"data":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    with pytest.raises(Poison):
        Dexatel("main").read_callback(Callback("POST", "", "application/json", None, body), 1)


def test_the_classic_look_up_is_asked_with_a_token_in_a_header() -> None:
    """The id is quoted into the configured path; the token stays out of the URL."""
    dialect = Dexatel("main", base_url="https://sms.example/", token="t0ken", poll_path="/v2/{id}/status?x={id}")
    assert dialect.poll_request("a/b ü?") == PollRequest(
        "GET",
        "https://sms.example/v2/a%2Fb%20%C3%BC%3F/status?x=a%2Fb%20%C3%BC%3F",
        {"token": "t0ken", "Accept": "application/json"},
        None,
    )


def test_the_current_look_up_has_its_own_path_and_header() -> None:
    """`v1` needs no path from settings."""
    dialect = Dexatel("main", api="v1", base_url="https://sms.example", token="t0ken", poll_path="/ignored")
    assert dialect.poll_request("{id}") == PollRequest(
        "GET",
        "https://sms.example/v1/messages/%7Bid%7D",
        {"X-Dexatel-Key": "t0ken", "Accept": "application/json"},
        None,
    )


def test_secrets_do_not_show() -> None:
    """A dialect in a log line or a traceback gives nothing away."""
    dialect = Dexatel("main", token="t0ken", webhook_secret=SECRET)
    assert repr(dialect) == str(dialect) == "Dexatel(account='main')"


def test_an_answer_that_is_not_text_is_a_failed_look_up() -> None:
    """Garbage from the provider is asked for again and never becomes a dead letter."""
    with pytest.raises(LookupFailed):
        Dexatel("main").read_answer(PollAnswer(200, None, b'{"status":"\xff"}'), "7", 1)


def test_members_that_hold_a_phone_number_are_known() -> None:
    """Privacy settings can only redact what the dialect names, and names are lower-case."""
    assert "to" in Dexatel.recipient_members
    assert {name.lower() for name in Dexatel.recipient_members} == Dexatel.recipient_members
