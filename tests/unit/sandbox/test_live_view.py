"""The demo's live view fits the terminal, and uses the width that there is."""

import json

import pytest
from rich.console import Console

from bridge.sandbox.demo.live_view import render_progress
from bridge.sandbox.demo.run_stats import RunStats
from tests.support.paths import SCHEMAS

EVENT = json.loads((SCHEMAS / "examples/sms.delivery.v1/valid/not-delivered-by-poll.json").read_text())


@pytest.mark.parametrize(("width", "shown"), [(80, False), (119, False), (120, True), (200, True)])
def test_wide_terminals_show_more(width: int, *, shown: bool) -> None:
    """The provider's id of each message; no line is longer than the terminal."""
    stats = RunStats(1)
    stats.start_clock()
    stats.add_event({**EVENT, "provider": "dexatel", "message_id": "msg-00001"}, 1.0)
    console = Console(width=width, height=24)
    with console.capture() as captured:
        console.print(render_progress(stats, "title", console.size))
    lines = captured.get().splitlines()
    assert len(lines) == 24
    assert max(map(len, lines)) == width
    assert any("msg-00001" in line for line in lines)
    assert any(EVENT["provider_message_id"] in line for line in lines) is shown
