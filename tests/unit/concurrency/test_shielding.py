"""What the client library can't leave half done is done to its end, also when whoever waits for it is cancelled."""

import asyncio
import gc

import pytest
from aiokafka.errors import UnknownMemberIdError

from bridge.concurrency import shield_to_completion


async def test_whoever_is_cancelled_waits_for_the_end_first() -> None:
    """The work isn't cancelled; its waiter is, afterwards."""
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), False

    async def work() -> None:
        nonlocal ended
        begun.set()
        await may_end.wait()
        ended = True

    waiting = asyncio.create_task(shield_to_completion(work()))
    await begun.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended


async def test_what_fails_after_nobody_waits_any_more_is_no_news() -> None:
    """An offset that is committed while the process ends may be refused; the log has no lost exception."""
    loop, said = asyncio.get_running_loop(), []
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def inner() -> None:
        begun.set()
        await may_end.wait()
        raise UnknownMemberIdError

    async def commit() -> None:  # as the library does it
        await asyncio.shield(inner())

    loop.set_exception_handler(lambda _, context: said.append(context))
    try:
        waiting = asyncio.create_task(shield_to_completion(commit()))
        await begun.wait()
        waiting.cancel()
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert said == []


async def test_an_error_is_told_to_whoever_waits() -> None:
    """As if it were awaited plainly."""

    async def commit() -> None:
        raise UnknownMemberIdError

    with pytest.raises(UnknownMemberIdError):
        await shield_to_completion(commit())
