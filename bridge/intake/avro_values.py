"""Converts Avro, as Confluent's serializers write it, to JSON. Schemas are fetched from a registry once.

The library belongs to the extra `registry`, and is loaded only here. To convert is pure; `prepare` fetches, before,
the schemas that a fetch's records need.
"""

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from typing import Any, NamedTuple

import orjson
import structlog

from bridge.core.errors import ConfigurationError, DeadLetterReason, PoisonMessageError
from bridge.intake.avro_schemas import check_depth_and_size, strip_times
from bridge.kafka.schema_registry import RegisteredSchema, fetch_schema
from bridge.kafka.wire_format import parse_schema_id, split_frame
from bridge.settings.model import PREFIX, RegistrySettings, SentSettings

MAX_SCHEMAS = 1_000
"""Schemas that are kept; with more, those that a fetch doesn't need are forgotten."""

Fetch = Callable[[int], Awaitable[RegisteredSchema | None]]

log = structlog.get_logger(__name__)


class _KnownSchema(NamedTuple):
    """A schema by which values can be converted, or why there is none."""

    convert: Callable[[bytes], bytes] | None
    error: str = ""


class AvroValues:
    """Converts values, and keeps their schemas.

    Args:
        fetch: Fetches a schema by its id.

    Raises:
        ConfigurationError: The extra isn't installed.
    """

    def __init__(self, fetch: Fetch) -> None:
        if find_spec("fastavro") is None:
            raise ConfigurationError(
                f"{PREFIX}SENT__FORMAT: avro needs the extra registry: pip install 'sms-bridge[registry]'"
            )
        self._fetch = fetch
        self._schemas: dict[int, _KnownSchema] = {}

    async def prepare(self, values: Iterable[bytes | None]) -> None:
        """Fetch the schemas of values that aren't known yet. What isn't in the registry is asked for again next time.

        Raises:
            RegistryUnavailableError: The registry gives no usable answer.
        """
        wanted = {schema_id for value in values if value and (schema_id := parse_schema_id(value)) is not None}
        known = {schema_id for schema_id, schema in self._schemas.items() if schema.convert}
        if len(known) > MAX_SCHEMAS:
            known &= wanted
            self._schemas = {schema_id: self._schemas[schema_id] for schema_id in known}
        for schema_id in sorted(wanted - known):
            self._schemas[schema_id] = _compile(await self._fetch(schema_id))
            log.info("schema fetched", id=schema_id, error=self._schemas[schema_id].error or None)

    def convert(self, value: bytes) -> bytes:
        """Convert a value to JSON. One without a frame is taken for JSON already.

        Raises:
            PoisonMessageError: It doesn't match its schema, or there is no schema that can be used.
        """
        schema_id = parse_schema_id(value)
        if schema_id is None:
            return value
        schema = self._schemas.get(schema_id, _KnownSchema(None, "isn't fetched yet"))
        if schema.convert is None:
            raise PoisonMessageError(DeadLetterReason.MALFORMED, f"schema {schema_id} {schema.error}")
        try:
            return schema.convert(split_frame(value)[1])
        except Exception as error:
            why = f"it doesn't match its schema {schema_id} ({type(error).__name__})"
            raise PoisonMessageError(DeadLetterReason.MALFORMED, why) from error


def make_avro_values(sent: SentSettings, registry: RegistrySettings) -> AvroValues | None:
    """Make what converts sent records, if they are Avro by settings.

    Raises:
        ConfigurationError: The extra isn't installed.
    """
    return AvroValues(partial(fetch_schema, registry)) if sent.format == "avro" else None


def _compile(schema: RegisteredSchema | None) -> _KnownSchema:
    if schema is None:
        return _KnownSchema(None, "isn't in the registry of REGISTRY__URL, or one that it refers to isn't")
    if schema.kind == "JSON":
        return _KnownSchema(bytes)
    if schema.kind != "AVRO":
        return _KnownSchema(None, f"is of the type {schema.kind}; the bridge reads Avro and JSON")
    try:
        return _KnownSchema(_compile_avro(schema))
    except Exception as error:  # noqa: BLE001 - whatever the library raises, this schema can't be used
        return _KnownSchema(None, f"isn't Avro that can be read ({type(error).__name__})")


def _compile_avro(schema: RegisteredSchema) -> Callable[[bytes], bytes]:
    import fastavro  # noqa: PLC0415 - of the extra

    def parse(change: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
        named: dict[str, Any] = {}
        for text in schema.references:
            fastavro.parse_schema(change(orjson.loads(text)), named_schemas=named)
        return fastavro.parse_schema(change(orjson.loads(schema.text)), named_schemas=named), named

    parsed, named = parse(lambda document: document)
    check_depth_and_size(parsed, named)
    plain, _ = parse(strip_times)

    def convert(data: bytes) -> bytes:
        # Times and UUIDs become text, in the forms of RFC 3339 and 9562.
        try:
            document = fastavro.schemaless_reader(BytesIO(data), parsed, None)
        except OverflowError:  # a time beyond the year 9999: it is left a number, which no member takes
            document = fastavro.schemaless_reader(BytesIO(data), plain, None)
        return orjson.dumps(document, default=_to_text)

    return convert


def _to_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(type(value).__name__)
