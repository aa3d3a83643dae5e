"""Containers of callbacks: what holds the facts makes no difference to a report."""

import json
from urllib.parse import quote, urlencode

import pytest
from msgspec.structs import replace

from bridge.core.delivery import Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError, UnsupportedMediaTypeError
from bridge.providers import generic_webhook
from bridge.providers.callback_document import FREE_BYTES, MAX_REPORTS, dump_json
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback, CallbackReading, Dialect, UnreadableReport
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook
from bridge.providers.multipart import MAX_FIELDS
from bridge.providers.parsing import parse_json
from bridge.providers.report_rules import ReportRules
from bridge.providers.speedocom import Speedocom
from tests.support.providers.reading import read_one

FORM = "application/x-www-form-urlencoded"
NOW = 1_769_860_800_000
STATUSES = {"Доставлено": Verdict(Status.DELIVERED), "true": Verdict(Status.DELIVERED), "é": Verdict(Status.SENT)}


def make_dialect(reports: str | None = None, message_id: str = "/id", status: str = "/status") -> GenericWebhook:
    """Make a dialect by settings."""
    return GenericWebhook(
        "acme", "main", pointers=CallbackPointers(message_id, status), rules=ReportRules(STATUSES), reports=reports
    )


def make_multipart(**fields: str) -> bytes:
    """Make a multipart form with the boundary B."""
    parts = (f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items())
    return "".join(parts).encode() + b"--B--\r\n"


NAME, TYPE = b'name="id"\r\n', b"Content-Type: text/plain; charset=nobody-knows-it\r\n"
FACTS = {"id": "m 1+2", "status": "Доставлено"}
CONTAINERS = {
    "query": Callback("GET", urlencode(FACTS), "", b""),
    "query of a POST": Callback("POST", urlencode(FACTS), FORM, b""),
    "form": Callback("POST", "", FORM, urlencode(FACTS).encode()),
    "form in cp1251": Callback(
        "POST", "", f"{FORM}; charset=windows-1251", urlencode(FACTS, encoding="cp1251").encode()
    ),
    "body and query": Callback(
        "POST", urlencode({"id": FACTS["id"]}), FORM, urlencode({"status": "Доставлено"}).encode()
    ),
    "JSON": Callback("POST", "", "application/json", json.dumps(FACTS).encode()),
    "JSON in UTF-16": Callback("POST", "", "application/json; charset=UTF-16", json.dumps(FACTS).encode("utf-16")),
    "JSON as UTF-16 says": Callback(
        "POST", "", "application/json", json.dumps(FACTS, ensure_ascii=False).encode("utf-16")
    ),
    "JSON and query": Callback("POST", "status=x&id=m+1%2B2", "", json.dumps({"status": "Доставлено"}).encode()),
    "multipart": Callback("POST", "", "multipart/form-data; boundary=B", make_multipart(**FACTS)),
}


@pytest.mark.parametrize("callback", CONTAINERS.values(), ids=CONTAINERS)
def test_a_container_makes_no_difference(callback: Callback) -> None:
    """The same facts give the same report, apart from its text."""
    report = read_one(make_dialect(), callback, NOW)
    assert report is not None
    assert (report.provider_message_id, report.provider_status, report.status) == (
        "m 1+2",
        "Доставлено",
        Status.DELIVERED,
    )


@pytest.mark.parametrize("dialect", [Speedocom("main"), Dexatel("main")])
def test_built_in_providers_read_multipart(dialect: Dialect) -> None:
    """A form is a form."""
    body = make_multipart(messageid="7", message_id="7", description="Unknown", status="sent")
    report = read_one(dialect, Callback("POST", "", "multipart/form-data; boundary=B", body), NOW)
    assert report is not None
    assert report.provider_message_id == "7"
    assert json.loads(report.raw)["messageid"] == "7"


