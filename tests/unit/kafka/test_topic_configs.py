"""The settings of topics are read as they are, also while a broker starts or the topic is new."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from bridge.kafka import topic_configs
from bridge.kafka.topic_configs import read_configs

JOURNAL = {"max.message.bytes": "1048588"}


class Response(NamedTuple):
    """Kafka's answer, as the client library passes it on."""

    resources: list[tuple[int, str, int, str, list[tuple[str, str]]]]


def answer(code: int = 0) -> Response:
    """An answer about the journal."""
    return Response([(code, "", 2, "journal", list(JOURNAL.items()) if not code else [])])


class Admin:
    """An admin client that gives prepared answers, one after the other; the last one again and again."""

    def __init__(self, answers: Iterable[Response | KafkaError]) -> None:
        self._answers = list(answers)

    async def describe_configs(self, resources: list[Any]) -> list[Response]:
        """Answer."""
        assert [resource.name for resource in resources] == ["journal"]
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(found, Exception):
            raise found
        return [found]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_configs, "PAUSE_SECONDS", 0)


@pytest.mark.parametrize(
    "first",
    [NodeNotReadyError(), KafkaConnectionError(), answer(UnknownTopicOrPartitionError.errno)],
    ids=["the broker isn't ready", "no connection", "the topic is new"],
)
async def test_what_passes_by_itself_is_awaited(first: Response | KafkaError) -> None:
    """Otherwise the process would end later, when the true settings differ from the assumed ones."""
    warnings: list[str] = []
    admin = Admin([first, first, answer()])
    assert await read_configs(admin, ["journal"], lambda text, **_: warnings.append(text)) == {"journal": JOURNAL}
    assert not warnings


@pytest.mark.parametrize(
    "refusal", [ClusterAuthorizationFailedError(), answer(TopicAuthorizationFailedError.errno)], ids=["all", "one"]
)
async def test_what_may_not_be_read_is_missing(refusal: Response | KafkaError) -> None:
    """Nobody waits for a right; the log says it once."""
    warnings: list[str] = []
    assert await read_configs(Admin([refusal]), ["journal"], lambda text, **_: warnings.append(text)) == {}
    assert len(warnings) == 1


async def test_start_ends_where_kafka_does_not_tell() -> None:
    """Nothing is assumed."""
    with pytest.raises(NodeNotReadyError):
        await read_configs(Admin([NodeNotReadyError()]), ["journal"])
