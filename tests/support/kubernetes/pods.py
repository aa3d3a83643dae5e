"""Stands in for scheduler and kubelet: binds each pod to one node, makes it ready after a while, and ends it.

Pods of Jobs succeed. No container runs.
"""

import threading
import time
from itertools import count
from types import TracebackType
from typing import Self

from tests.support.kubernetes.cluster import Cluster, Object

NODE = "node-1"


class Kubelet:
    """Reports the state of every pod, as a kubelet would.

    Args:
        cluster: Where the pods are.
        start_seconds: How long a pod takes to become ready.
    """

    def __init__(self, cluster: Cluster, start_seconds: float = 2.0) -> None:
        self._cluster = cluster
        self._start_seconds = start_seconds
        self._seen: dict[str, float] = {}
        self._numbers = count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelet")

    def __enter__(self) -> Self:
        self._cluster.create("/api/v1/nodes", {"metadata": {"name": NODE}})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(0.2):
            for pod in self._cluster.items("/api/v1/pods"):
                self._advance(pod)

    def _advance(self, pod: Object) -> None:
        """Do the next thing that is due for a pod."""
        meta, path = pod["metadata"], _make_path(pod)
        since = self._seen.setdefault(meta["uid"], time.monotonic())
        if "nodeName" not in pod["spec"]:
            target = {"target": {"kind": "Node", "name": NODE}, "metadata": {"name": meta["name"]}}
            self._cluster.ask(f"{path}/binding", target)
        elif "deletionTimestamp" in meta:
            self._cluster.delete(path, grace_seconds=0)
        elif pod["status"].get("phase") == "Pending" and time.monotonic() - since > self._start_seconds:
            self._report(pod)

    def _report(self, pod: Object) -> None:
        once = pod["spec"]["restartPolicy"] == "Never"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        state = {"terminated": {"exitCode": 0, "finishedAt": now}} if once else {"running": {"startedAt": now}}
        number = next(self._numbers)
        address = f"10.1.{number // 250}.{number % 250 + 1}"
        status = {
            "phase": "Succeeded" if once else "Running",
            "startTime": now,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [
                {"type": kind, "status": "False" if once else "True", "lastTransitionTime": now}
                for kind in ("Ready", "ContainersReady")
            ],
            "containerStatuses": [
                {
                    "name": one["name"],
                    "image": one["image"],
                    "imageID": "",
                    "ready": not once,
                    "restartCount": 0,
                    "state": state,
                }
                for one in pod["spec"]["containers"]
            ],
        }
        self._cluster.patch(f"{_make_path(pod)}/status", {"status": status})


def _make_path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
