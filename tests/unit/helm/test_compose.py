"""compose.yaml matches what the service accepts."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.accounts import build_accounts
from bridge.settings.loading import load_settings
from tests.support.helm.binaries import promtool
from tests.support.paths import ROOT


@pytest.fixture
def services() -> Any:
    """The services by name."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_bridge_accepts_its_variables(services: Any) -> None:
    """The bridge starts with the compose file's variables."""
    accounts = build_accounts(load_settings({name: str(v) for name, v in services["bridge"]["environment"].items()}))
    assert {provider for provider, _ in accounts} == {"dexatel", "speedocom"}


def test_simulators_reach_the_bridge(services: Any) -> None:
    """Their callbacks have the bridge's secrets, and its polls the simulators' token."""
    variables = services["bridge"]["environment"]
    for provider, credential in (("dexatel", "TOKEN"), ("speedocom", "API_KEY")):
        command = services[provider]["command"]
        secret = variables[f"SMS_BRIDGE_{provider.upper()}__CALLBACK_SECRETS"]
        assert command[command.index("--callback-url") + 1] == f"http://bridge:8080/dlr/{provider}/{secret}"
        assert command[command.index("--token") + 1] == variables[f"SMS_BRIDGE_{provider.upper()}__{credential}"]


def test_mounted_files_exist(services: Any) -> None:
    """Docker would create an empty folder for a missing file."""
    mounts = [volume for service in services.values() for volume in service.get("volumes", []) if volume[0] == "."]
    assert len(mounts) >= 4
    for mount in mounts:
        assert (ROOT / mount.split(":")[0]).exists(), mount


def test_prometheus_accepts_its_configuration(services: Any, tmp_path: Path) -> None:
    """It starts and finds the alerts."""
    for mount in services["prometheus"]["volumes"]:
        source, target, *_ = mount.split(":")
        if source.startswith("."):
            shutil.copy(ROOT / source, tmp_path / Path(target).name)
    done = subprocess.run(  # noqa: S603 - a fixed program
        [promtool(), "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout
