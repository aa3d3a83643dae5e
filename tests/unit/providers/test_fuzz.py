"""With any input, the dialects return a report or None, or raise one of the defined errors."""

import json
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.core.delivery import Status, Verdict
from bridge.core.entries import MAX_ID_BYTES, Report
from bridge.core.errors import (
    AuthenticationFailedError,
    DeadLetterReason,
    InvalidSignatureError,
    PoisonMessageError,
    PollFailedError,
    RateLimitedError,
    UnsupportedMediaTypeError,
)
from bridge.core.timestamps import format_rfc3339
from bridge.providers.callback_document import list_reports, open_callback
from bridge.providers.dexatel import STATUSES as DEXATEL_STATUSES
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback, Dialect, PollAnswer, Polled, UnreadableReport
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook
from bridge.providers.parsing import MAX_TEXT_CHARS
from bridge.providers.provider_times import ProviderTimes
from bridge.providers.report_rules import ReportRules
from bridge.providers.responses import parse_retry_after
from bridge.providers.speedocom import CODE_NAMES, Speedocom
from bridge.providers.speedocom import STATUSES as SPEEDOCOM_STATUSES

DIALECTS: list[Polled] = [
    Dexatel("main", base_url="https://sms.example", poll_path="/{id}"),
    Dexatel("signed", api="v1", webhook_secret="a-secret"),
    Speedocom("main"),
]
NAMES = [
    "message_uuid", "message_id", "id", "messageid", "message-id", "status", "stat", "description", "event", "channel",
    "delivery-description", "delivery-status", "delivery-time", "delivery-tat", "timestamp", "timeTaken", "update_date",
    "err", "price", "mccmnc", "data", "errors", "code", "response-description", *CODE_NAMES,
]  # fmt: skip
WORDS = st.sampled_from(
    [
        *DEXATEL_STATUSES,
        *SPEEDOCOM_STATUSES,
        "7",
        "200",
        "1008",
        "1009",
        "No dlr",
        "1501",
        "%s",
        "{x}",
        "delivery",
        "sms",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS, st.text(),
    st.datetimes().map(str),
)  # fmt: skip
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=8),
    max_leaves=20,
)
ANY_OBJECTS = st.dictionaries(st.sampled_from(NAMES), DOCUMENTS, max_size=12)
# Most random objects lack an id or a status, and would never reach the code behind those checks.
RIGHT = {"message_id": st.just(7), "messageid": st.just("7"), "status": WORDS, "description": WORDS}
NEARLY_RIGHT = st.fixed_dictionaries(
    RIGHT | {"response-code": st.just(200)},
    optional=dict.fromkeys(("delivery-status", "delivery-time", "timestamp", "timeTaken", "err", "price"), SCALARS),
)
OBJECTS = NEARLY_RIGHT | ANY_OBJECTS
JSON_BODIES = (OBJECTS | OBJECTS.map(lambda inner: {"data": inner}) | DOCUMENTS).map(
    lambda value: json.dumps(value).encode()
)
QUERIES = st.text(alphabet=st.characters()) | st.lists(
    st.tuples(st.sampled_from(NAMES), WORDS | st.text()), max_size=12
).map(urlencode)
BODIES = st.binary() | JSON_BODIES | QUERIES.map(lambda query: query.encode("utf-8", "surrogatepass"))
CONTENT_TYPES = st.sampled_from(
    ["", "application/json", "application/x-www-form-urlencoded", "text/plain; charset=x", ";"]
) | st.text(max_size=20)
HEADERS = st.dictionaries(st.just("x-dexatel-signature"), st.text())
MULTIPART = st.lists(st.tuples(st.sampled_from(NAMES), WORDS | st.text()), max_size=6).map(
    lambda fields: (
        "".join(
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields
        ).encode("utf-8", "surrogatepass")
        + b"--B--\r\n"
    )
)
LISTS = st.lists(OBJECTS, max_size=5).map(lambda value: json.dumps(value).encode())
METHODS = st.sampled_from(["GET", "POST", "PUT"])
CHARSETS = st.sampled_from(["utf-16", "cp1251", "latin-1", "utf-7", "idna", "punycode", "hex", "nobody-knows"])
CALLBACKS = (
    st.builds(Callback, METHODS, QUERIES, CONTENT_TYPES, BODIES, HEADERS)
    | st.builds(Callback, METHODS, QUERIES, st.just("multipart/form-data; boundary=B"), MULTIPART | BODIES, HEADERS)
    | st.builds(Callback, METHODS, QUERIES, CHARSETS.map("text/plain; charset={}".format), BODIES, HEADERS)
    | st.builds(Callback, METHODS, QUERIES, CONTENT_TYPES, LISTS, HEADERS)
)
STATUS_CODES = st.sampled_from([200, 200, 200, 204, 400, 404, 401, 429, 503]) | st.integers()
ANSWERS = st.builds(PollAnswer, STATUS_CODES, st.none() | st.text() | st.integers().map(str), BODIES)
IDS = st.sampled_from(["7", "200"]) | st.text(alphabet=st.characters())


