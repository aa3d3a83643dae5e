"""The published schemas: their examples are valid, and they match the code."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.delivery import Delivery, Outcome, Reason, Source, Status, make_event_id
from bridge.core.entries import Report, Sent
from bridge.core.errors import DeadLetterReason
from bridge.core.timestamps import format_rfc3339
from tests.support.paths import SCHEMAS

NAMES = ["sms.sent.v1", "sms.delivery.v1", "journal.v1"]
# What the second reader can't see: it checks no formats here.
FORMATS_ALONE = re.compile(r"no-uuid|never-was|no-time|without-zone|as-a-duration")


@cache
def schema(name: str) -> Any:
    """Return a published schema."""
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return the validator, with format checks."""
    return jsonschema_rs.Draft202012Validator(schema(name), validate_formats=True)


def examples(kind: str) -> pytest.MarkDecorator:
    """Parametrize a test with the examples of all schemas."""
    files = sorted(SCHEMAS.glob(f"examples/*/{kind}/*.json"))
    cases = [pytest.param(file.parts[-3], file, id=f"{file.parts[-3]}/{file.stem}") for file in files]
    return pytest.mark.parametrize(("name", "file"), cases)


def refs(node: Any) -> Iterator[str]:
    """Yield every reference within a document."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from refs(value)


def resolve(document: Any, ref: str) -> Any:
    """Return the target of a reference, within a document or in a file beside the schemas."""
    file, _, pointer = ref.partition("#")
    node = json.loads((SCHEMAS / file).read_text(encoding="utf-8")) if file else document
    for step in filter(None, pointer.split("/")):
        node = node[step]
    return node


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_valid_2020_12(name: str) -> None:
    """Each schema is valid and has its own id."""
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(name)["$id"] == "urn:sms-bridge:schema:" + name.replace(".v1", ":v1")
    jsonschema_rs.meta.validate(schema(name))
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_member_is_described(name: str) -> None:
    """Each member of a schema has a description."""
    places = [schema(name), *schema(name)["$defs"].values()]
    members = [(key, member) for place in places for key, member in place.get("properties", {}).items()]
    assert members
    assert [key for key, member in members if not member.get("description", "").endswith(".")] == []


@examples("valid")
def test_valid_examples_are_accepted(name: str, file: Path) -> None:
    """By two validators."""
    document = json.loads(file.read_text(encoding="utf-8"))
    validator(name).validate(document)
    jsonschema.Draft202012Validator(schema(name)).validate(document)


@examples("invalid")
def test_invalid_examples_are_refused(name: str, file: Path) -> None:
    """By both validators, unless only a format is wrong."""
    document = json.loads(file.read_text(encoding="utf-8"))
    assert not validator(name).is_valid(document)
    assert jsonschema.Draft202012Validator(schema(name)).is_valid(document) == bool(FORMATS_ALONE.search(file.stem))


@pytest.mark.parametrize("name", NAMES)
def test_examples_of_both_kinds_exist(name: str) -> None:
    """Each schema has valid and invalid examples."""
    for kind in ("valid", "invalid"):
        assert len(list((SCHEMAS / "examples" / name / kind).glob("*.json"))) >= 5


@pytest.mark.parametrize("name", ["sms.delivery.v1", "journal.v1"])
def test_all_written_members_are_required(name: str) -> None:
    """A reader never has to check whether a member exists."""
    for file in (SCHEMAS / "examples" / name / "valid").glob("[!a]*.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        for member in document:
            shortened = {key: value for key, value in document.items() if key != member}
            assert not validator(name).is_valid(shortened), f"{file.stem} without {member}"


def values(members: Mapping[str, Any], name: str) -> set[Any]:
    """Return the values that a member's enum allows."""
    return set(members[name]["enum"])


@pytest.mark.parametrize(
    ("member", "kind"),
    [("outcome", Outcome), ("reason", Reason), ("source", Source)],
    ids=["outcome", "reason", "source"],
)
def test_delivery_enums_match_the_code(member: str, kind: type[StrEnum]) -> None:
    """The schema has the same values as the code."""
    assert values(schema("sms.delivery.v1")["properties"], member) == set(map(str, kind))


def test_other_enums_match_the_code() -> None:
    """Other documents with these values match as well."""
    report = schema("journal.v1")["$defs"]["report"]["properties"]
    assert values(schema("sms.delivery.v1")["$defs"], "status") == set(map(str, Status))
    assert values(report, "status") == {*map(str, Status), None}
    assert values(report, "reason") == {*map(str, Reason), None}
    assert values(report, "source") == set(map(str, Source)) - {"deadline"}
    headers = asyncapi()["components"]["schemas"]["deadLetterHeaders"]["properties"]
    assert values(headers, "reason") == set(map(str, DeadLetterReason))


