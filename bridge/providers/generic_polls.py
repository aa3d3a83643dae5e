"""Polls of providers that settings describe: a request made of templates, an answer read by pointers. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from bridge.core.delivery import Source
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError, RequestRejectedError
from bridge.providers.callback_document import CallbackDocument
from bridge.providers.dialect import PollAnswer, PollRequest
from bridge.providers.generic_webhook import GenericWebhook, ReportPointer, find_fields
from bridge.providers.member_paths import make_path
from bridge.providers.parsing import decode_text, parse_id, parse_json
from bridge.providers.report_builder import normalize_status
from bridge.providers.responses import check_status, is_success

_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
_JSON_TYPE = "application/json"


class PollTemplates(NamedTuple):
    """The request of a poll, with `{id}` and `{name of a secret}`."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"PollTemplates({self.method} {self.url})"


class AnswerPointers(NamedTuple):
    """Where an answer has its facts, and what answers without any look like."""

    status: str
    error: str | None
    time: str | None
    id: str | None
    details: Mapping[str, str]
    no_report: Mapping[str, tuple[str, ...]]
    unknown_id: Mapping[str, tuple[str, ...]]


class GenericPolled(GenericWebhook):
    """An account at a provider that settings describe, and that can be polled. Implements `Polled`.

    Args:
        provider: The provider's name.
        account: The account's name in settings.
        templates: The request.
        answers: Where answers have their facts.
        settings: What callbacks are like; see `GenericWebhook`.
    """

    def __init__(
        self, provider: str, account: str, *, templates: PollTemplates, answers: AnswerPointers, **settings: Any
    ) -> None:
        super().__init__(provider, account, **settings)
        self._templates = templates
        pointers = {"status": answers.status, "error": answers.error, "time": answers.time}
        self._answer_pointers = {name: ReportPointer.parse(text) for name, text in pointers.items() if text}
        self._answer_details = {name: ReportPointer.parse(text) for name, text in answers.details.items()}
        self._answer_id = ReportPointer.parse(answers.id) if answers.id else None
        self._no_report, self._unknown_id = _parse_choices(answers.no_report), _parse_choices(answers.unknown_id)
        if self._answer_id:
            self.known_paths |= {make_path(self._answer_id.steps)}

    def build_poll_request(self, provider_message_id: str) -> PollRequest:
        """Build the request for a message's status.

        Raises:
            RequestRejectedError: The id can't be in a header.
        """
        templates = self._templates
        headers = {"accept": _JSON_TYPE} | ({"content-type": _JSON_TYPE} if templates.body is not None else {})
        headers |= {
            name.lower(): self._fill(text, provider_message_id, _check_header)
            for name, text in templates.headers.items()
        }
        is_json = headers.get("content-type", "").startswith(_JSON_TYPE)
        body = templates.body and self._fill(templates.body, provider_message_id, _escape_json if is_json else _quote)
        url = self._fill(templates.url, provider_message_id, _quote)
        return PollRequest(templates.method, url, headers, None if body is None else body.encode())

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """Parse an answer; None if there is no report yet.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401.
            RequestRejectedError: The answer is any other error of 4xx, can't be parsed, is about another message, or
                says that there is none of this id.
            PollFailedError: The answer is any other error.
        """
        check_status(answer, observed_at)
        try:
            return self._read_answer(answer, provider_message_id, observed_at)
        except PoisonMessageError as poison:
            if answer.status == HTTPStatus.NOT_FOUND:
                return None
            raise RequestRejectedError(f"HTTP {answer.status}: {poison.error}") from poison

    def _read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        raw = decode_text(answer.body)
        document = CallbackDocument(raw, parse_json(raw), is_json=True)
        if _matches(self._unknown_id, document):
            raise RequestRejectedError(f"HTTP {answer.status}: no such message", permanent=True)
        if answer.status == HTTPStatus.NOT_FOUND or _matches(self._no_report, document):
            return None
        if not is_success(answer):
            raise RequestRejectedError(f"HTTP {answer.status}")
        answered_id = self._answer_id and self._answer_id.find(document.content, document)
        if answered_id is not None and not self._report_builder.is_same_id(parse_id(answered_id), provider_message_id):
            raise RequestRejectedError("the answer is about another message")
        if self._answer_pointers["status"].find(document.content, document) is None:
            return None
        fields = find_fields(document.content, document, self._answer_pointers, self._answer_details)
        return self._report_builder.build(
            provider_message_id, fields, raw=raw, source=Source.POLL, observed_at=observed_at
        )

    def _fill(self, template: str, provider_message_id: str, escape: Callable[[str], str]) -> str:
        secrets = self._templates.secrets

        def replace(match: re.Match[str]) -> str:
            return escape(provider_message_id) if match[1] == "id" else secrets.get(match[1], match[0])

        return _PLACEHOLDER.sub(replace, template)


def _parse_choices(choices: Mapping[str, tuple[str, ...]]) -> list[tuple[ReportPointer, set[str]]]:
    return [(ReportPointer.parse(text), set(map(normalize_status, values))) for text, values in choices.items()]


def _matches(choices: list[tuple[ReportPointer, set[str]]], document: CallbackDocument) -> bool:
    """Whether one of the members has one of its values."""
    return any(normalize_status(str(pointer.find(document.content, document))) in values for pointer, values in choices)


def _check_header(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise RequestRejectedError("the id can't be in a header", permanent=True)
    return text


def _escape_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _quote(text: str) -> str:
    return quote(text, safe="", errors="replace")
