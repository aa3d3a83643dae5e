"""The published schemas are the contract: their examples hold, and code and schemas say the same, both ways."""

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
    """A schema as it is published."""
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """The reader that the bridge uses, formats included."""
    return jsonschema_rs.Draft202012Validator(schema(name), validate_formats=True)


def examples(kind: str) -> pytest.MarkDecorator:
    """A test over the examples of all schemas."""
    files = sorted(SCHEMAS.glob(f"examples/*/{kind}/*.json"))
    cases = [pytest.param(file.parts[-3], file, id=f"{file.parts[-3]}/{file.stem}") for file in files]
    return pytest.mark.parametrize(("name", "file"), cases)


def refs(node: Any) -> Iterator[str]:
    """Every reference within a document."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from refs(value)


def resolve(document: Any, ref: str) -> Any:
    """What a reference within a document, or to a file beside the schemas, points to."""
    file, _, pointer = ref.partition("#")
    node = json.loads((SCHEMAS / file).read_text(encoding="utf-8")) if file else document
    for step in filter(None, pointer.split("/")):
        node = node[step]
    return node


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_2020_12(name: str) -> None:
    """Any tool that knows the standard can use the schemas, and each has a name of its own."""
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(name)["$id"] == "urn:sms-bridge:schema:" + name.replace(".v1", ":v1")
    jsonschema_rs.meta.validate(schema(name))
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_member_is_explained(name: str) -> None:
    """Whoever reads a schema finds a sentence about each member."""
    places = [schema(name), *schema(name)["$defs"].values()]
    members = [(key, member) for place in places for key, member in place.get("properties", {}).items()]
    assert members
    assert [key for key, member in members if not member.get("description", "").endswith(".")] == []


@examples("valid")
def test_a_valid_example_is_accepted(name: str, file: Path) -> None:
    """What the examples show can be sent; a second reader agrees."""
    document = json.loads(file.read_text(encoding="utf-8"))
    validator(name).validate(document)
    jsonschema.Draft202012Validator(schema(name)).validate(document)


@examples("invalid")
def test_an_invalid_example_is_refused(name: str, file: Path) -> None:
    """What a file's name calls wrong is found; by a second reader too, unless only a format is at fault."""
    document = json.loads(file.read_text(encoding="utf-8"))
    assert not validator(name).is_valid(document)
    assert jsonschema.Draft202012Validator(schema(name)).is_valid(document) == bool(FORMATS_ALONE.search(file.stem))


@pytest.mark.parametrize("name", NAMES)
def test_there_are_examples_of_both_kinds(name: str) -> None:
    """No schema's examples went missing, which would leave the tests above without anything to check."""
    for kind in ("valid", "invalid"):
        assert len(list((SCHEMAS / "examples" / name / kind).glob("*.json"))) >= 5


@pytest.mark.parametrize("name", ["sms.delivery.v1", "journal.v1"])
def test_no_member_of_what_the_bridge_writes_may_be_missing(name: str) -> None:
    """A reader never has to ask whether a member is there."""
    for file in (SCHEMAS / "examples" / name / "valid").glob("[!a]*.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        for member in document:
            shortened = {key: value for key, value in document.items() if key != member}
            assert not validator(name).is_valid(shortened), f"{file.stem} without {member}"


def values(members: Mapping[str, Any], name: str) -> set[Any]:
    """The values that a member's enum allows."""
    return set(members[name]["enum"])


@pytest.mark.parametrize(
    ("member", "kind"),
    [("outcome", Outcome), ("reason", Reason), ("source", Source)],
    ids=["outcome", "reason", "source"],
)
def test_enums_of_a_delivery_are_those_of_the_code(member: str, kind: type[StrEnum]) -> None:
    """A value can't be added to the code or to the schema alone."""
    assert values(schema("sms.delivery.v1")["properties"], member) == set(map(str, kind))


def test_enums_match_the_code() -> None:
    """The other places that list the same values keep up as well."""
    report = schema("journal.v1")["$defs"]["report"]["properties"]
    assert values(schema("sms.delivery.v1")["$defs"], "status") == set(map(str, Status))
    assert values(report, "status") == {*map(str, Status), None}
    assert values(report, "reason") == {*map(str, Reason), None}
    assert values(report, "source") == set(map(str, Source)) - {"deadline"}
    headers = asyncapi()["components"]["schemas"]["deadLetterHeaders"]["properties"]
    assert values(headers, "reason") == set(map(str, DeadLetterReason))


def test_members_of_a_delivery_are_those_of_the_code() -> None:
    """Schema and code name the same members, all of them required, in the same order."""
    document = schema("sms.delivery.v1")
    assert tuple(document["properties"]) == Delivery.__struct_fields__
    assert tuple(document["required"]) == Delivery.__struct_fields__


def test_members_of_the_journal_are_those_of_the_code() -> None:
    """What an entry holds in the code is what the journal's schema lists; a verdict is written flat."""
    kinds = schema("journal.v1")["$defs"]
    flat = [name for name in Report.__struct_fields__ if name != "verdict"]
    assert set(kinds["sent"]["properties"]) == set(kinds["sent"]["required"]) == {"v", "type", *Sent.__struct_fields__}
    assert set(kinds["report"]["properties"]) == set(kinds["report"]["required"])
    assert set(kinds["report"]["required"]) == {"v", "type", *flat, "status", "reason", "permanent"}


def test_what_the_bridge_publishes_is_open() -> None:
    """A consumer that validates survives a member of a later version."""
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
def test_published_events_fit_the_schema_exactly(delivery: Delivery) -> None:
    """A consumer that validates never meets an event of ours that it has to refuse."""
    CLOSED.validate(orjson.loads(orjson.dumps(delivery.as_json())))


def asyncapi() -> Any:
    """The description of the topics."""
    return yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


def test_topics_are_described_and_references_resolve() -> None:
    """Tools that draw or generate from the description find all of it."""
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"sms.sent", "sms.delivery", "sms-bridge.journal", "sms-bridge.dead-letter"}
    found = list(refs(document))
    assert {f"./{name}.json" for name in NAMES} <= set(found)
    assert all(isinstance(resolve(document, ref), dict) for ref in found)


def test_headers_in_the_description_are_schemas_themselves() -> None:
    """The headers can be validated as they are described."""
    for headers in asyncapi()["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **headers})


@pytest.mark.parametrize("name", NAMES)
def test_references_within_a_schema_lead_somewhere(name: str) -> None:
    """A schema needs no other file."""
    found = set(refs(schema(name)))
    assert found
    assert all(ref.startswith("#/") and isinstance(resolve(schema(name), ref), dict) for ref in found)


@given(DELIVERIES)
def test_an_event_is_read_as_it_was_written(delivery: Delivery) -> None:
    """The public type takes what the bridge publishes, back to the very same."""
    assert Delivery.from_json(orjson.loads(orjson.dumps(delivery.as_json()))) == delivery


def test_an_event_of_a_later_version_is_read_too() -> None:
    """A member and a status that this version doesn't know do no harm."""
    file = SCHEMAS / "examples/sms.delivery.v1/valid/a-later-version-with-one-more-member.json"
    event = Delivery.from_json(json.loads(file.read_text(encoding="utf-8")) | {"status": "read_by_the_recipient"})
    assert (event.status, type(event.outcome)) == ("read_by_the_recipient", Outcome)
    with pytest.raises(KeyError):
        Delivery.from_json({})
