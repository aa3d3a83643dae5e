"""Dexatel's current interface can list messages, where the classic one only tells of one at a time."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from bridge.core.delivery import Source
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError, PollFailedError
from bridge.providers.dexatel import ANSWER_NAMES, DETAILS, Dexatel
from bridge.providers.dialect import MessagePage, PollAnswer, PollRequest
from bridge.providers.parsing import decode_text, find_first, parse_id, parse_json, read_members
from bridge.providers.report_builder import find_fields
from bridge.providers.responses import check_status, is_success

PAGE_SIZE = 100
"""Messages of a page that are asked for; how many a page may have is not documented."""

NEXT_PAGE = ("next_page_token", "page_token", "next")
"""Members that have been seen to hold the next page's token."""


class DexatelV1(Dexatel):
    """One account whose current interface is polled. Implements `Paged`."""

    def __init__(self, account: str, **settings: Any) -> None:
        super().__init__(account, api="v1", **settings)

    def page_request(self, since: int, until: int, token: str | None) -> PollRequest:
        """How to list what was sent between two times, SMS alone; the times are UTC and rounded to the second."""
        asked = {
            "page_size": str(PAGE_SIZE),
            "filter[channel]": "SMS",
            "filter[created_date_start]": _written(since),
            "filter[created_date_end]": _written(until + 999),
            **({"page_token": token} if token else {}),
        }
        headers = {self._api.token_header: self._token, "Accept": "application/json"}
        return PollRequest("GET", f"{self._base_url}/v1/messages?{urlencode(asked, quote_via=quote)}", headers, None)

    def read_page(self, answer: PollAnswer, observed_at: int) -> MessagePage:
        """What a page says of each of its messages.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: 401 or 403.
            PollFailedError: Anything else that is no page.
        """
        check_status(answer, observed_at)
        if not is_success(answer):
            raise PollFailedError(f"HTTP {answer.status}")
        try:
            text = decode_text(answer.body)
            document = parse_json(text)
        except PoisonMessageError as poison:
            raise PollFailedError(poison.error) from poison
        listed = document.get("data") if isinstance(document, dict) else document
        if not isinstance(listed, list):
            raise PollFailedError("a page without a list")
        words = json.loads(text.removeprefix("\ufeff"))
        rows = zip(listed, words["data"] if isinstance(words, dict) else words, strict=True)
        reports = (self._listed(row, json.dumps(raw, ensure_ascii=False), observed_at) for row, raw in rows)
        return MessagePage([report for report in reports if report], _next_token(document))

    def _listed(self, row: Any, raw: str, observed_at: int) -> Report | None:
        """One message of a page; None where nothing can be read of it, or it has no status yet."""
        try:
            members = read_members(row)
            found = find_fields(members, ANSWER_NAMES, DETAILS)
            message_id = parse_id(find_first(members, ANSWER_NAMES.id))
            return self._reporter.report(message_id, found, raw=raw, source=Source.POLL, observed_at=observed_at)
        except PoisonMessageError:
            return None


def _next_token(document: Any) -> str | None:
    """Where a page says how the list goes on, it does so beside the list or in a member of its own."""
    places = [document, *(document.get(name) for name in ("meta", "pagination"))] if isinstance(document, dict) else []
    found = (find_first(read_members(place), NEXT_PAGE) for place in places if isinstance(place, dict))
    return next((str(token) for token in found if isinstance(token, str)), None)


def _written(moment: int) -> str:
    """A time as filters have it."""
    return f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%d %H:%M:%S}"
