"""Polls by settings: requests made of templates, answers read by pointers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.delivery import Source, Status, Verdict
from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError, RequestRejectedError
from bridge.core.id_forms import parse_id_forms
from bridge.providers.dialect import PollAnswer
from bridge.providers.generic_polls import AnswerPointers, GenericPolled, PollTemplates
from bridge.providers.generic_webhook import CallbackPointers
from bridge.providers.report_rules import ReportRules

SECRET = "the-token-of-acme"
TEMPLATES = PollTemplates(
    "POST",
    "https://acme.example/v1/{id}/status?key={key}",
    {"Authorization": "Bearer {token}"},
    '{"message":"{id}","key":"{key}","other":"{none}"}',
    {"token": SECRET, "key": "k-1"},
)
ANSWERS = AnswerPointers(
    "/state", "/code", "/at", "/id", {"price": "/cost"}, {"/code": ("1008",)}, {"/code": ("1502",), "/gone": ("true",)}
)


def make_dialect(templates: PollTemplates = TEMPLATES, **settings: Any) -> GenericPolled:
    """Make an account that is polled."""
    rules = ReportRules({"done": Verdict(Status.DELIVERED)}, id_forms=parse_id_forms(["casefold"]))
    return GenericPolled(
        "acme",
        "main",
        templates=templates,
        answers=ANSWERS,
        pointers=CallbackPointers("/id", "/state"),
        rules=rules,
        **settings,
    )


def answer(document: object, status: int = 200) -> PollAnswer:
    """Make an answer."""
    return PollAnswer(status, None, json.dumps(document).encode())


@given(st.text(min_size=1, max_size=40))
def test_no_id_changes_a_request(message_id: str) -> None:
    """It is escaped in the URL and in the body, and what looks like a placeholder in it is none."""
    request = make_dialect().build_poll_request(message_id)
    assert request.url.isascii()
    assert request.url.startswith("https://acme.example/v1/")
    assert request.url.endswith("/status?key=k-1")
    assert request.url.count("/") == 5
    assert json.loads(request.body or b"") == {"message": message_id, "key": "k-1", "other": "{none}"}
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["content-type"] == "application/json"


def test_an_id_in_a_header_has_no_controls() -> None:
    """Such a message isn't polled; it says nothing about the provider."""
    dialect = make_dialect(TEMPLATES._replace(headers={"X-Id": "{id}"}))
    assert dialect.build_poll_request("a 7").headers["x-id"] == "a 7"
    for message_id in ("a\nX: y", "\0", "ü"):
        with pytest.raises(RequestRejectedError) as raised:
            dialect.build_poll_request(message_id)
        assert raised.value.permanent


def test_a_form_is_escaped_as_a_form() -> None:
    """By its content type; without a body there is none."""
    templates = TEMPLATES._replace(body="id={id}", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert make_dialect(templates).build_poll_request("a&b=ü").body == b"id=a%26b%3D%C3%BC"
    plain = make_dialect(TEMPLATES._replace(body=None, method="GET")).build_poll_request("7")
    assert plain.body is None
    assert "content-type" not in plain.headers


def test_an_answer_is_read_by_pointers() -> None:
    """Like a callback."""
    document = {"id": "AB7", "state": "Done", "code": 5, "at": 1_769_860_800, "cost": "0.1"}
    report = make_dialect().read_answer(answer(document), "ab7", 1_769_860_900_000)
    assert report is not None
    assert (report.provider_message_id, report.status, report.provider_code) == ("ab7", Status.DELIVERED, "5")
    assert (report.provider_time, report.provider_details, report.source) == (
        1_769_860_800_000,
        {"price": "0.1"},
        Source.POLL,
    )


@pytest.mark.parametrize(
    ("document", "status"), [({"code": 1008}, 200), ({"state": None}, 200), ({}, 200), ({}, 404), ("", 404)]
)
def test_there_may_be_no_report_yet(document: object, status: int) -> None:
    """By settings, without a status, or with 404."""
    assert make_dialect().read_answer(answer(document, status), "7", 1) is None
    assert make_dialect().read_answer(PollAnswer(404, None, b"<html>"), "7", 1) is None


@pytest.mark.parametrize(
    ("given_answer", "error"),
    [
        (answer({"code": 1502}), RequestRejectedError),
        (answer({"gone": True}, 404), RequestRejectedError),
        (answer({"id": "8", "state": "done"}), RequestRejectedError),
        (answer({"state": "done"}, 400), RequestRejectedError),
        (answer([1], 200), RequestRejectedError),
        (PollAnswer(200, None, b"<html>"), RequestRejectedError),
        (answer({}, 401), AuthenticationFailedError),
        (answer({}, 403), RequestRejectedError),
        (answer({}, 429), RateLimitedError),
        (answer({}, 503), PollFailedError),
    ],
)
def test_other_answers_raise_their_errors(given_answer: PollAnswer, error: type[Exception]) -> None:
    """An id that the provider will never know isn't polled again."""
    if given_answer == answer([1], 200):
        assert make_dialect().read_answer(given_answer, "7", 1) is None  # no status
        return
    with pytest.raises(error) as raised:
        make_dialect().read_answer(given_answer, "7", 1)
    permanent = isinstance(raised.value, RequestRejectedError) and raised.value.permanent
    assert permanent == (b"1502" in given_answer.body or b"gone" in given_answer.body)


def test_secrets_do_not_show() -> None:
    """In no representation."""
    assert SECRET not in repr(TEMPLATES)
    assert SECRET not in repr(make_dialect())
    assert SECRET not in repr(make_dialect().build_poll_request("7"))
