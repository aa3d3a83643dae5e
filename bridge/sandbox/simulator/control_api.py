"""The HTTP interface that controls a simulator: `POST /submit`, `GET /truth`, `GET /counters`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from bridge.sandbox.simulator.scenarios import Scenario


def make_control_routes(
    submit: Callable[[str, float | None], Scenario],
    scenarios: Mapping[str, Scenario],
    counters: Mapping[str, int],
) -> list[web.RouteDef]:
    """Return the routes.

    Args:
        submit: Takes a message's id and its time, in seconds since the epoch or None for now.
        scenarios: By message id; `GET /truth` returns them.
        counters: `GET /counters` returns them.
    """

    async def post_submit(request: web.Request) -> web.Response:
        document = await read_document(request)
        at = document.get("at")
        if not isinstance(document.get("id"), str) or not isinstance(at, int | float | None):
            return web.json_response({"error": 'expected {"id": "...", "at": seconds or absent}'}, status=400)
        return web.json_response(_to_json(submit(document["id"], at)))

    async def get_truth(_request: web.Request) -> web.Response:
        return web.json_response({message_id: _to_json(scenario) for message_id, scenario in scenarios.items()})

    async def get_counters(_request: web.Request) -> web.Response:
        return web.json_response(dict(counters))

    return [web.post("/submit", post_submit), web.get("/truth", get_truth), web.get("/counters", get_counters)]


async def read_document(request: web.Request) -> Mapping[str, Any]:
    """Return the members of a JSON or form body, or none if it is neither."""
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: str(value) for name, value in (await request.post()).items()}
    try:
        document = await request.json()
    except json.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _to_json(scenario: Scenario) -> dict[str, Any]:
    return {
        "provider": scenario.provider,
        "provider_message_id": scenario.provider_message_id,
        "steps": scenario.steps,
        "calls": scenario.callbacks,
        "lost": scenario.lost_steps,
        "final_word": scenario.final_provider_status,
        "expected": scenario.expected,
        "flaws": sorted(scenario.faults),
        "event_after": scenario.sent_event_delay_seconds,
    }
