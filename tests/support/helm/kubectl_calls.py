"""Checks calls of kubectl and helm against a rendered chart: objects, labels, containers, ports, options, values."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from tests.support.helm.binaries import helm, kubectl
from tests.support.helm.chart import Chart, Object, Pod, Release
from tests.support.paths import ROOT

KINDS = {
    "pods": "Pod",
    "pod": "Pod",
    "statefulset": "StatefulSet",
    "deployment": "Deployment",
    "configmap": "ConfigMap",
    "secret": "Secret",
    "ingress": "Ingress",
    "networkpolicy": "NetworkPolicy",
    "servicemonitor": "ServiceMonitor",
    "scaledobject": "ScaledObject",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "pvc": "PersistentVolumeClaim",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "endpointslices": "EndpointSlice",
}
IN_PROC = "/proc/"


class Named(NamedTuple):
    """An object as kubectl sees it: what is rendered, and what controllers make of that."""

    kind: str
    name: str
    labels: Mapping[str, str]


def list_objects(release: Release) -> Iterator[Named]:
    """List a release's objects, with the pods, claims and slices that controllers make."""
    for one in release.objects:
        labels = one["metadata"].get("labels", {})
        yield Named(one["kind"], one["metadata"]["name"], labels)
        if one["kind"] == "Service":
            service = {"kubernetes.io/service-name": one["metadata"]["name"]}
            yield Named("EndpointSlice", f"{one['metadata']['name']}-abcde", labels | service)
    for pod in release.services():
        yield from _list_pods(pod)


def _list_pods(pod: Pod) -> Iterator[Named]:
    name, spec = pod.owner["metadata"]["name"], pod.owner["spec"]
    for number in range(spec.get("replicas", 1)):
        own = f"{name}-{number}" if pod.owner["kind"] == "StatefulSet" else f"{name}-7d9f-{number}"
        yield Named("Pod", own, pod.labels)
        for claim in spec.get("volumeClaimTemplates", []):
            yield Named("PersistentVolumeClaim", f"{claim['metadata']['name']}-{own}", spec["selector"]["matchLabels"])


class CallChecker:
    """Checks calls against a release, and what that doesn't have against the one with everything.

    Args:
        chart: Renders the values that helm is given.
        scenario: The values of the release.
        release: Its name.
        namespace: Its namespace.
    """

    def __init__(self, chart: Chart, scenario: str, release: str, namespace: str) -> None:
        self._chart, self._scenario, self._namespace = chart, scenario, namespace
        self._release, self._name = chart.render(scenario, release=release), release
        self._everything = chart.render("everything", release=release)
        self._copies: set[str] = set()
        """Pods that an earlier call has made."""

    def check(self, words: list[str]) -> list[str]:
        """Check a call, and return the command that it runs in a container, if it does."""
        program, *arguments = words
        if program == "helm":
            self._check_helm(arguments)
        elif program == "kubectl":
            return self._check_kubectl(arguments)
        return []

    def _check_kubectl(self, words: list[str]) -> list[str]:
        assert_kubectl_accepts(tuple(words))
        words, inner = _split(words, "--")
        if "--all-namespaces" not in words:
            assert words[:2] == ["-n", self._namespace], words
            words = words[2:]
        verb, *rest = words
        if verb == "rollout":
            _, *rest = rest
        options = _read_options(rest)
        if verb in {"exec", "logs", "debug"}:
            assert options.get("-c") == "sms-bridge", words
        self._copies |= {f"pod/{word.removeprefix('--copy-to=')}" for word in rest if word.startswith("--copy-to=")}
        for name in _list_targets(verb, rest):
            if name not in self._copies:
                self._find(name, options)
        if verb == "port-forward":
            [port] = (int(word) for word in rest if word.isdigit())
            ports = {one["containerPort"] for pod in self._release.services() for one in pod.main["ports"]}
            assert port in ports, words
        for path in (word for word in inner if word.startswith("/")):
            self._check_path(path)
        return inner

    def _find(self, target: str, options: Mapping[str, str]) -> None:
        """Find objects of a name or with labels, or fail."""
        kinds, _, name = target.partition("/")
        for kind in kinds.split(","):
            assert kind in KINDS, kind
            found = [one for one in list_objects(self._release) if one.kind == KINDS[kind]]
            found = found or [one for one in list_objects(self._everything) if one.kind == KINDS[kind]]
            wanted = dict(pair.split("=") for pair in options["-l"].split(",")) if "-l" in options else {}
            assert name or wanted, target
            found = [one for one in found if wanted.items() <= one.labels.items() and name in {"", one.name}]
            assert found, (kind, name, wanted)

    def _check_path(self, path: str) -> None:
        """Check that a file can be in a container: in one of its volumes."""
        pods = [*self._release.services(), *self._everything.services()]
        mounts = {one["mountPath"] for pod in pods for one in pod.main["volumeMounts"]}
        assert path.startswith((IN_PROC, *mounts)), path

    def _check_helm(self, words: list[str]) -> None:
        assert words[:2] == ["-n", self._namespace], words
        verb, name, *rest = words[2:]
        assert name == self._name
        options = [word.partition("=")[0] for word in rest if word.startswith("--")]
        assert [word for word in options if f"{word} " not in read_help(verb)] == []
        if verb == "upgrade":
            assert (ROOT / rest[0] / "Chart.yaml").exists()
            values = [word for word in rest[1:] if word != "--reset-then-reuse-values"]
            assert self._chart.render(self._scenario, *values, release=name).services()
            assert values, words


@cache
def assert_kubectl_accepts(words: tuple[str, ...]) -> None:
    """Assert that kubectl fails only when it connects."""
    asked = [str(kubectl()), "--server", "http://127.0.0.1:1", *words]
    said = subprocess.run(asked, capture_output=True, text=True, check=False, env={"KUBECONFIG": "/dev/null"})  # noqa: S603 - a fixed program
    assert "The connection to the server 127.0.0.1:1 was refused" in said.stderr, said.stderr


@cache
def read_help(verb: str) -> str:
    """Return what helm says of a command."""
    return subprocess.run([helm(), verb, "--help"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - a fixed program


def _split(words: list[str], at: str) -> tuple[list[str], list[str]]:
    index = words.index(at) if at in words else len(words)
    return words[:index], words[index + 1 :]


def _read_options(words: list[str]) -> dict[str, str]:
    """Read the options that have their value in the next word."""
    return {word: words[number + 1] for number, word in enumerate(words) if word in {"-l", "-c", "-o", "-L"}}


def _list_targets(verb: str, words: list[str]) -> Iterator[str]:
    """List what a call is about: `kind/name`, or `kind` where labels select."""
    values = set(_read_options(words).values())
    plain = [word for word in words if not word.startswith("-") and word not in values and not word.isdigit()]
    if verb in {"exec", "logs"}:
        yield from (word if "/" in word else f"pod/{word}" for word in plain) if plain else ["pods"]
    elif len(plain) == 2 and "/" not in plain[0]:
        yield "/".join(plain)
    else:
        yield from plain


def knows_value(schema: Mapping[str, Any], path: str) -> bool:
    """Return whether the chart's schema has a value."""
    place: Object = schema
    for part in path.split("."):
        pattern = next((one for name, one in place.get("patternProperties", {}).items() if re.search(name, part)), None)
        if part in place.get("properties", {}):
            place = place["properties"][part]
        elif isinstance(pattern, dict):
            place = pattern
        else:
            return False
    return True
