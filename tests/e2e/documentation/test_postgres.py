"""The example that copies `sms.delivery` to PostgreSQL with Kafka Connect, on the real ones of both."""

import asyncio
import json
import re
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from bridge.core.delivery import DETAIL_NAMES
from bridge.sandbox.kafka.broker import prepare_installation
from tests.support.documentation.deliveries import (
    ATTEMPTS,
    MESSAGES,
    Delivery,
    create_topic,
    make_two_messages,
    write_deliveries,
)
from tests.support.documentation.installation import block
from tests.support.documentation.postgres import Postgres, postgres
from tests.support.documentation.runtimes import jars
from tests.support.paths import ROOT
from tests.support.ports import find_free_ports
from tests.support.waiting import wait_until

EXAMPLE = ROOT / "examples" / "postgres"
CONNECT = "4.4.0"
WORKER = (
    *(f"org.apache.kafka:{name}:{CONNECT}" for name in ("connect-runtime", "connect-json", "connect-transforms")),
    "org.slf4j:slf4j-simple:1.7.36",
)
SINK = ("io.debezium:debezium-connector-jdbc:3.4.0.Final", "org.antlr:antlr4-runtime:4.13.2")
"""Its own dependency names another ANTLR than Hibernate's, and this resolver takes the first."""

pytestmark = pytest.mark.long


@asynccontextmanager
async def connect(kafka: str, topic: str, port: int, folder: Path) -> AsyncIterator[None]:
    """Run a worker with the example's two files, in which only addresses and the topic are changed."""
    [http] = find_free_ports(1)
    changes = {"localhost:9092": kafka, "localhost:5432": f"127.0.0.1:{port}", "localhost:8083": f"127.0.0.1:{http}"}
    for name in ("worker.properties", "sink.json"):
        text = (EXAMPLE / name).read_text().replace('"sms.delivery"', f'"{topic}"')
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    classes = await jars("connect", *WORKER)
    plugin = folder / "plugins" / "debezium-connector-jdbc"
    plugin.mkdir(parents=True)
    for jar in map(Path, (await jars("debezium-connector-jdbc", *SINK)).split(":")):
        if f"/{jar.parent.parent.name}/" not in classes:  # the published plugin leaves out what a worker has, too
            (plugin / jar.name).symlink_to(jar)
    java = str((await prepare_installation()).java)
    main = "org.apache.kafka.connect.cli.ConnectStandalone"
    with (folder / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(java, "-Xmx512m", "-cp", classes, main, "worker.properties", "sink.json"),
            cwd=folder,
            stdout=log,
            stderr=STDOUT,
        )
        try:
            yield
        finally:
            process.kill()
            await process.wait()


async def test_events_reach_postgres(kafka: str, tmp_path: Path) -> None:
    """Each once, with every member; the views know the latest status of each attempt and of each message."""
    topic = await create_topic(kafka)
    events = make_two_messages()
    async with postgres() as database:
        await database.run((EXAMPLE / "tables.sql").read_text())
        await write_deliveries(kafka, topic, [*events, *events[:3]])  # a consumer may read events twice
        async with connect(kafka, topic, database.port, tmp_path):

            async def arrived() -> bool:
                return [[str(len(events))]] == await database.run("SELECT count(*) FROM sms_delivery")

            await wait_until(arrived, 200, lambda: (tmp_path / "log").read_text()[-3000:])
        await check(database, events[1])


async def check(database: Postgres, failed: Delivery) -> None:
    """Compare what the table and the views contain."""
    failure = "FROM sms_delivery d WHERE provider_message_id = 'a-1' AND sequence = 2"
    [row] = await database.run(f"SELECT row_to_json(d) {failure}")
    stored = json.loads("|".join(row))
    details = {name: stored.pop(f"provider_details_{name}") for name in DETAIL_NAMES}
    assert {name: value for name, value in details.items() if value} == failed["provider_details"]
    times = {name for name in stored if name.endswith("_at")}
    assert {name: datetime.fromisoformat(stored.pop(name)) for name in times} == {
        name: datetime.fromisoformat(failed[name]) for name in times
    }
    assert stored == {name: failed[name] for name in stored}
    assert failed.keys() - stored.keys() - times == {"provider_details", "metadata"}
    attempts = "SELECT provider_message_id, sequence, status FROM sms_attempts ORDER BY 1"
    assert await database.run(attempts) == ATTEMPTS
    assert await database.run("SELECT message_id, outcome, status FROM sms_messages ORDER BY 1") == MESSAGES
    recipe = block("docs/recipes.md", "The latest status of each message", "sql")
    for query in re.findall(r"SELECT [^;]+;", recipe.text):
        await database.run(query)
