"""The public listener conforms to its OpenAPI description, as a fuzzing client checks."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import SCHEMAS
from tests.support.service.accounts import ACME, CALLBACKS_ONLY
from tests.support.service.fleet import Fleet

DESCRIPTION = SCHEMAS / "openapi.yaml"
SECRETS = {
    "/dlr/dexatel/{secret}": CALLBACKS_ONLY["DEXATEL__CALLBACK_SECRETS"],
    "/dlr/speedocom/{secret}": CALLBACKS_ONLY["SPEEDOCOM__CALLBACK_SECRETS"],
    "/dlr/{provider}/{secret}": ACME["WEBHOOKS__ACME_SMS__CALLBACK_SECRETS"],
}


def opened() -> dict[str, Any]:
    """Load the description with valid secrets: with others, every response would be 404."""
    document: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
    for path, secret in SECRETS.items():
        right = {"type": "string", "enum": [secret, "a-wrong-secret-0123456789"]}
        parameter = {"name": "secret", "in": "path", "required": True, "schema": right}
        others = [one for one in document["paths"][path]["parameters"] if one.get("name") == "provider"]
        for other in others:
            other["schema"] = {"type": "string", "enum": ["acme-sms", "nobody"]}
        document["paths"][path]["parameters"] = [*others, parameter]
    return document


async def test_the_listener_keeps_to_its_description(fleet: Fleet, tmp_path: Path) -> None:
    """Every method, with valid and invalid bodies, gets a documented response and causes no failure."""
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(opened(), default=str))
    command = [
        *("run", str(description), "--max-examples", "40", "--phases", "coverage,fuzzing", "--no-color"),
        *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
        *("--generation-deterministic", "--request-timeout", "20"),
    ]
    async with fleet.topics() as topics, fleet.running({**topics.settings, **ACME, **CALLBACKS_ONLY}) as service:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", *command, "--url", service.url),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 100)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, output.decode()[-5000:]
        samples = await service.read_samples()
        taken = sum(count for name, count in samples.items() if "callbacks_received_total" in name)
        assert taken > 50
        assert await service.is_ready()
        assert "request failed" not in service.log
