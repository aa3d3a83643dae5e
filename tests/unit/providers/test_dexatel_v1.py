"""Dexatel's list of messages: requests and pages."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.core.delivery import Status, Verdict
from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError
from bridge.providers.dexatel_v1 import DexatelV1
from bridge.providers.dialect import Paged, PollAnswer
from bridge.providers.speedocom import Speedocom

DIALECT = DexatelV1("main", base_url="https://sms.example", token="t0ken")


def page(document: object, status: int = 200) -> PollAnswer:
    """Make an answer."""
    return PollAnswer(status, None, json.dumps(document).encode())


def test_only_the_current_interface_can_list() -> None:
    """Only an account of the `v1` API can list messages."""
    assert isinstance(DIALECT, Paged)
    assert not isinstance(Speedocom("main"), Paged)


@pytest.mark.parametrize("token", [None, "a/b c&d"])
def test_a_page_is_asked_for_by_its_time_and_channel(token: str | None) -> None:
    """The times are UTC, rounded so that no message is missed between two seconds; the key is not in the URL."""
    request = DIALECT.build_page_request(1_741_064_767_900, 1_741_064_768_100, token)
    parts = urlsplit(request.url)
    assert (request.method, parts.path) == ("GET", "/v1/messages")
    assert parse_qs(parts.query) == {
        "page_size": ["100"],
        "filter[channel]": ["SMS"],
        "filter[created_date_start]": ["2025-03-04 05:06:07"],
        "filter[created_date_end]": ["2025-03-04 05:06:09"],
        **({"page_token": [token]} if token else {}),
    }
    assert request.headers["X-Dexatel-Key"] == "t0ken"
    assert "t0ken" not in request.url


@pytest.mark.parametrize(
    ("more", "token"),
    [
        ({}, None),
        ({"next_page_token": "n-2"}, "n-2"),
        ({"next_page_token": None}, None),
        ({"meta": {"next_page_token": "n-2"}}, "n-2"),
        ({"pagination": {"next": "n-2"}}, "n-2"),
    ],
)
def test_every_message_of_a_page_is_read(more: dict[str, object], token: str | None) -> None:
    """Each report has its own original text; a message that can't be parsed doesn't affect the others."""
    rows = [
        {"id": "007", "status": "delivered", "update_date": "2025-03-04 05:06:07", "price": 0.5, "name": "ü"},
        {"id": 12345678901234567890, "status": "enroute"},
        {"id": "8"},
        {"status": "sent"},
        "nonsense",
        {"id": "9", "status": "received"},
    ]
    parsed = DIALECT.read_page(page({"data": rows, **more}), 1)
    assert parsed.next_token == token
    assert [(r.provider_message_id, r.verdict) for r in parsed.reports] == [
        ("007", Verdict(Status.DELIVERED)),
        ("12345678901234567890", Verdict(Status.PENDING)),
        ("9", None),
    ]
    assert parsed.reports[0].provider_time == 1_741_064_767_000
    assert [json.loads(report.raw) for report in parsed.reports] == [rows[0], rows[1], rows[5]]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (page({"data": []}, 429), RateLimitedError),
        (page({}, 401), AuthenticationFailedError),
        (page({"errors": [{"code": 1501}]}, 404), PollFailedError),
        (page({"data": {"id": "7"}}), PollFailedError),
        (PollAnswer(200, None, b"<h1>Maintenance</h1>"), PollFailedError),
        (PollAnswer(200, None, b"\xff"), PollFailedError),
    ],
)
def test_what_is_no_page_raises_the_error_that_carries_its_policy(answer: PollAnswer, error: type[Exception]) -> None:
    """An error of the list raises the error that decides how it is handled."""
    with pytest.raises(error):
        DIALECT.read_page(answer, 1)
