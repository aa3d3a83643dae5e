"""The runbooks' kubectl and helm commands work on a real API server, with one kind of pods and with two.

No container runs there: what needs one (`exec`, `logs`, `port-forward`, `top`) is tried elsewhere.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documentation.blocks import commands
from tests.support.documentation.pasting import is_assignment, list_runbooks
from tests.support.helm.binaries import helm, kubectl
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.release import ClusterRelease
from tests.support.paths import ROOT

pytestmark = pytest.mark.long

NEEDS_A_CONTAINER = re.compile(r"kubectl \S+ \S+ (exec|logs|port-forward|top) |^(curl|kafka-[a-z-]+\.sh) ")
NEEDS_PODS = re.compile(r" (delete pod|rollout status|debug) ")
OPTIONAL = " get horizontalpodautoscaler "
"""Says that there is none, where nothing scales."""

INSTALLED: dict[str, Any] = {
    "serviceMonitor__enabled": True,
    "ingress": {"enabled": True, "host": "sms.example.com"},
    "kafka__tls": {"enabled": True, "existingSecret": "kafka-ca"},
    "config": {"DEXATEL__POLL": "never", "HTTP__TRUSTED_PROXIES": "192.0.2.0/24"},
}
"""What pages look at besides the least."""

PROGRAMS = 'helm() { {helm} "$@"; }\nkubectl() { {kubectl} "$@"; }\nset -euo pipefail\n'


@pytest.fixture(params=["minimal", "split"])
def release(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[ClusterRelease]:
    """A release with the names of the pages."""
    with cluster.namespace("sms") as namespace:
        release = ClusterRelease(cluster, namespace, request.param)
        release.apply(**INSTALLED)
        release.wait_until_settled()
        yield release
        release.remove()
    cluster.wait_until_gone("/api/v1/namespaces/sms")


def test_commands_of_runbooks_work(cluster: Cluster, release: ClusterRelease, tmp_path: Path) -> None:
    """Each page's commands end well, one after the other."""
    failures: list[str] = []
    seen: set[str] = set()
    for page, blocks in list_runbooks().items():
        if any(NEEDS_PODS.search(block.text) for block in blocks):
            release.wait_until_settled()
        settings: list[str] = []
        for command in (command for block in blocks for command in commands(block)):
            if is_assignment(command):
                settings.append(command.text)
            elif command.text not in seen and not NEEDS_A_CONTAINER.search(command.text):
                seen.add(command.text)
                # There is nothing to attach to, and nothing that logs.
                text = command.text.replace(" -it ", " ").replace(" --logs", "")
                said = run("\n".join((*settings, text)), cluster, tmp_path)
                if said and not ("No resources found" in said and OPTIONAL in text):
                    failures.append(f"{page}: {command.text}: {said}")
    assert failures == [], "\n".join(failures)


def run(script: str, cluster: Cluster, home: Path) -> str:
    """Run a script with the cluster's configuration, and return what it complains about."""
    environment = {"PATH": "/usr/bin:/bin", "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(home)}
    programs = PROGRAMS.replace("{helm}", str(helm())).replace("{kubectl}", str(kubectl()))
    asked = ["bash", "--noprofile", "--norc", "-c", programs + script]
    done = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - ours
    return f"{done.returncode} {done.stderr}" if done.returncode or "No resources found" in done.stderr else ""
