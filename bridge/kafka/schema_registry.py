"""A schema registry, optional: the published schema is registered there, and senders' schemas are fetched from there.

The interface is that of Confluent's registry, which others implement too
(https://docs.confluent.io/platform/current/schema-registry/develop/api.html).
"""

from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import orjson
import structlog
from httpx_aiohttp import AiohttpTransport

from bridge.core.errors import ConfigurationError, RegistryRefusedError, RegistryUnavailableError
from bridge.kafka.wire_format import make_frame
from bridge.schemas import load_schema
from bridge.settings.model import PREFIX, RegistrySettings, TopicSettings
from bridge.tls.connection_errors import describe_connection_error

SCHEMA = "sms.delivery.v1"
JSON = "application/vnd.schemaregistry.v1+json"
REQUEST_TIMEOUT = 10.0
"""Seconds for one request."""

NOT_FOUND = {40401, 40402, 40403}
"""The registry's own codes: it has no such subject, version or schema. Another program's 404 has no code."""

REFUSALS = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}

log = structlog.get_logger(__name__)


async def register_schemas(topics: TopicSettings, registry: RegistrySettings) -> dict[str, int]:
    """Register the schema of what is published under the subject of each topic's values.

    Returns:
        The schema's id by subject; nothing when there is no registry.

    Raises:
        ConfigurationError: It doesn't answer, or rejects the schema.
    """
    if not registry.url:
        return {}
    async with _connect(registry) as client:
        subjects = [f"{name}-value" for name in (topics.delivery, topics.latest) if name]
        ids = {subject: await _register(client, registry.url.rstrip("/"), subject) for subject in subjects}
    log.info("schemas registered", ids=ids)
    return ids


async def fetch_frame(topics: TopicSettings, registry: RegistrySettings) -> bytes:
    """Fetch what stands before every value: with the wire format a zero byte and the schema's id, else nothing.

    Raises:
        ConfigurationError: As `register`.
    """
    ids = await register_schemas(topics, registry)
    if not registry.wire_format:
        return b""
    return make_frame(ids[f"{topics.delivery}-value"])


class RegisteredSchema(NamedTuple):
    """A schema of a registry."""

    kind: str
    """`AVRO`, `JSON` or `PROTOBUF`."""
    text: str
    references: tuple[str, ...] = ()
    """The schemas that it refers to, each behind those that it refers to itself."""


async def fetch_schema(registry: RegistrySettings, schema_id: int) -> RegisteredSchema | None:
    """Fetch a schema by its id; None if the registry doesn't have it, or one that it refers to.

    Raises:
        RegistryUnavailableError: It gives no usable answer.
    """
    async with _connect(registry) as client:
        document = await _get(client, f"{registry.url.rstrip('/')}/schemas/ids/{schema_id}")
        if document is None:
            return None
        references: dict[str, str] = {}
        if not await _fetch_references(client, registry.url.rstrip("/"), document, references):
            return None
    return RegisteredSchema(document.get("schemaType") or "AVRO", document["schema"], tuple(references.values()))


async def _fetch_references(
    client: httpx.AsyncClient, url: str, document: dict[str, Any], found: dict[str, str]
) -> bool:
    """Fetch what a schema refers to, also what was deleted since; returns whether the registry has all of it."""
    for reference in document.get("references") or ():
        path = f"subjects/{quote(reference['subject'], safe='')}/versions/{reference['version']}"
        if path not in found:
            referenced = await _get(client, f"{url}/{path}?deleted=true")
            if referenced is None or not await _fetch_references(client, url, referenced, found):
                return False
            found[path] = referenced["schema"]
    return True


async def is_registered(registry: RegistrySettings, subject: str) -> bool:
    """Ask whether the registry has a schema for a subject. Nothing is registered.

    Raises:
        RegistryUnavailableError: It gives no usable answer.
    """
    async with _connect(registry) as client:
        path = f"subjects/{quote(subject, safe='')}/versions/latest"
        return await _get(client, f"{registry.url.rstrip('/')}/{path}") is not None


def _connect(registry: RegistrySettings) -> httpx.AsyncClient:
    auth = None
    if registry.username and registry.password:
        auth = httpx.BasicAuth(registry.username, registry.password.get_secret_value())
    return httpx.AsyncClient(transport=AiohttpTransport(), auth=auth, timeout=REQUEST_TIMEOUT)


async def _get(client: httpx.AsyncClient, url: str) -> dict[str, Any] | None:
    """Get a document that has a schema; None if the registry says that it has no such schema.

    Raises:
        RegistryUnavailableError: It gives no usable answer.
    """
    try:
        answer = await client.get(url, headers={"accept": JSON})
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise RegistryUnavailableError(f"no registry answers: {describe_connection_error(error)}") from error
    document = _parse_answer(answer)
    if answer.status_code == httpx.codes.NOT_FOUND and document.get("error_code") in NOT_FOUND:
        return None
    if answer.status_code != httpx.codes.OK or not isinstance(document.get("schema"), str):
        why = document.get("message") or f"status {answer.status_code}"
        if answer.status_code in REFUSALS:
            raise RegistryRefusedError(f"the registry refuses the credentials: {why}")
        raise RegistryUnavailableError(f"the registry has no usable answer: {why}")
    return document


def _parse_answer(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


async def _register(client: httpx.AsyncClient, url: str, subject: str) -> int:
    setting = f"{PREFIX}REGISTRY__URL"
    body = orjson.dumps({"schemaType": "JSON", "schema": orjson.dumps(load_schema(SCHEMA)).decode()})
    try:
        answer = await client.post(f"{url}/subjects/{subject}/versions", content=body, headers={"content-type": JSON})
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last one for a name that no host can have
        raise ConfigurationError(f"{setting}: no registry answers there: {describe_connection_error(error)}") from error
    document = _parse_answer(answer)
    if answer.status_code != httpx.codes.OK or not isinstance(document.get("id"), int):
        why = document.get("message") or f"status {answer.status_code}"
        raise ConfigurationError(f"{setting}: the registry rejects the schema of {subject}: {why}")
    return int(document["id"])