def test_words_are_compared_composed_and_without_case() -> None:
    """Letters may be written as one or as two; a boolean is a word."""
    for status in ("e\u0301", "E\u0301", "É", " é "):
        report = read_one(
            make_dialect(), Callback("POST", "", "", json.dumps({"id": 1, "status": status}).encode()), NOW
        )
        assert report is not None
        assert report.status is Status.SENT
    report = read_one(make_dialect(), Callback("POST", "", "", b'{"id":1,"status":true}'), NOW)
    assert report is not None
    assert (report.provider_status, report.status) == ("true", Status.DELIVERED)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/xml", b"<report/>"),
        ("application/xml; charset=utf-8", b"x"),
        (FORM, b" \n<?xml version='1.0'?><a/>"),
        ("application/json; charset=nobody-knows-it", b"{}"),
        (
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="id"\r\nContent-Type: a/b; charset=zz\r\n\r\n1\r\n--B--',
        ),
    ],
)
def test_what_is_not_read_is_refused(content_type: str, body: bytes) -> None:
    """The sender should know."""
    for dialect in (make_dialect(), Speedocom("main"), Dexatel("main")):
        with pytest.raises(UnsupportedMediaTypeError):
            dialect.read_callback(Callback("POST", "", content_type, body), NOW)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json; charset=ascii", '{"id":"é"}'.encode()),
        ("multipart/form-data", make_multipart(id="1", status="true")),
        ("multipart/form-data; boundary=C", make_multipart(id="1", status="true")),
        ("multipart/form-data; boundary=B", b"\n--B" * (MAX_FIELDS + 1)),
        ("application/json", b'{"id":"1","status":"\xff"}'),
        (FORM, b"\xff\xfe\x00"),
    ],
)
def test_what_cannot_be_decoded_is_a_dead_letter(content_type: str, body: bytes) -> None:
    """Never half of it is read."""
    with pytest.raises(PoisonMessageError):
        make_dialect().read_callback(Callback("POST", "", content_type, body), NOW)


BATCHES = {
    "/results": {"results": [{"id": 1, "status": "true"}, {"id": 2}, {"id": 3, "status": "é"}], "cost": 1.50},
    "/a/0/b": {"a": [{"b": [{"id": 1, "status": "true"}, {"id": 2}, {"id": 3, "status": "é"}]}]},
    "": [{"id": 1, "status": "true"}, {"id": 2}, {"id": 3, "status": "é"}],
    "/text": {"text": json.dumps([{"id": 1, "status": "true"}, {"id": 2}, {"id": 3, "status": "é"}])},
}


def split(reading: CallbackReading) -> tuple[list[str], list[Callback]]:
    """Return the ids that could be read, and the callbacks that couldn't."""
    good = [one.provider_message_id for one in reading if isinstance(one, Report)]
    return good, [one.callback for one in reading if isinstance(one, UnreadableReport)]


@pytest.mark.parametrize(("pointer", "document"), BATCHES.items())
def test_one_bad_report_costs_no_other(pointer: str, document: object) -> None:
    """It is left in a callback of its own, which the same settings read once it is mended."""
    dialect = make_dialect(pointer)
    callback = Callback("POST", "k=v", "application/json", json.dumps(document).encode())
    good, bad = split(dialect.read_callback(callback, NOW))
    assert good == ["1", "3"]
    assert len(bad) == 1
    assert split(
        dialect.read_callback(replace(bad[0], body=bad[0].body.replace(b'"id":2', b'"id":2,"status":"x"')), NOW)
    ) == (
        ["2"],
        [],
    )
    assert bad[0].query == "k=v"


def test_a_form_may_hold_an_array() -> None:
    """As text in one of its fields."""
    inner = json.dumps([{"id": 1, "status": "true"}, {"id": 2, "status": "true"}])
    callback = Callback("POST", "", FORM, f"response={quote(inner)}".encode())
    assert split(make_dialect("/response").read_callback(callback, NOW)) == (["1", "2"], [])


def test_absolute_pointers_lead_out_of_a_report() -> None:
    """To the callback's top, or its query."""
    document = {"status": "true", "reports": [{"id": 1, "status": "no"}, {"id": 2, "status": "no"}]}
    callback = Callback("POST", "word=%C3%A9", "", json.dumps(document).encode())
    for pointer, status in (("//status", Status.DELIVERED), ("//word", Status.SENT)):
        reading = make_dialect("/reports", status=pointer).read_callback(callback, NOW)
        assert [one.status for one in reading if isinstance(one, Report)] == [status, status]


