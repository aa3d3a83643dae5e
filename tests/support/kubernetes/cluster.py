"""A control plane of Kubernetes: etcd, the API server and the controllers. It has no nodes; see `pods.py`."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.kubernetes.programs import find, find_etcd
from tests.support.ports import find_free_ports

TOKEN = "only-for-tests-admin"
START_TIMEOUT = 120.0
Object = dict[str, Any]


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until a condition returns something true, and return it.

    Raises:
        TimeoutError: It didn't in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds:g} s")


class Cluster:
    """A running control plane.

    Attributes:
        kubeconfig: For helm and kubectl.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._etcd, self._peer, self._api, self._controllers = find_free_ports(4)
        self.kubeconfig = folder / "kubeconfig.json"
        self.url = f"https://127.0.0.1:{self._api}"
        self._stack = ExitStack()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self._client = httpx.Client(base_url=self.url, verify=False, headers=headers, timeout=30)  # noqa: S501 - it has just made its certificate

    def __enter__(self) -> Self:
        self._write_files()
        with self._stack as stack:
            stack.enter_context(self._run(find_etcd(), self._etcd_options()))
            stack.enter_context(self._run(find("kube-apiserver"), self._api_options()))
            wait_for(self._is_ready, START_TIMEOUT, f"kube-apiserver (see {self._folder})")
            stack.enter_context(self._run(find("kube-controller-manager"), self._controller_options()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._stack.close()

    def get(self, path: str) -> Object:
        """Return an object, or a list of them; empty if there is none."""
        answer = self._client.get(path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        found: Object = answer.raise_for_status().json()
        return found

    def items(self, path: str) -> list[Object]:
        """Return the objects of a list."""
        found: list[Object] = self.get(path).get("items", [])
        return found

    def create(self, path: str, value: Object) -> None:
        """Create an object."""
        answer = self._client.post(path, json=value)
        assert answer.is_success, answer.text

    def ask(self, path: str, value: Object) -> bool:
        """Try to create something, and return whether it was accepted."""
        return self._client.post(path, json=value).is_success

    def explain_refusal(self, path: str, value: Object) -> str:
        """Try to create something, and return what the API server says to it."""
        return self._client.post(path, json=value).text

    def patch(self, path: str, value: Object) -> bool:
        """Merge a value into an object, and return whether it was accepted."""
        content, kind = json.dumps(value), {"Content-Type": "application/merge-patch+json"}
        return self._client.patch(path, content=content, headers=kind).is_success

    def wait_until_gone(self, path: str) -> None:
        """Wait until an object doesn't exist any more."""
        wait_for(lambda: not self.get(path), START_TIMEOUT, f"the end of {path}")

    def delete(self, path: str, grace_seconds: int | None = None) -> None:
        """Delete an object, if it still exists."""
        self._client.request("DELETE", path, json={"gracePeriodSeconds": grace_seconds})

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """Provide a namespace in which only pods that satisfy `restricted` are allowed."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        wait_for(lambda: self.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"), 60, "the account default")
        yield name
        self.delete(f"/api/v1/namespaces/{name}")

    def _is_ready(self) -> bool:
        try:
            return self._client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    @contextmanager
    def _run(self, program: Path, options: dict[str, object]) -> Iterator[None]:
        command = [str(program), *(f"--{name}={value}" for name, value in options.items())]
        with (self._folder / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)  # noqa: S603 - a fixed program
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self._folder / "accounts.key").write_bytes(key.private_bytes(*form))
        (self._folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(json.dumps(config))

    def _etcd_options(self) -> dict[str, object]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd, self._peer))
        return {
            "data-dir": "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
        }

    def _api_options(self) -> dict[str, object]:
        return {
            "etcd-servers": f"http://127.0.0.1:{self._etcd}",
            "bind-address": "127.0.0.1",
            "secure-port": self._api,
            "cert-dir": "certificates",
            "service-cluster-ip-range": "10.96.0.0/16,fd00:10:96::/112",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": "accounts.key",
            "service-account-signing-key-file": "accounts.key",
            "token-auth-file": "tokens.csv",
            "authorization-mode": "RBAC",
            "endpoint-reconciler-type": "none",
        }

    def _controller_options(self) -> dict[str, object]:
        return {
            "kubeconfig": self.kubeconfig,
            "leader-elect": "false",
            # No node reports that it is alive.
            "controllers": "*,-node-lifecycle-controller",
            "bind-address": "127.0.0.1",
            "secure-port": self._controllers,
            "cert-dir": "certificates",
            "service-account-private-key-file": "accounts.key",
            "use-service-account-credentials": "false",
            "concurrent-gc-syncs": 2,
        }
