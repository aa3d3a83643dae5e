"""Operations that must not be interrupted are completed, even if their waiter is cancelled."""

import asyncio
import gc

import pytest
from aiokafka.errors import UnknownMemberIdError

from bridge.concurrency import shield_to_completion


async def test_cancelled_waiter_waits_for_completion() -> None:
    """The work isn't cancelled; its waiter is cancelled after the work has ended."""
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


async def test_error_without_a_waiter_is_not_logged() -> None:
    """After its waiter has gone, a failed commit causes no "never retrieved" warning."""
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


async def test_waiter_gets_the_error() -> None:
    """As if it awaited the work directly."""

    async def commit() -> None:
        raise UnknownMemberIdError

    with pytest.raises(UnknownMemberIdError):
        await shield_to_completion(commit())
