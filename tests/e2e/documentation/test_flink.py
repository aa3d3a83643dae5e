"""The SQL for Flink in the recipes, on a real Flink."""

import re
from pathlib import Path

import pytest

from tests.support.documentation.blocks import blocks
from tests.support.documentation.deliveries import MESSAGES, create_topic, make_two_messages, write_deliveries
from tests.support.documentation.runtimes import compile_java, jars, run
from tests.support.paths import TESTS

FLINK, CONNECTOR = "2.0.0", "4.0.0-2.0"
MODULES = ("clients", "table-api-java-bridge", "table-planner-loader", "table-runtime", "connector-base", "json")
OPENED = ("--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED")
QUERY = "SELECT message_id, outcome, status, YEAR(CAST(sent_at AS TIMESTAMP)) FROM sms_messages"

pytestmark = pytest.mark.long


async def test_the_view_has_the_latest_status_of_each_message(kafka: str, tmp_path: Path) -> None:
    """Over several attempts and a correction; only the address, the topic and an end are changed in the text."""
    topic = await create_topic(kafka)
    await write_deliveries(kafka, topic, make_two_messages())
    [sql] = [one.text for one in blocks("sql") if one.place[:2] == ("docs/recipes.md", "Flink SQL")]
    sql = sql.replace("kafka:9092", kafka).replace("'sms.delivery'", f"'{topic}'")
    (tmp_path / "recipe.sql").write_text(sql.replace("WITH (", "WITH ('scan.bounded.mode' = 'latest-offset',"))
    coordinates = [f"org.apache.flink:flink-{name}:{FLINK}" for name in MODULES]
    flink = await jars("flink", *coordinates, f"org.apache.flink:flink-connector-kafka:{CONNECTOR}")
    java, *options = await compile_java(TESTS / "support/documentation/RunSql.java", tmp_path, flink)
    code, said = await run(java, *OPENED, *options, "recipe.sql", QUERY, cwd=tmp_path)
    assert code == 0, said[-3000:]
    rows = [found.split(", ") for found in re.findall(r"^\+I\[(.*)\]$", said, re.MULTILINE)]
    assert sorted(rows) == [[*one, "2026"] for one in MESSAGES]
