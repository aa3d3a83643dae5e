"""A schema registry with the functions that the bridge and Confluent's serializers use."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

DELIVERY_ID = 70_001
"""Id of the published schema."""

USER, PASSWORD = "bridge", "password-of-the-registry"


class Registry:
    """The registry's server."""

    def __init__(self) -> None:
        self.url = ""
        self.subjects: dict[str, str] = {}
        self.refusal: str | None = None
        self.schemas: dict[int, dict[str, Any]] = {}
        """Schemas of senders, by id: what `GET /schemas/ids/{id}` answers."""
        self.asked: list[int] = []
        """The ids that were asked for."""
        self.is_away = False

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application()
        app.router.add_post("/subjects/{subject}/versions", self._register)
        app.router.add_get("/schemas/ids/{id}", self._schema)
        app.router.add_get("/subjects/{subject}/versions/{version}", self._version)
        return app

    async def _register(self, request: web.Request) -> web.Response:
        if unauthorized := _refuse_stranger(request):
            return unauthorized
        assert request.content_type == "application/vnd.schemaregistry.v1+json"
        if self.refusal:
            return web.json_response({"error_code": 409, "message": self.refusal}, status=409)
        document = await request.json()
        if document.get("schemaType", "AVRO") != "JSON":
            return web.json_response({"id": self.add(document, request.match_info["subject"])})
        Draft202012Validator.check_schema(json.loads(document["schema"]))
        self.subjects[request.match_info["subject"]] = document["schema"]
        return web.json_response({"id": DELIVERY_ID})

    def add(self, schema: dict[str, Any], subject: str = "sms.sent-value") -> int:
        """Add a sender's schema; return its id."""
        schema_id = next((known for known, one in self.schemas.items() if one == schema), 80_001 + len(self.schemas))
        self.schemas[schema_id] = schema
        self.subjects[subject] = schema["schema"]
        return schema_id

    async def _schema(self, request: web.Request) -> web.Response:
        schema_id = int(request.match_info["id"])
        self.asked.append(schema_id)
        if self.is_away:
            return web.json_response({"error_code": 50003, "message": "Error while forwarding"}, status=500)
        if schema_id == DELIVERY_ID:
            return web.json_response({"schemaType": "JSON", "schema": next(iter(self.subjects.values()))})
        if schema_id not in self.schemas:
            return web.json_response({"error_code": 40403, "message": f"Schema {schema_id} not found"}, status=404)
        return web.json_response(self.schemas[schema_id])

    async def _version(self, request: web.Request) -> web.Response:
        if unauthorized := _refuse_stranger(request):
            return unauthorized
        if self.is_away:
            return web.json_response({"error_code": 50003, "message": "Error while forwarding"}, status=500)
        subject = request.match_info["subject"]
        if subject not in self.subjects:
            return web.json_response({"error_code": 40401, "message": f"Subject '{subject}' not found."}, status=404)
        return web.json_response({"subject": subject, "version": 1, "id": 1, "schema": self.subjects[subject]})


def _refuse_stranger(request: web.Request) -> web.Response | None:
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if request.headers.get("Authorization") == expected:
        return None
    return web.json_response({"error_code": 401, "message": "Unauthorized"}, status=401)


@asynccontextmanager
async def listening() -> AsyncIterator[Registry]:
    """Yield a running registry."""
    registry = Registry()
    runner = web.AppRunner(registry.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    registry.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield registry
    finally:
        await runner.cleanup()


def registered(registry: Registry, **more: str) -> Mapping[str, str]:
    """Return the settings of a service with this registry."""
    given = {"URL": registry.url, "USERNAME": USER, "PASSWORD": PASSWORD, **more}
    return {f"REGISTRY__{name}": value for name, value in given.items()}
