"""A release of the chart in a cluster, installed and changed with helm."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.helm.binaries import helm, kubectl
from tests.support.helm.chart import Refused, values_file
from tests.support.kubernetes.cluster import Cluster, Object, wait_for
from tests.support.paths import CHART_FOLDER

SETTLE_TIMEOUT = 120.0


class ClusterRelease:
    """One release in one namespace.

    Attributes:
        warnings: What helm printed as a warning.
    """

    def __init__(self, cluster: Cluster, namespace: str, scenario: str = "minimal", name: str = "sms") -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._scenario = scenario
        self._name = name
        self.warnings: list[str] = []

    def apply(self, *more: str, chart: Path = CHART_FOLDER, **values: Any) -> str:
        """Install or upgrade the release with these values, and return what helm prints.

        Raises:
            Refused: Helm doesn't take the values, or the API server the objects.
        """
        settings = [f"--set-json={name.replace('__', '.')}={json.dumps(value)}" for name, value in values.items()]
        scenario = str(values_file(self._scenario))
        return self._helm("upgrade", "--install", self._name, str(chart), "--values", scenario, *settings, *more)

    def rollback(self) -> None:
        """Return to the first revision."""
        self._helm("rollback", self._name, "1")

    def test(self) -> str:
        """Run `helm test`.

        Raises:
            Refused: The test fails, or its pod isn't admitted.
        """
        return self._helm("test", self._name)

    def remove(self) -> None:
        """Uninstall the release."""
        self._helm("uninstall", self._name)

    def kubectl(self, *arguments: str) -> None:
        """Do something by hand."""
        command = [str(kubectl()), "--kubeconfig", str(self._cluster.kubeconfig), "-n", self._namespace, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
        assert done.returncode == 0, done.stderr

    def workload(self, kind: str, suffix: str = "") -> Object:
        """Return the StatefulSet or Deployment."""
        return self._cluster.get(f"{self._workloads()}/{kind}/{self._name}-sms-bridge{suffix}")

    def object(self, kind: str, name: str) -> Object:
        """Return an object of the core group."""
        return self._cluster.get(f"/api/v1/namespaces/{self._namespace}/{kind}/{name}")

    def custom(self, api_version: str, plural: str, name: str) -> Object:
        """Return an object of an operator's kind."""
        return self._cluster.get(f"/apis/{api_version}/namespaces/{self._namespace}/{plural}/{name}")

    def pods(self) -> list[Object]:
        """Return the pods of workloads."""
        selector = f"labelSelector=app.kubernetes.io/instance={self._name},app.kubernetes.io/component"
        return self._cluster.items(f"/api/v1/namespaces/{self._namespace}/pods?{selector}")

    def wait_until_settled(self) -> None:
        """Wait until every workload has rolled out."""
        wait_for(self._is_settled, SETTLE_TIMEOUT, "the rollout")

    def count_ready_endpoints(self) -> int:
        """Return how many pods the Service sends callbacks to."""
        selector = f"labelSelector=kubernetes.io/service-name={self._name}-sms-bridge"
        slices = self._cluster.items(
            f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices?{selector}"
        )
        with_port = [one for one in slices if one.get("ports")]
        return sum(end["conditions"]["ready"] for one in with_port for end in one.get("endpoints") or [])

    @contextmanager
    def watch_endpoints(self) -> Iterator[list[int]]:
        """Count the ready endpoints ten times a second into a list."""
        seen: list[int] = [self.count_ready_endpoints()]
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                seen.append(self.count_ready_endpoints())

        thread = threading.Thread(target=watch, name="endpoints")
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()

    def _workloads(self) -> str:
        return f"/apis/apps/v1/namespaces/{self._namespace}"

    def _is_settled(self) -> bool:
        workloads = [
            one
            for kind in ("statefulsets", "deployments")
            for one in self._cluster.items(f"{self._workloads()}/{kind}")
        ]
        return all(_has_rolled_out(one) for one in workloads) and len(self.pods()) == sum(
            one["spec"]["replicas"] for one in workloads
        )

    def _helm(self, *arguments: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self._cluster.kubeconfig)}
        command = [str(helm()), *arguments, "--namespace", self._namespace]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - a fixed program
        lines = done.stderr.splitlines()
        self.warnings += [line for line in lines if "warning" in line.lower() and "insecure" not in line]
        if done.returncode:
            raise Refused(done.stderr + done.stdout)
        return done.stdout


def _has_rolled_out(workload: Object) -> bool:
    wanted, status = workload["spec"]["replicas"], workload["status"]
    seen = status.get("observedGeneration") == workload["metadata"]["generation"]
    rolled = status.get("updateRevision") == status.get("currentRevision")
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return bool(seen and rolled and counts == [wanted] * 3)
