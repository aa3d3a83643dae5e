"""A broker that is too old is named in one line, with the remedy, at the start and by `check`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.kafka.api_versions import make_versions_of_2_4
from tests.support.kafka.old_broker import OldBroker
from tests.support.service.accounts import CALLBACKS_ONLY
from tests.support.service.command import sms_bridge
from tests.support.service.process import run_refused

LACKS = "speaks the protocol of Apache Kafka 2.4, before 2.5, without InitProducerId version 3"


@pytest_asyncio.fixture
async def old_broker() -> AsyncIterator[str]:
    """The address of a broker of 2.4."""
    async with OldBroker(make_versions_of_2_4()).server as server:
        yield f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("role", ["intake", "receive", "track"])
async def test_service_refuses_an_old_broker(old_broker: str, tmp_path: Path, role: str) -> None:
    """Whatever its roles, the process ends with one line before it uses the broker."""
    settings = {"KAFKA__BOOTSTRAP_SERVERS": old_broker, **CALLBACKS_ONLY}
    code, lines = await run_refused(settings, tmp_path, "--roles", role)
    assert (code, lines) == (
        1,
        [f"sms-bridge: the broker {old_broker} {LACKS}; upgrade the brokers to Apache Kafka 3.0 or newer"],
    )


async def test_check_finds_an_old_broker(old_broker: str) -> None:
    """`check` says the same of the broker, and nothing that only follows from it."""
    said = await sms_bridge({"KAFKA__BOOTSTRAP_SERVERS": old_broker, **CALLBACKS_ONLY}, "check", "--json")
    [finding] = [one for one in said.document["findings"] if one["level"] == "wrong"]
    assert (said.code, finding["area"], finding["subject"], finding["told"]) == (1, "kafka", old_broker, LACKS)
    assert finding["remedy"] == "upgrade it to Apache Kafka 3.0 or newer"
