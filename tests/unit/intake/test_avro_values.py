"""Avro, as Confluent's own serializer writes it, is read with the schemas of a registry that speaks HTTP."""

import asyncio
import struct
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts import build_accounts
from bridge.core.errors import ConfigurationError, DeadLetterReason, PoisonMessageError, RegistryUnavailableError
from bridge.intake import avro_values
from bridge.intake.avro_values import AvroValues, make_avro_values
from bridge.intake.sent_parser import SentParser, make_sent_parser
from bridge.intake.source_event import SentRecord
from bridge.kafka.schema_registry import RegisteredSchema
from bridge.privacy import Privacy
from tests.support.kafka.avro import serialize
from tests.support.kafka.schema_registry import Registry, listening, registered
from tests.support.sent_events import EVENT, NOW, SENT_AT, TIMESTAMP
from tests.support.settings import settings_of

SCHEMA = {
    "type": "record",
    "name": "SmsSent",
    "namespace": "com.example",
    "fields": [
        {"name": "message_id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "provider", "type": {"type": "enum", "name": "Provider", "symbols": ["dexatel", "speedocom"]}},
        {
            "name": "provider_message_id",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0},
        },
        {"name": "sent_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "give_up_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "recipient", "type": ["null", "string"], "default": None},
        {"name": "metadata", "type": {"type": "map", "values": ["null", "string", "int", "double", "boolean"]}},
    ],
}
MESSAGE = {
    "message_id": UUID("785a9b0f-05b5-4d06-bd74-49be5ca286e4"),
    "provider": "dexatel",
    "provider_message_id": Decimal(18446744073709551616),
    "sent_at": datetime.fromtimestamp(SENT_AT / 1000, UTC),
    "give_up_at": datetime.fromtimestamp(SENT_AT / 1000 + 60, UTC),
    "recipient": "+254700000001",
    "metadata": {"campaign": "x", "n": 7, "price": 0.5, "retry": False, "none": None},
}


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[Registry]:
    """A running registry."""
    async with listening() as one:
        yield one


def parser_for(registry: Registry, **settings: str) -> SentParser:
    """Make a parser of Avro."""
    config = settings_of(**{"SENT__FORMAT": "avro", **registered(registry), **settings})
    return make_sent_parser(config, build_accounts(config), Privacy(config.privacy))


async def read(parser: SentParser, value: bytes, **parts: Any) -> Any:
    """Parse a record, and what it needs before."""
    assert parser.avro
    record = SentRecord(value, timestamp=TIMESTAMP, **parts)
    await parser.avro.prepare([record.value, record.key])
    return parser.parse(record, NOW)


async def test_logical_types_are_what_members_expect(registry: Registry) -> None:
    """UUIDs and decimals become text, times become times, and metadata becomes text."""
    found = await read(parser_for(registry), await serialize(registry, SCHEMA, MESSAGE))
    (entry,) = found.entries
    assert (entry.message_id, entry.provider_message_id) == (str(MESSAGE["message_id"]), "18446744073709551616")
    assert (entry.sent_at, entry.gives_up_at, entry.recipient) == (SENT_AT, SENT_AT + 60_000, "+254700000001")
    assert entry.metadata == {"campaign": "x", "n": "7", "price": "0.5", "retry": "false"}
    assert found.ignored == ()


async def test_every_type_becomes_json(registry: Registry) -> None:
    """Types without a form in JSON become text; a time without a zone is not taken for one."""
    types = {
        "day": ({"type": "int", "logicalType": "date"}, date(2026, 1, 31), "2026-01-31"),
        "local": (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            datetime(2026, 1, 31, 12),  # noqa: DTZ001 - that is the type
            "2026-01-31T12:00:00",
        ),
        "raw": ("bytes", b"caf\xc3\xa9 \xff", "café \\xff"),
        "fixed": ({"type": "fixed", "name": "F", "size": 2}, b"ab", "ab"),
        "number": ("double", float("nan"), None),
        "price": (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4},
            Decimal("0.0450"),
            "0.0450",
        ),
        "list": ({"type": "array", "items": "long"}, [1, -(2**63)], [1, -(2**63)]),
    }
    fields = [{"name": name, "type": kind} for name, (kind, _, _) in types.items()]
    message = {name: value for name, (_, value, _) in types.items()}
    value = await serialize(registry, {"type": "record", "name": "All", "fields": fields}, message)
    avro = parser_for(registry).avro
    assert avro
    await avro.prepare([value])
    assert orjson.loads(avro.convert(value)) == {name: expected for name, (_, _, expected) in types.items()}


