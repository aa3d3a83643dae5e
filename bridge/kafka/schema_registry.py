"""A schema registry, optional: the published schema is registered there, and values may carry its id.

The interface is that of Confluent's registry, which others implement too
(https://docs.confluent.io/platform/current/schema-registry/develop/api.html).
"""

import httpx
import orjson
import structlog
from httpx_aiohttp import AiohttpTransport

from bridge.core.errors import ConfigurationError
from bridge.kafka.wire_format import make_frame
from bridge.schemas import load_schema
from bridge.settings.model import PREFIX, RegistrySettings, TopicSettings

SCHEMA = "sms.delivery.v1"
JSON = "application/vnd.schemaregistry.v1+json"
REQUEST_TIMEOUT = 10.0
"""Seconds for one request."""

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
    auth = None
    if registry.username and registry.password:
        auth = httpx.BasicAuth(registry.username, registry.password.get_secret_value())
    async with httpx.AsyncClient(transport=AiohttpTransport(), auth=auth, timeout=REQUEST_TIMEOUT) as client:
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


async def _register(client: httpx.AsyncClient, url: str, subject: str) -> int:
    setting = f"{PREFIX}REGISTRY__URL"
    body = orjson.dumps({"schemaType": "JSON", "schema": orjson.dumps(load_schema(SCHEMA)).decode()})
    try:
        answer = await client.post(f"{url}/subjects/{subject}/versions", content=body, headers={"content-type": JSON})
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last one for a name that no host can have
        raise ConfigurationError(f"{setting}: no registry answers there ({type(error).__name__})") from error
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        document = {}
    if answer.status_code != httpx.codes.OK or not isinstance(document.get("id"), int):
        why = document.get("message") or f"status {answer.status_code}"
        raise ConfigurationError(f"{setting}: the registry rejects the schema of {subject}: {why}")
    return int(document["id"])
