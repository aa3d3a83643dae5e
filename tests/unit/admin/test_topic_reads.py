"""Readings of topics run one after the other, few wait, and nobody waits for what isn't wanted any more."""

import asyncio

from aiokafka.errors import KafkaConnectionError

from bridge.admin.page_responses import make_json
from bridge.admin.topic_reads import MAX_WAITING, TopicReads
from bridge.core.errors import ConfigurationError
from bridge.http_server.messages import Response


class Reading:
    """A reading that ends when it is told to."""

    def __init__(self) -> None:
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> Response:
        """Read."""
        self.began.set()
        await self.may_end.wait()
        return make_json({})


async def test_one_at_a_time_and_few_wait() -> None:
    """The others get an answer at once; when there is room again, so does the next one."""
    reads, readings = TopicReads(), [Reading() for _ in range(MAX_WAITING + 1)]
    answers = [asyncio.create_task(reads.answer(reading)) for reading in readings]
    await readings[0].began.wait()
    assert (await reads.answer(Reading())).status == 503
    assert not any(reading.began.is_set() for reading in readings[1:])
    for reading in readings:
        reading.may_end.set()
    assert [answer.status for answer in await asyncio.gather(*answers)] == [200] * len(readings)
    readings[0].may_end.set()
    assert (await reads.answer(readings[0])).status == 200


async def test_a_viewers_next_search_takes_the_place_of_the_one_before() -> None:
    """Whether that runs or waits; another viewer's goes on."""
    reads, other, first, second = TopicReads(), Reading(), Reading(), Reading()
    running = asyncio.create_task(reads.answer(other, "other"))
    await other.began.wait()
    waiting = asyncio.create_task(reads.answer(first, "me"))
    await asyncio.sleep(0)
    latest = asyncio.create_task(reads.answer(second, "me"))
    assert (await waiting).status == 409
    other.may_end.set()
    assert (await running).status == 200
    await second.began.wait()
    third = Reading()
    third.may_end.set()
    assert (await reads.answer(third, "me")).status == 200
    assert (await latest).status == 409
    assert not first.began.is_set()


async def test_who_leaves_ends_the_reading() -> None:
    """When the answer is cancelled, the next reading begins."""
    reads, left, following = TopicReads(), Reading(), Reading()
    answer = asyncio.create_task(reads.answer(left))
    await left.began.wait()
    answer.cancel()
    following.may_end.set()
    assert (await reads.answer(following)).status == 200


async def test_errors_are_answers() -> None:
    """An outage of Kafka, and topics that can't be read."""

    async def fail(error: Exception) -> Response:
        raise error

    for error in (ConfigurationError("the topic 'x' is missing"), KafkaConnectionError("gone"), OSError("no route")):
        answer = await TopicReads().answer(lambda error=error: fail(error))  # type: ignore[misc]  # bound here
        assert (answer.status, b"can't be read" in answer.body) == (503, True)