@pytest.mark.parametrize("late", [253_402_300_800_000, 2**63 - 1, -(2**63)])
async def test_a_time_beyond_the_calendar_costs_no_message(registry: Registry, late: int) -> None:
    """As some clients write their largest date for "never": the deadline is left out, or limited."""
    schema = {
        "type": "record",
        "name": "SmsSent",
        "fields": [
            *(
                {"name": name, "type": "string"}
                for name in ("message_id", "provider", "provider_message_id", "sent_at")
            ),
            {"name": "give_up_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        ],
    }
    names = ("message_id", "provider", "provider_message_id", "sent_at")
    written = await serialize(registry, schema, {**{name: EVENT[name] for name in names}, "give_up_at": late})
    found = await read(parser_for(registry), written)
    assert found.entries[0].provider_message_id == EVENT["provider_message_id"]
    assert {one.member for one in found.ignored} <= {"give_up_at"}


async def test_a_schema_may_refer_to_others(registry: Registry) -> None:
    """Types of other subjects are fetched with it."""
    phone = {"type": "record", "name": "com.example.Phone", "fields": [{"name": "number", "type": "string"}]}
    registry.add({"schema": orjson.dumps(phone).decode()}, "phones")
    fields = [{"name": name, "type": "string"} for name in EVENT]
    schema = {
        "type": "record",
        "name": "Referring",
        "fields": [*fields, {"name": "to", "type": "com.example.Phone"}],
    }
    value = await serialize(
        registry, schema, {**EVENT, "to": {"number": "+1"}}, references={"com.example.Phone": "phones"}
    )
    parser = parser_for(registry, SENT__FIELDS='{"recipient":"/to/number"}')
    assert (await read(parser, value)).entries[0].recipient == "+1"
    del registry.subjects["phones"]
    assert (await read(parser, value)).entries, "it is known already"
    with pytest.raises(PoisonMessageError, match="or one that it refers to isn't"):
        await read(parser_for(registry), value)


async def test_keys_may_be_avro(registry: Registry) -> None:
    """As text or as a record."""
    fields = [{"name": name, "type": "string"} for name in EVENT if name != "message_id"]
    value = await serialize(registry, {"type": "record", "name": "R", "fields": fields}, EVENT)
    for schema, key, pointer in (
        ({"type": "string"}, "m-7", "key:"),
        ({"type": "record", "name": "K", "fields": [{"name": "id", "type": "string"}]}, {"id": "m-7"}, "key:/id"),
    ):
        parser = parser_for(registry, SENT__FIELDS=orjson.dumps({"message_id": pointer}).decode())
        written = await serialize(registry, schema, key)
        assert (await read(parser, value, key=written)).entries[0].message_id == "m-7"


async def test_a_schema_is_fetched_once(registry: Registry) -> None:
    """Until it is found."""
    value = await serialize(registry, SCHEMA, MESSAGE)
    parser = parser_for(registry)
    for _ in range(3):
        await read(parser, value)
    assert registry.asked.count(int.from_bytes(value[1:5], "big")) == 1
    unknown = b"\0" + struct.pack(">I", 7) + b"x"
    for _ in range(2):
        with pytest.raises(PoisonMessageError, match=r"schema 7 isn't in the registry of REGISTRY__URL"):
            await read(parser, unknown)
    assert registry.asked.count(7) == 2


async def test_the_number_of_schemas_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a fetch needs are always there."""
    asked: list[int] = []

    async def fetch(schema_id: int) -> RegisteredSchema:
        asked.append(schema_id)
        return RegisteredSchema("AVRO", '"string"')

    def value(schema_id: int) -> bytes:
        return b"\0" + struct.pack(">I", schema_id) + b"\x02a"

    monkeypatch.setattr(avro_values, "MAX_SCHEMAS", 2)
    avro = AvroValues(fetch)
    await avro.prepare([value(number) for number in range(1, 4)])
    await avro.prepare([value(3), value(4), None, b"{}"])
    assert [avro.convert(value(number)) for number in (3, 4)] == [b'"a"', b'"a"']
    assert asked == [1, 2, 3, 4]
    await avro.prepare([value(1)])
    assert asked == [1, 2, 3, 4, 1]


async def test_a_registry_that_is_away_is_no_answer(registry: Registry) -> None:
    """The error is retriable: nothing becomes a dead letter for it."""
    value = await serialize(registry, SCHEMA, MESSAGE)
    parser = parser_for(registry)
    registry.is_away = True
    with pytest.raises(RegistryUnavailableError, match="Error while forwarding"):
        await read(parser, value)
    registry.is_away = False
    assert (await read(parser, value)).entries
    other = parser_for(registry, REGISTRY__URL="http://127.0.0.1:1")
    with pytest.raises(RegistryUnavailableError, match="no registry answers"):
        await read(other, value)
    elsewhere = parser_for(registry, REGISTRY__URL=f"{registry.url}/elsewhere")
    with pytest.raises(RegistryUnavailableError, match="status 404"):  # not the registry's own 404
        await read(elsewhere, value)


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        ({"schemaType": "PROTOBUF", "schema": 'syntax = "proto3";'}, "is of the type PROTOBUF; the bridge reads Avro"),
        ({"schema": "no schema"}, r"isn't Avro that can be read \(JSONDecodeError\)"),
        ({"schema": '{"type":"nothing"}'}, r"isn't Avro that can be read \(UnknownType\)"),
        ({"schema": orjson.dumps(SCHEMA).decode()}, r"it doesn't match its schema 80001 \(EOFError\)"),
    ],
)
async def test_what_cannot_be_read_is_malformed(registry: Registry, schema: Any, error: str) -> None:
    """The dead letter says why in one line."""
    schema_id = registry.add(schema)
    with pytest.raises(PoisonMessageError, match=error) as poison:
        await read(parser_for(registry), b"\0" + struct.pack(">I", schema_id) + b"x")
    assert poison.value.reason is DeadLetterReason.MALFORMED


async def test_json_is_read_as_well(registry: Registry) -> None:
    """With a frame of a JSON schema, or without a frame."""
    frame = b"\0" + struct.pack(">I", registry.add({"schemaType": "JSON", "schema": "{}"}))
    parser = parser_for(registry)
    for value in (orjson.dumps(EVENT), frame + orjson.dumps(EVENT)):
        assert (await read(parser, value)).entries[0].message_id == "m-1"


FUZZED = AvroValues(lambda _: asyncio.sleep(0, RegisteredSchema("AVRO", orjson.dumps(SCHEMA).decode())))


@given(st.binary(max_size=80))
def test_any_bytes_are_converted_or_malformed(data: bytes) -> None:
    """No other error is raised."""
    value = b"\0\0\0\0\x01" + data
    asyncio.run(FUZZED.prepare([value]))
    convert: Callable[[bytes], bytes] = FUZZED.convert
    try:
        orjson.loads(convert(value))
    except PoisonMessageError:
        return
    except orjson.JSONDecodeError:
        assert not data  # five bytes are no frame


def test_the_extra_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start is refused in one line with the remedy; JSON doesn't need it."""
    monkeypatch.setitem(sys.modules, "fastavro", None)
    config = settings_of(SENT__FORMAT="avro", REGISTRY__URL="http://registry")
    with pytest.raises(ConfigurationError, match=r"pip install 'sms-bridge\[registry\]'"):
        make_avro_values(config.sent, config.registry)
    assert make_avro_values(settings_of().sent, config.registry) is None


def test_the_registry_is_required() -> None:
    """It has the schemas."""
    with pytest.raises(ConfigurationError, match="REGISTRY__URL is needed when SENT__FORMAT is avro"):
        settings_of(SENT__FORMAT="avro")
