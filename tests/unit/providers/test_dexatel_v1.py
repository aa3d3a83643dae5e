"""Dexatel's message list: the request and the parsing of a page."""

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
    """Return an answer."""
    return PollAnswer(status, None, json.dumps(document).encode())


def test_only_v1_can_list() -> None:
    """The legacy API has no list."""
    assert isinstance(DIALECT, Paged)
    assert not isinstance(Speedocom("main"), Paged)


@pytest.mark.parametrize("token", [None, "a/b c&d"])
def test_page_request(token: str | None) -> None:
    """Times are in UTC and rounded outwards; the key is not in the URL."""
    request = DIALECT.page_request(1_741_064_767_900, 1_741_064_768_100, token)
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
    """An unreadable message doesn't affect the others."""
    rows = [
        {"id": "007", "status": "delivered", "update_date": "2025-03-04 05:06:07", "price": 0.5, "name": "ü"},
        {"id": 12345678901234567890, "status": "enroute"},
        {"id": "8"},
        {"status": "sent"},
        "nonsense",
        {"id": "9", "status": "received"},
    ]
    found = DIALECT.read_page(page({"data": rows, **more}), 1)
    assert found.next_token == token
    assert [(r.provider_message_id, r.verdict) for r in found.reports] == [
        ("007", Verdict(Status.DELIVERED)),
        ("12345678901234567890", Verdict(Status.PENDING)),
        ("9", None),
    ]
    assert found.reports[0].provider_time == 1_741_064_767_000
    assert [json.loads(report.raw) for report in found.reports] == [rows[0], rows[1], rows[5]]


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
def test_invalid_page_raises_its_error(answer: PollAnswer, error: type[Exception]) -> None:
    """A missing list falls back to single polls."""
    with pytest.raises(error):
        DIALECT.read_page(answer, 1)
