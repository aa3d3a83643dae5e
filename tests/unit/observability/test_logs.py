"""The warnings that are kept in memory."""

import asyncio
import gc
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import structlog
from aiokafka.consumer.group_coordinator import GroupCoordinator

from bridge.observability import logs


@pytest.fixture(params=["json", "console"])
def notices(request: pytest.FixtureRequest) -> Iterator[logs.RecentNotices]:
    """The recent warnings of a log configured for this test."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    kept = logs.RecentNotices()
    logs.configure_logging("info", request.param, kept)
    yield kept
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()


def test_recent_warnings_are_kept(notices: logs.RecentNotices) -> None:
    """A limited number of warnings and errors, from the bridge and its libraries."""
    log = structlog.get_logger("test")
    log.info("nothing to worry about", number=1)
    for number in range(logs.MAX_NOTICES):
        log.warning("a poll failed", provider="dexatel", topics=["two", "of them"], number=number, nothing=None)
    log.warning("nobody mapped this status", raw='{"to":"+447700900123"}')
    logging.getLogger("somebody.else").error("it broke: %s", "badly")
    try:
        int("anybody's words")
    except ValueError:
        log.exception("request failed")
    *_, fourth, third, second, last = notices.latest()
    assert len(notices.latest()) == logs.MAX_NOTICES
    assert third.members["raw"] == '{"to":"+447…23"}', "no more of a phone number than the log has"
    assert (fourth.level, fourth.text) == ("warning", "a poll failed")
    assert fourth.members == {
        "provider": "dexatel",
        "topics": "two, of them",
        "number": logs.MAX_NOTICES - 1,
        "logger": "test",
    }
    assert (second.level, second.text, second.members["logger"]) == ("error", "it broke: badly", "somebody.else")
    assert (last.text, last.members["error"]) == ("request failed", "ValueError")
    assert "anybody's" not in str(last)


async def test_unretrieved_connection_error_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """A failed request reports the error itself; other unretrieved errors are logged."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(logs.ignore_lost_connections)

    async def fail() -> None:
        raise ConnectionResetError(104, "a task's own")

    try:
        for error in (ConnectionResetError(104, "a stream's"), ValueError("somebody's")):
            loop.create_future().set_exception(error)
        task = loop.create_task(fail())
        await asyncio.wait([task])
        del task
        # A commit of the Kafka client whose caller has been cancelled: there is no coordinator to send it to.
        request = loop.create_task(
            GroupCoordinator._send_req(SimpleNamespace(coordinator_id=None), None)  # noqa: SLF001
        )
        await asyncio.wait([request])
        del request
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    told = caplog.text
    assert "somebody's" in told
    assert "a task's own" in told
    assert "a stream's" not in told
    assert "Coordinator" not in told


@pytest.mark.usefixtures("notices")
def test_a_line_has_its_event_first_and_no_empty_field(capsys: pytest.CaptureFixture[str]) -> None:
    """What happened comes before the details, and what isn't known isn't printed."""
    logging.getLogger().handlers[0].setStream(sys.stderr)  # type: ignore[attr-defined]  # pytest replaced it meanwhile
    structlog.get_logger("test").warning("poll failed", provider="dexatel", trace_id=None)
    [line] = capsys.readouterr().err.splitlines()
    assert "trace_id" not in line
    assert line.startswith('{"event":"poll failed"') or line.index("poll failed") < line.index("dexatel")
