"""Dexatel's `v1` API, which can list messages; the classic API returns one message at a time."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from bridge.core.delivery import Source
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError, RequestRejectedError
from bridge.core.json_text import replace_half_emojis
from bridge.providers.dexatel import ANSWER_NAMES, DETAILS, Dexatel
from bridge.providers.dialect import MessagePage, PollAnswer, PollRequest
from bridge.providers.parsing import decode_text, find_first, parse_json, read_members, strip_byte_order_mark
from bridge.providers.responses import check_status, is_success

PAGE_SIZE = 100
"""Requested messages of a page; the maximum is not documented."""

NEXT_PAGE_MEMBERS = ("next_page_token", "page_token", "next")
"""Members that may have the next page's token."""


class DexatelV1(Dexatel):
    """An account at Dexatel that is polled with the `v1` API. Implements `Paged`."""

    def __init__(self, account: str, **settings: Any) -> None:
        super().__init__(account, api="v1", **settings)

    def build_page_request(self, since: int, until: int, token: str | None) -> PollRequest:
        """Build the request for a page of the SMS sent between two times, to the second."""
        parameters = {
            "page_size": str(PAGE_SIZE),
            "filter[channel]": "SMS",
            "filter[created_date_start]": _format_time(since),
            "filter[created_date_end]": _format_time(until + 999),
            **({"page_token": token} if token else {}),
        }
        headers = {self._api.token_header: self._token, "Accept": "application/json"}
        return PollRequest(
            "GET", f"{self._base_url}/v1/messages?{urlencode(parameters, quote_via=quote)}", headers, None
        )

    def read_page(self, answer: PollAnswer, observed_at: int) -> MessagePage:
        """Parse a page into the reports of its messages.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401.
            RequestRejectedError: The answer is any other error of 4xx, or can't be parsed.
            PollFailedError: The answer is any other error.
        """
        check_status(answer, observed_at)
        if not is_success(answer):
            raise RequestRejectedError(f"HTTP {answer.status}")
        try:
            text = decode_text(answer.body)
            document = parse_json(text)
        except PoisonMessageError as poison:
            raise RequestRejectedError(poison.error) from poison
        items = document.get("data") if isinstance(document, dict) else document
        if not isinstance(items, list):
            raise RequestRejectedError("the page has no list of messages")
        # Once more, with numbers as JSON has them, for the original text of each message.
        originals = json.loads(replace_half_emojis(strip_byte_order_mark(text)))
        pairs = zip(items, originals["data"] if isinstance(originals, dict) else originals, strict=True)
        reports = (self._read_item(item, json.dumps(raw, ensure_ascii=False), observed_at) for item, raw in pairs)
        return MessagePage([report for report in reports if report], _find_next_token(document))

    def _read_item(self, item: Any, raw: str, observed_at: int) -> Report | None:
        """Parse a message of a page; None if it can't be parsed or has no status yet."""
        try:
            return self._report_builder.build_from_members(
                read_members(item), ANSWER_NAMES, DETAILS, raw=raw, source=Source.POLL, observed_at=observed_at
            )
        except PoisonMessageError:
            return None


def _find_next_token(document: Any) -> str | None:
    """Find the next page's token, beside the list or in a member of its own; None on the last page."""
    if not isinstance(document, dict):
        return None
    candidates = [document, *(document.get(name) for name in ("meta", "pagination"))]
    tokens = (find_first(read_members(part), NEXT_PAGE_MEMBERS) for part in candidates if isinstance(part, dict))
    return next((str(token) for token in tokens if isinstance(token, str)), None)


def _format_time(milliseconds: int) -> str:
    """Format a time for the filters of a page."""
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%d %H:%M:%S}"
