"""Dexatel's list of messages: filtered, a page at a time, no more often than its rate allows.

Only the current interface has it. Answers about single messages are the simulator's own.
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

LARGEST_PAGE = 100


class MessageList:
    """The messages of one account in the order in which they were submitted.

    Args:
        voice: How the provider speaks.
        truth: The fate of every message.
        counters: Where to count `page_` report, limited, refused.
        rate: Pages a second; 0: as many as anybody wants.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        voice: DexatelWireFormat,
        truth: Mapping[str, Scenario],
        counters: Counter[str],
        *,
        rate: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._voice, self._truth, self._counters, self._rate, self._clock = voice, truth, counters, rate, clock
        self._submitted: list[tuple[float, str]] = []
        self._free_at = 0.0

    def add(self, provider_message_id: str, at: float) -> None:
        """A message was submitted."""
        insort(self._submitted, (at, provider_message_id))

    async def answer(self, request: web.Request) -> web.Response:
        """One page."""
        refusal = self._voice.refusal(request.headers, request.query)
        if refusal is not None:
            self._counters["page_refused"] += 1
            return web.json_response(refusal.document, status=refusal.status)
        now = self._clock()
        if self._rate and now < self._free_at:
            self._counters["page_limited"] += 1
            limited = self._voice.limited()
            return web.json_response(limited.document, status=limited.status, headers={"Retry-After": "1"})
        self._free_at = now + 1 / self._rate if self._rate else 0.0
        try:
            page = self._page(request.query, now)
        except ValueError as error:
            return web.json_response({"errors": [{"code": 1400, "message": str(error)}]}, status=HTTPStatus.BAD_REQUEST)
        self._counters["page_report"] += 1
        return page

    def _page(self, query: Mapping[str, str], now: float) -> web.Response:
        size = min(LARGEST_PAGE, int(query.get("page_size", "20")))
        first = bisect_left(self._submitted, (_seconds(query, "start", 0.0), ""))
        last = bisect_right(self._submitted, (_seconds(query, "end", now) + 1, ""))
        begin = first + int(query.get("page_token", "0"))
        wanted = set(filter(None, query.get("filter[statuses]", "").split(",")))
        told = []
        for at, message_id in self._submitted[begin : min(last, begin + size)]:
            step = self._truth[message_id].known(now - at)
            if step and (not wanted or step.word in wanted):
                told.append((message_id, ReportedStatus(step.word, at + step.after, at)))
        more = str(begin + size - first) if begin + size < last else None
        answer = self._voice.listed(told, more)
        return web.json_response(answer.document, status=answer.status)


def _seconds(query: Mapping[str, str], which: str, otherwise: float) -> float:
    text = query.get(f"filter[created_date_{which}]")
    if text is None:
        return otherwise
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