@pytest.mark.parametrize(
    ("dialect", "reports"),
    [
        (
            Speedocom("main"),
            [{"messageid": 1, "description": "Expired"}, {"messageid": 2}, {"messageid": 3, "description": "x"}],
        ),
        (Dexatel("main"), {"data": [{"id": 1, "status": "sent"}, {"id": 2}, {"id": 3, "status": "x"}]}),
    ],
)
def test_built_in_providers_take_arrays(dialect: Dialect, reports: object) -> None:
    """Each report stands for itself."""
    good, bad = split(dialect.read_callback(Callback("POST", "", "", json.dumps(reports).encode()), NOW))
    assert good == ["1", "3"]
    assert [split_error(dialect, one) for one in bad] == [True]


def split_error(dialect: Dialect, callback: Callback) -> bool:
    """Return whether a callback can't be read."""
    with pytest.raises(PoisonMessageError):
        dialect.read_callback(callback, NOW)
    return True


def test_arrays_are_bounded_and_may_be_empty() -> None:
    """Too many reports are refused whole; none is nothing."""
    assert make_dialect("").read_callback(Callback("POST", "", "", b"[]"), NOW) == []
    many = json.dumps([{"id": 1}] * (MAX_REPORTS + 1)).encode()
    with pytest.raises(PoisonMessageError):
        make_dialect("").read_callback(Callback("POST", "", "", many), NOW)
    with pytest.raises(PoisonMessageError, match="REPORTS"):
        make_dialect("/elsewhere").read_callback(Callback("POST", "", "", b'{"id":1}'), NOW)
    with pytest.raises(PoisonMessageError, match="REPORTS"):
        make_dialect(message_id="/a/0/id").read_callback(Callback("POST", "", "", b'{"a":[{"id":1},{"id":2}]}'), NOW)


def test_numbers_are_written_as_they_were() -> None:
    """Not as a float would be."""
    text = '{"id":12345678901234567890123,"price":1.500,"tiny":1e-30,"list":[-0.0,true,null,"\\u0001"]}'
    assert dump_json(parse_json(text)) == text


def test_copies_of_bad_reports_are_bounded() -> None:
    """What stands beside the array is in each of them: many would make a large multiple of the callback."""
    document = {"pad": "x" * 20_000, "results": [*[1] * 100, {"id": 7, "status": "true"}]}
    callback = Callback("POST", "", "", json.dumps(document).encode())
    good, bad = split(make_dialect("/results").read_callback(callback, NOW))
    assert good == ["7"]
    assert sum(len(one.body) for one in bad) <= 3 * len(callback.body) + FREE_BYTES
    assert bad[-1] == callback


def test_text_is_parsed_once_for_all_reports() -> None:
    """However many of them a pointer leads from, to text that is JSON or only seems to be."""
    for text, count in ((json.dumps({"status": "true", "n": [1] * 100}), 200), ('{"status":"true"', 0)):
        document = {"batch": text, "results": [{"id": number} for number in range(200)]}
        dialect = make_dialect("/results", status="//batch/status")
        before = generic_webhook._parse_text_once.cache_info().misses  # noqa: SLF001 - there is no other sign of it
        good, _ = split(dialect.read_callback(Callback("POST", "", "", json.dumps(document).encode()), NOW))
        assert len(good) == count
        assert generic_webhook._parse_text_once.cache_info().misses == before + 1  # noqa: SLF001


def test_an_array_in_the_query_costs_no_good_report() -> None:
    """A bad element beside it is left in a callback of its own."""
    query = urlencode({"a": json.dumps({"b": [1, {"id": "9", "status": "true"}]})})
    good, bad = split(make_dialect("/a/b").read_callback(Callback("POST", query, "", b'{"x":1}'), NOW))
    assert (good, len(bad)) == (["9"], 1)