def check(report: Report) -> None:
    """Check what the journal and the published event rely on."""
    assert report.provider_message_id
    assert report.verdict is None or isinstance(report.verdict, Verdict)
    assert report.provider_status
    assert len(report.provider_status) <= MAX_TEXT_CHARS
    if report.provider_time is not None:
        format_rfc3339(report.provider_time)
    assert all(type(text) is str for text in report.provider_details.values())
    orjson.dumps([report.raw, report.provider_status, report.provider_code, report.provider_details])


GENERIC = GenericWebhook(
    "acme",
    "main",
    pointers=CallbackPointers("/id", "/status", "/err", "//timestamp"),
    reports="/data",
    rules=ReportRules({"delivered": Verdict(Status.DELIVERED)}, time_formats=["%y%m%d%H%M"]),
    where={"/channel": ("sms", "none")},
)


@given(st.sampled_from([*DIALECTS, GENERIC]), CALLBACKS)
def test_a_callback_ends_in_reports_or_one_of_its_errors(dialect: Dialect, callback: Callback) -> None:
    """No callback crashes the receiver, and every report can be journaled and published."""
    try:
        reports = dialect.read_callback(callback, 1)
    except (PoisonMessageError, InvalidSignatureError, UnsupportedMediaTypeError):
        return
    for report in reports:
        if isinstance(report, UnreadableReport):
            assert report.error.reason is DeadLetterReason.UNREADABLE
            assert report.callback.original
            continue
        check(report)
        assert len(report.provider_message_id.encode()) <= MAX_ID_BYTES
        # Of several in an array, those that aren't about an SMS's delivery are left out; one may be left.
        is_alone = len(reports) == 1 == len(list_reports(open_callback(callback).content))
        if is_alone and not callback.content_type.lower().startswith(("multipart", "text/plain; charset")):
            assert report.raw.encode() in {callback.original, callback.original.decode("utf-16", "ignore").encode()}


@given(st.sampled_from(DIALECTS), ANSWERS, IDS)
def test_an_answer_ends_in_a_report_or_nothing_or_its_three_errors(
    dialect: Polled, answer: PollAnswer, message_id: str
) -> None:
    """No answer crashes the poller, and a report is always about the polled message."""
    try:
        report = dialect.read_answer(answer, message_id, 1)
    except (RateLimitedError, AuthenticationFailedError, PollFailedError):
        return
    if report is not None:
        check(replace(report, provider_message_id="7"))
        assert report.provider_message_id == message_id
        assert report.raw.encode() == answer.body


@given(st.text(alphabet=st.characters()) | st.integers().map(str) | st.from_regex(r"\A\s*[0-9]+\s*\Z"))
@example("9" * 400)
@example("Fri, 31 Dec 9999 23:59:59 GMT")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Mon, 01 Jan 0001 00:00:00 GMT")
@example("Mon, 32 Foo 2025 25:61:61 GMT")
def test_a_wait_asked_for_is_always_one_that_ends(header: str) -> None:
    """No `Retry-After` stops polling forever."""
    seconds = parse_retry_after(header, 1_741_100_000_000)
    assert seconds is None or 0 <= seconds < 10**12


@given(st.sampled_from(DIALECTS), IDS)
@example(DIALECTS[0], "\ud800")
@example(DIALECTS[2], "\ud800")
def test_every_id_can_be_asked_for(dialect: Polled, message_id: str) -> None:
    """No id breaks a request or changes another part of the URL."""
    request = dialect.build_poll_request(message_id)
    assert request.url.isascii()
    assert request.url.isprintable()
    assert not {" ", "#", "?"} & set(request.url)


@given(st.sampled_from(sorted(available_timezones())).map(ZoneInfo), st.datetimes())
def test_no_local_time_of_any_zone_is_fatal(timezone: ZoneInfo, local: Any) -> None:
    """Daylight saving and the ends of the calendar give a time or None, never an error."""
    found = ProviderTimes(timezone).parse(f"{local:%Y-%m-%d %H:%M:%S}".rjust(19, "0"), 1)
    assert found is None or found > 0
