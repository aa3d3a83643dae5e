"""`check --offline` needs neither Kafka nor the machine that the settings are for."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.support.ports import find_free_ports


def check_offline(**settings: str) -> tuple[int, Any]:
    """Run `check --offline` with settings of a Kafka that isn't there."""
    needed = {
        "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{find_free_ports(1)[0]}",
        "DEXATEL__CALLBACK_SECRETS": "0123456789abcdef",
        "DEXATEL__POLL": "never",
        "STATE__DIRECTORY": "/proc/no/such/folder",
    }
    command = [sys.executable, "-m", "bridge", "check", "--offline", "--json"]
    variables = {f"SMS_BRIDGE_{name}": value for name, value in (needed | settings).items()}
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=False)  # noqa: S603 - ours
    return done.returncode, json.loads(done.stdout)


def test_settings_are_checked_offline() -> None:
    """Without Kafka and without the machine that they are for: exit code 0 or 1 for CI, and each wrong setting."""
    code, found = check_offline()
    assert (code, found["ok"]) == (0, True)
    assert {finding["area"] for finding in found["findings"]} == {"settings"}
    code, found = check_offline(DEXATEL__POLL="sometimes")
    assert (code, [finding["subject"] for finding in found["findings"]]) == (1, ["SMS_BRIDGE_DEXATEL__POLL"])
