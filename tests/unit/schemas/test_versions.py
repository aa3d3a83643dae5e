"""A published schema is never broken for its readers or writers."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bridge.tracker.delivery_records import DATA_SCHEMA
from tests.support.paths import SCHEMAS
from tests.support.schemas.compatibility import Schema, breaks_readers, breaks_writers, meaning

PUBLISHED = sorted(file for file in (SCHEMAS / "published").glob("*.json") if not file.stem.endswith(".examples"))
RULES: dict[str, Callable[[Schema, Schema], list[str]]] = {"sms.delivery": breaks_readers, "sms.sent": breaks_writers}


def load(file: Path) -> Any:
    """Return a JSON file."""
    return json.loads(file.read_text(encoding="utf-8"))


def major(file: Path) -> str:
    """Return the schema name of a published file, such as `sms.sent.v1`."""
    return file.stem.rsplit(".", 1)[0]


def latest(name: str) -> Path:
    """Return the newest published version of a schema."""
    return max((f for f in PUBLISHED if major(f) == name), key=lambda f: int(f.stem.rsplit(".", 1)[1]))


def by_name(files: list[Path]) -> pytest.MarkDecorator:
    """Parametrize a test with these files."""
    return pytest.mark.parametrize("file", files, ids=[file.stem for file in files])


@by_name(PUBLISHED)
def test_published_versions_stay_compatible(file: Path) -> None:
    """For readers of what the bridge writes, and writers of what it reads."""
    assert RULES[major(file).removesuffix(".v1")](load(file), load(SCHEMAS / f"{major(file)}.json")) == []


@by_name(PUBLISHED)
def test_published_examples_stay_valid(file: Path) -> None:
    """Each example of a published version is still valid."""
    validator = jsonschema_rs.Draft202012Validator(load(SCHEMAS / f"{major(file)}.json"), validate_formats=True)
    examples = load(file.with_name(f"{file.stem}.examples.json"))
    assert len(examples) >= 5
    for example in examples.values():
        validator.validate(example)


@pytest.mark.parametrize("name", ["sms.sent.v1", "sms.delivery.v1"])
def test_changed_schema_has_a_new_version(name: str) -> None:
    """The tested, released and referenced versions are equal; descriptions may change."""
    newest = latest(name)
    assert meaning(load(SCHEMAS / f"{name}.json")) == meaning(load(newest))
    if name == "sms.delivery.v1":
        assert DATA_SCHEMA.endswith(":v" + newest.stem.rsplit(".v", 1)[1])


def changed(name: str, change: Callable[[Any], object]) -> tuple[Any, Any]:
    """Return a schema before and after a change."""
    old = load(SCHEMAS / f"{name}.json")
    new = copy.deepcopy(old)
    change(new)
    return old, new


BREAKS_READERS: dict[str, Callable[[Any], object]] = {
    "sender may be missing": lambda s: s["required"].remove("sender"),
    "sender is gone": lambda s: s["properties"].pop("sender"),
    "final: also null": lambda s: s["properties"]["final"].update(type=["boolean", "null"]),
    "sequence: also string": lambda s: s["properties"]["sequence"].update(type=["integer", "string"]),
    "outcome: more values": lambda s: s["properties"]["outcome"]["enum"].append("maybe"),
    "source: more values": lambda s: s["properties"]["source"]["enum"].append("guess"),
    "status: without": lambda s: s["$defs"]["status"]["enum"].remove("sent"),
    "sequence: lower minimum": lambda s: s["properties"]["sequence"].update(minimum=0),
    "message_id: higher maxLength": lambda s: s["$defs"]["id"].update(maxLength=500),
    "sent_at: other pattern": lambda s: s["$defs"]["time"].update(pattern=".*"),
    "metadata: other values inside": lambda s: s["properties"]["metadata"].update(additionalProperties={}),
    "no later member": lambda s: s.update(additionalProperties=False),
}
BREAKS_WRITERS: dict[str, Callable[[Any], object]] = {
    "account is newly required": lambda s: s["required"].append("account"),
    "sender: also null": lambda s: s["properties"]["sender"].update(type="string"),
    "sender is no longer read": lambda s: s["properties"].pop("sender"),
    "lower maxLength|higher maxLength": lambda s: s["$defs"]["id"]["anyOf"][0].update(maxLength=64),
    "provider: other pattern": lambda s: s["$defs"]["name"].update(pattern="^[a-z]+$"),
    "unknown members are refused": lambda s: s.update(additionalProperties=False),
}


@pytest.mark.parametrize("told", BREAKS_READERS)
def test_breaking_changes_for_readers_are_found(told: str) -> None:
    """Each kind of change that breaks a reader."""
    found = breaks_readers(*changed("sms.delivery.v1", BREAKS_READERS[told]))
    assert any(re.search(told, why) for why in found), found


@pytest.mark.parametrize("told", BREAKS_WRITERS)
def test_breaking_changes_for_writers_are_found(told: str) -> None:
    """Each kind of change by which a sender's event becomes a dead letter."""
    found = breaks_writers(*changed("sms.sent.v1", BREAKS_WRITERS[told]))
    assert any(re.search(told, why) for why in found), found


def grown(schema: Any) -> None:
    """Return a compatible minor version."""
    schema["properties"]["seen_by"] = {"description": "New.", "type": "string"}
    schema["required"].append("seen_by")
    schema["$defs"]["status"]["enum"].append("read")
    schema["properties"]["reason"]["enum"].append("roaming")


def test_compatible_changes_are_allowed() -> None:
    """New members, statuses and reasons; for senders, optional members and wider types."""
    assert breaks_readers(*changed("sms.delivery.v1", grown)) == []

    def wider(schema: Any) -> None:
        schema["properties"]["country"] = {"type": "string"}
        schema["properties"]["sender"]["type"].append("integer")
        schema["$defs"]["id"]["anyOf"][0]["maxLength"] = 256

    assert breaks_writers(*changed("sms.sent.v1", wider)) == []
