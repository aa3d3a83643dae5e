"""Dexatel's list of messages: filtered, one page at a time, with a rate limit.

Only the current API has it. Polls of single messages are answered in `simulated_provider.py`.
"""

import time
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web

from bridge.sandbox.simulator.scenarios import Scenario
from bridge.sandbox.simulator.wire_formats import DexatelWireFormat, ReportedStatus

MAX_PAGE_SIZE = 100


class MessageList:
    """The messages of one account in the order in which they were submitted.

    Args:
        wire_format: Formats the answers.
        scenarios: The scenario of every message.
        counters: Counts `page_report`, `page_limited` and `page_refused`.
        pages_per_second: The rate limit; 0: no limit.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        wire_format: DexatelWireFormat,
        scenarios: Mapping[str, Scenario],
        counters: Counter[str],
        *,
        pages_per_second: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wire_format, self._scenarios, self._counters = wire_format, scenarios, counters
        self._pages_per_second, self._clock = pages_per_second, clock
        self._submitted: list[tuple[float, str]] = []
        self._next_page_at = 0.0

    def add(self, provider_message_id: str, submitted_at: float) -> None:
        """Add a message."""
        insort(self._submitted, (submitted_at, provider_message_id))

    async def answer(self, request: web.Request) -> web.Response:
        """Return one page."""
        refusal = self._wire_format.check_credentials(request.headers, request.query)
        if refusal is not None:
            self._counters["page_refused"] += 1
            return web.json_response(refusal.document, status=refusal.status)
        now = self._clock()
        if self._pages_per_second and now < self._next_page_at:
            self._counters["page_limited"] += 1
            limited = self._wire_format.make_rate_limited()
            return web.json_response(limited.document, status=limited.status, headers={"Retry-After": "1"})
        self._next_page_at = now + 1 / self._pages_per_second if self._pages_per_second else 0.0
        try:
            page = self._make_page(request.query, now)
        except ValueError as error:
            return web.json_response({"errors": [{"code": 1400, "message": str(error)}]}, status=HTTPStatus.BAD_REQUEST)
        self._counters["page_report"] += 1
        return page

    def _make_page(self, query: Mapping[str, str], now: float) -> web.Response:
        size = min(MAX_PAGE_SIZE, int(query.get("page_size", "20")))
        first = bisect_left(self._submitted, (_parse_time(query, "start", 0.0), ""))
        last = bisect_right(self._submitted, (_parse_time(query, "end", now) + 1, ""))
        begin = first + int(query.get("page_token", "0"))
        statuses = set(filter(None, query.get("filter[statuses]", "").split(",")))
        rows = []
        for submitted_at, message_id in self._submitted[begin : min(last, begin + size)]:
            step = self._scenarios[message_id].find_step(now - submitted_at)
            if step and (not statuses or step.provider_status in statuses):
                at = submitted_at + step.after_seconds
                rows.append((message_id, ReportedStatus(step.provider_status, at, submitted_at)))
        next_token = str(begin + size - first) if begin + size < last else None
        answer = self._wire_format.make_page(rows, next_token)
        return web.json_response(answer.document, status=answer.status)


def _parse_time(query: Mapping[str, str], bound: str, default: float) -> float:
    text = query.get(f"filter[created_date_{bound}]")
    if text is None:
        return default
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
