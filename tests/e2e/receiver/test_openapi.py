"""The public listener matches its OpenAPI document for generated requests."""

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
    """Return the document with valid secrets, so that requests get past authentication."""
    document: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
    for path, secret in SECRETS.items():
        right = {"type": "string", "enum": [secret, "a-wrong-secret-0123456789"]}
        parameter = {"name": "secret", "in": "path", "required": True, "schema": right}
        others = [one for one in document["paths"][path]["parameters"] if one.get("name") == "provider"]
        for other in others:
            other["schema"] = {"type": "string", "enum": ["acme-sms", "nobody"]}
        document["paths"][path]["parameters"] = [*others, parameter]
    return document


async def test_listener_matches_openapi(fleet: Fleet, tmp_path: Path) -> None:
    """No request causes a 500 or a response that the document doesn't describe."""
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
            said, _ = await asyncio.wait_for(process.communicate(), 100)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, said.decode()[-5000:]
        samples = await service.read_samples()
        taken = sum(count for name, count in samples.items() if "callbacks_received_total" in name)
        assert taken > 50
        assert await service.is_ready()
        assert "a request failed" not in service.log