def test_delivery_members_match_the_code() -> None:
    """The same members in the same order, all required."""
    document = schema("sms.delivery.v1")
    assert tuple(document["properties"]) == Delivery.__struct_fields__
    assert tuple(document["required"]) == Delivery.__struct_fields__


def test_journal_members_match_the_code() -> None:
    """The schema has the members of the entry types."""
    kinds = schema("journal.v1")["$defs"]
    flat = [name for name in Report.__struct_fields__ if name != "verdict"]
    assert set(kinds["sent"]["properties"]) == {"v", "type", *Sent.__struct_fields__}
    assert set(kinds["sent"]["required"]) == set(kinds["sent"]["properties"]) - {
        "lifetimes",
        "compared_id",
    }  # some lack them
    assert set(kinds["report"]["properties"]) - {"part"} == set(kinds["report"]["required"])
    assert set(kinds["report"]["properties"]) == {"v", "type", *flat, "status", "reason", "permanent"}


def test_published_schemas_are_open() -> None:
    """A validating consumer accepts members of later versions."""
    text = (SCHEMAS / "sms.delivery.v1.json").read_text(encoding="utf-8")
    assert "unevaluatedProperties" not in text
    assert [node for node in re.findall(r'"additionalProperties":\s*(\S+)', text) if node.startswith("false")] == []


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ID = TEXT.filter(lambda text: 0 < len(text.encode()) <= 128)
NAME = st.from_regex(r"\A[a-z0-9-]{1,32}\Z")
TIME = st.integers(0, 253_402_300_799_999).map(format_rfc3339)
EVENT_ID = st.builds(make_event_id, ID, ID, st.integers(1))
STRINGS = st.dictionaries(TEXT, TEXT, max_size=5)
DELIVERIES = st.builds(
    Delivery,
    event_id=EVENT_ID,
    message_id=ID,
    provider=NAME,
    account=NAME,
    provider_message_id=ID,
    recipient=st.none() | TEXT,
    sender=st.none() | TEXT,
    outcome=st.sampled_from(Outcome),
    status=st.sampled_from(Status),
    final=st.booleans(),
    permanent=st.none() | st.booleans(),
    reason=st.sampled_from(Reason),
    provider_status=st.none() | TEXT,
    provider_code=st.none() | TEXT,
    provider_details=STRINGS,
    previous_status=st.none() | st.sampled_from(Status),
    sequence=st.integers(1, 2**63),
    corrects=st.none() | EVENT_ID,
    source=st.sampled_from(Source),
    sent_at=TIME,
    observed_at=TIME,
    occurred_at=TIME,
    occurred_at_source=st.sampled_from(["provider", "observed"]),
    latency_seconds=st.none() | st.floats(0, allow_infinity=False),
    metadata=STRINGS,
)
CLOSED = jsonschema_rs.Draft202012Validator(
    {**schema("sms.delivery.v1"), "additionalProperties": False}, validate_formats=True
)


@given(DELIVERIES)
def test_published_events_match_the_schema(delivery: Delivery) -> None:
    """Each event is valid."""
    CLOSED.validate(orjson.loads(orjson.dumps(delivery.as_json())))


def asyncapi() -> Any:
    """The description of the topics."""
    return yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


def test_asyncapi_references_resolve() -> None:
    """Each topic is described and each reference resolves."""
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"sms.sent", "sms.delivery", "sms-bridge.journal", "sms-bridge.dead-letter"}
    found = list(refs(document))
    assert {f"./{name}.json" for name in NAMES} <= set(found)
    assert all(isinstance(resolve(document, ref), dict) for ref in found)


def test_asyncapi_headers_are_schemas() -> None:
    """Headers can be validated as described."""
    for headers in asyncapi()["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **headers})


@pytest.mark.parametrize("name", NAMES)
def test_schema_references_are_internal(name: str) -> None:
    """A schema needs no other file."""
    found = set(refs(schema(name)))
    assert found
    assert all(ref.startswith("#/") and isinstance(resolve(schema(name), ref), dict) for ref in found)


@given(DELIVERIES)
def test_event_round_trip(delivery: Delivery) -> None:
    """The public type decodes a published event and encodes the same."""
    assert Delivery.from_json(orjson.loads(orjson.dumps(delivery.as_json()))) == delivery


def test_event_of_a_later_version_is_readable() -> None:
    """Unknown members and statuses are accepted."""
    file = SCHEMAS / "examples/sms.delivery.v1/valid/a-later-version-with-one-more-member.json"
    event = Delivery.from_json(json.loads(file.read_text(encoding="utf-8")) | {"status": "read_by_the_recipient"})
    assert (event.status, type(event.outcome)) == ("read_by_the_recipient", Outcome)
    with pytest.raises(KeyError):
        Delivery.from_json({})
