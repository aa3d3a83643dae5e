"""Renders the chart with helm, and finds objects in the result. No assertions here."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.paths import CHART_FOLDER

SCENARIOS = sorted(file.name.removesuffix("-values.yaml") for file in (CHART_FOLDER / "ci").glob("*-values.yaml"))
NAMESPACE = "messaging"
ELSEWHERE = {
    "SMS_BRIDGE_KAFKA__SASL_USERNAME": "sms-bridge",
    "SMS_BRIDGE_KAFKA__SASL_PASSWORD": "from-elsewhere",
    "SMS_BRIDGE_DEXATEL__CALLBACK_SECRETS": "only-for-tests-0004",
}
"""What stands in a Secret that isn't the chart's own."""

SECRETS = "/run/secrets/sms-bridge"

Object = Mapping[str, Any]


class Pod(NamedTuple):
    """A pod or a pod template."""

    owner: Object
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Object

    @property
    def name(self) -> str:
        """The name of its owner."""
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def containers(self) -> list[Object]:
        """All its containers."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def main(self) -> Object:
        """The service's container."""
        return next(one for one in self.spec["containers"] if one["name"] == "sms-bridge")


class Release:
    """The result of a rendering."""

    def __init__(self, text: str) -> None:
        self.objects: list[Object] = [one for one in yaml.safe_load_all(text) if one]

    def all(self, *kinds: str) -> list[Object]:
        """Return every object of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, suffix: str = "") -> Object:
        """Return the object of this kind whose name has this suffix."""
        (found,) = (one for one in self.all(kind) if one["metadata"]["name"].endswith(suffix))
        return found

    def pods(self) -> list[Pod]:
        """Return every pod, including those of hooks."""
        return [*self.services(), *(_pod(one) for one in self.all("Job")), *map(_bare, self.all("Pod"))]

    def services(self) -> list[Pod]:
        """Return the pods of long-running workloads."""
        return [_pod(one) for one in self.all("StatefulSet", "Deployment")]

    def selected(self, selector: Mapping[str, str]) -> list[Pod]:
        """Return the pods with these labels."""
        return [pod for pod in self.pods() if selector.items() <= pod.labels.items()]

    def environment(self, pod: Pod, folder: Path) -> dict[str, str]:
        """Return the variables of a pod's service; its mounted secrets are written to this folder."""
        variables: dict[str, str] = {}
        for source in pod.main.get("envFrom", []):
            variables.update(self._data("ConfigMap", source["configMapRef"]["name"]))
        for one in pod.main.get("env", []):
            variables[one["name"]] = one.get("value", "the-pod-0")
        for source in secret_sources(pod):
            files = self._data("Secret", source["name"]) or ELSEWHERE
            keys = {item["key"]: item["path"] for item in source.get("items", [])}
            for file, text in (dict.fromkeys(keys.values(), "from-elsewhere") or files).items():
                (folder / file).write_text(text)
        if variables.get("SMS_BRIDGE_SECRETS_DIR") == SECRETS:
            variables["SMS_BRIDGE_SECRETS_DIR"] = str(folder)
        return variables

    def secrets(self) -> Iterator[str]:
        """Yield every value in a Secret."""
        for one in self.all("Secret"):
            for text in one["stringData"].values():
                yield from text.split(",")

    def _data(self, kind: str, name: str) -> Mapping[str, str]:
        for one in self.all(kind):
            if one["metadata"]["name"] == name:
                data: Mapping[str, str] = one.get("data") or one["stringData"]
                return data
        return {}


class Refused(Exception):  # noqa: N818 - it is an answer
    """Helm doesn't take these values."""


class Chart:
    """Helm and the chart."""

    def __init__(self, helm: Path) -> None:
        self._helm = helm
        self._known: dict[str, Release] = {}

    def scenario(self, name: str) -> Release:
        """Return a scenario of `ci/`, rendered once."""
        if name not in self._known:
            self._known[name] = self.render(name)
        return self._known[name]

    def render(self, scenario: str, *more: str, release: str = "sms", **values: Any) -> Release:
        """Render a scenario with more arguments, and other values over it; a double underscore stands for a dot.

        Raises:
            Refused: Helm doesn't take the values.
        """
        return Release(self.run("template", scenario, *more, release=release, **values))

    def run(self, command: str, scenario: str, *more: str, release: str = "sms", **values: Any) -> str:
        """Return what helm prints.

        Raises:
            Refused: Helm doesn't take the values.
        """
        named = [] if command == "lint" else [release, "--namespace", NAMESPACE]
        arguments = [
            command,
            *named[:1],
            str(CHART_FOLDER),
            *named[1:],
            "--values",
            str(values_file(scenario)),
            *more,
        ]
        for name, value in values.items():
            arguments += ["--set-json", f"{name.replace('__', '.')}={json.dumps(value)}"]
        done = subprocess.run([self._helm, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
        if done.returncode:
            raise Refused(done.stderr + done.stdout)
        return done.stdout


def secret_sources(pod: Pod, volume: str = "secrets") -> list[Object]:
    """Return the Secrets of a pod's volume."""
    found = [one["projected"]["sources"] for one in pod.spec["volumes"] if one["name"] == volume]
    return [source["secret"] for sources in found for source in sources]


def fixed_fields(statefulset: Object) -> tuple[str, Object]:
    """Return a StatefulSet's name and the fields that Kubernetes doesn't allow to change."""
    spec = statefulset["spec"]
    changeable = {
        "replicas",
        "template",
        "updateStrategy",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "ordinals",
        "revisionHistoryLimit",
    }
    return statefulset["metadata"]["name"], {name: spec[name] for name in spec.keys() - changeable}


def values_file(scenario: str) -> Path:
    """Return a scenario's values file; a path is returned unchanged."""
    return Path(scenario) if "/" in scenario else CHART_FOLDER / "ci" / f"{scenario}-values.yaml"


def _pod(owner: Object) -> Pod:
    template = owner["spec"]["template"]
    return Pod(owner, template["metadata"]["labels"], template["metadata"].get("annotations", {}), template["spec"])


def _bare(pod: Object) -> Pod:
    return Pod(pod, pod["metadata"]["labels"], pod["metadata"].get("annotations", {}), pod["spec"])
