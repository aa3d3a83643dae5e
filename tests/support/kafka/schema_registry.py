"""A schema registry with the functions that the bridge and Confluent's deserializer use."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from jsonschema import Draft202012Validator

USER, PASSWORD = "bridge", "password-of-the-registry"


class Registry:
    """The registry's server."""

    def __init__(self) -> None:
        self.url = ""
        self.subjects: dict[str, str] = {}
        self.refusal: str | None = None

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application()
        app.router.add_post("/subjects/{subject}/versions", self._register)
        app.router.add_get("/schemas/ids/{id}", self._schema)
        return app

    async def _register(self, request: web.Request) -> web.Response:
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != expected:
            return web.json_response({"error_code": 401, "message": "Unauthorized"}, status=401)
        assert request.content_type == "application/vnd.schemaregistry.v1+json"
        if self.refusal:
            return web.json_response({"error_code": 409, "message": self.refusal}, status=409)
        document = await request.json()
        assert document["schemaType"] == "JSON"
        Draft202012Validator.check_schema(json.loads(document["schema"]))
        self.subjects[request.match_info["subject"]] = document["schema"]
        return web.json_response({"id": 70_001})

    async def _schema(self, request: web.Request) -> web.Response:
        assert request.match_info["id"] == "70001"
        return web.json_response({"schemaType": "JSON", "schema": next(iter(self.subjects.values()))})


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
