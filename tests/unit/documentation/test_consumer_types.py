"""What the examples contain for other languages matches the schema of `sms.delivery`."""

import json
import re
from pathlib import Path

import pytest

from bridge.core.delivery import DETAIL_NAMES, Outcome, Status
from scripts.consumer_types import FILES, make_connect_schema, read_members
from tests.support.paths import ROOT, SCHEMAS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_file_is_current(file: Path) -> None:
    """It matches the schema (`make docs` writes it)."""
    assert file.read_text() == FILES[file]()


def test_every_member_is_read() -> None:
    """With whether it may be null, and whether its values may grow."""
    schema = json.loads((SCHEMAS / "sms.delivery.v1.json").read_text())
    members = {member.name: member for member in read_members()}
    assert list(members) == schema["required"]
    assert members["outcome"].closed
    assert members["outcome"].values == tuple(Outcome)
    assert not members["status"].closed
    assert members["previous_status"].values == tuple(Status)
    nullable = {name for name, member in members.items() if member.nullable}
    assert {"recipient", "permanent", "corrects", "previous_status", "latency_seconds"} <= nullable
    assert nullable.isdisjoint({"message_id", "sequence", "sent_at", "metadata", "status"})


def test_the_table_has_a_column_for_each_field() -> None:
    """Of the schema for Kafka Connect; null where the field may be null."""
    columns = {
        name: "NOT NULL" in rest or "PRIMARY KEY" in rest
        for name, rest in re.findall(
            r"^    (\w+) +((?:uuid|text|boolean|bigint|timestamptz|double precision).*)$",
            (ROOT / "examples/postgres/tables.sql").read_text(),
            re.MULTILINE,
        )
    }
    fields = {one["field"]: not one["optional"] for one in make_connect_schema()["fields"] if one["type"] != "struct"}
    assert columns == fields | {f"provider_details_{name}": False for name in DETAIL_NAMES}
