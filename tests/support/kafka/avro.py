"""Writes Avro as a sender does, with Confluent's client."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.kafka.schema_registry import PASSWORD, USER, Registry

CONTEXT = SerializationContext("sms.sent", MessageField.VALUE)


async def serialize(
    registry: Registry, schema: Any, message: Any, references: Mapping[str, str] | None = None
) -> bytes:
    """Write a message as a sender does, with Confluent's client."""

    def write() -> bytes:
        refers = [SchemaReference(name, subject, 1) for name, subject in (references or {}).items()]
        with SchemaRegistryClient({"url": registry.url, "basic.auth.user.info": f"{USER}:{PASSWORD}"}) as client:
            written = AvroSerializer(client, Schema(orjson.dumps(schema).decode(), "AVRO", refers))(message, CONTEXT)
        assert isinstance(written, bytes)
        return written

    return await asyncio.to_thread(write)
