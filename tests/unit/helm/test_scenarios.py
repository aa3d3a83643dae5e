"""Rules for every object in every scenario of `ci/`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.accounts import build_accounts
from bridge.settings.loading import load_settings
from tests.support.helm.chart import NAMESPACE, SCENARIOS, Chart, Object, Release, values_file
from tests.support.helm.pod_security import violations

KUBERNETES = "1.36"
OPERATORS = {
    "ScaledObject",
    "TriggerAuthentication",
    "ServiceMonitor",
    "PrometheusRule",
    "HTTPRoute",
    "ExternalSecret",
    "KafkaUser",
}
"""Kinds that come with an operator, not with Kubernetes."""

MARK = "only-for-tests"
"""Stands in every secret of the scenarios."""

NAMES = {"sms", "sms-bridge"}
"""Of users: kept with the secrets, but none."""

pytestmark = pytest.mark.parametrize("scenario", SCENARIOS)


def test_lint_finds_nothing(chart: Chart, scenario: str) -> None:
    """`helm lint` reports no error or warning."""
    assert "0 chart(s) failed" in chart.run("lint", scenario, "--strict")


@pytest.fixture(scope="module")
def kubernetes() -> Any:
    """The schemas of Kubernetes, each read once."""
    module = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate isn't installed (make setup)")
    module.utils.schema_contents = cache(module.utils.schema_contents)
    return module


def test_kubernetes_accepts_every_object(release: Release, scenario: str, kubernetes: Any) -> None:
    """Each object passes strict schema validation."""
    for one in release.objects:
        if one["kind"] not in OPERATORS:
            kubernetes.validate(one, KUBERNETES, strict=True)


def test_pods_satisfy_restricted(release: Release, scenario: str) -> None:
    """Each pod is allowed by Pod Security `restricted`: read-only root, numeric user."""
    for pod in release.pods():
        assert list(violations(pod.spec)) == [], pod.name
        assert pod.spec["securityContext"]["runAsUser"] > 0
        assert pod.spec["automountServiceAccountToken"] is False
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_containers_have_requests_and_limits(release: Release, scenario: str) -> None:
    """Each container has requests and a memory limit."""
    for pod in release.pods():
        for container in pod.containers:
            for kind in ("requests", "limits"):
                assert container["resources"][kind].keys() >= {"cpu", "memory"}, f"{pod.name} {kind}"


def test_service_accepts_its_variables(release: Release, scenario: str, tmp_path: Path) -> None:
    """The service starts with the variables that the chart sets."""
    for number, pod in enumerate(release.pods()):
        folder = tmp_path / str(number)
        folder.mkdir()
        settings = load_settings(release.environment(pod, folder))
        assert build_accounts(settings), pod.name
        assert (settings.http.port, settings.admin.port) == (8080, 9090)


def test_service_links_are_disabled(release: Release, scenario: str) -> None:
    """Otherwise a Service named sms-bridge would add SMS_BRIDGE_PORT, which the bridge refuses."""
    assert all(pod.spec["enableServiceLinks"] is False for pod in release.pods())


def test_secrets_are_only_in_secrets(release: Release, scenario: str) -> None:
    """No ConfigMap, pod or annotation contains a secret."""
    assert all(MARK in secret or secret in NAMES for secret in release.secrets())
    for one in release.objects:
        assert one["kind"] == "Secret" or MARK not in json.dumps(one), one["metadata"]["name"]


def test_notes_show_urls_without_secrets(chart: Chart, release: Release, scenario: str) -> None:
    """The notes after an install say what to enter at the providers, and contain no secret."""
    told = chart.run("install", scenario, "--dry-run=client", "--hide-secret")
    notes = told.partition("NOTES:")[2]
    secrets = yaml.safe_load(values_file(scenario).read_text()).get("secrets") or {}
    providers = {name.split("__")[0].lower() for name in secrets if name.endswith("CALLBACK_SECRETS")}
    for provider in providers or {"provider"}:
        assert f"/dlr/{provider}/SECRET" in notes
        assert "_CALLBACK_SECRETS}' | base64" in notes
    assert MARK not in notes


def test_ingress_leads_to_callbacks_only(release: Release, scenario: str) -> None:
    """Metrics and probes can't be reached from outside."""
    public = release.one("Service", "-bridge")
    assert [port["targetPort"] for port in public["spec"]["ports"]] == ["http"]
    for pod in release.selected(public["spec"]["selector"]):
        ports = {port["name"]: port["containerPort"] for port in pod.main["ports"]}
        assert ports == {"http": 8080, "admin": 9090}
    for backend, path in _ways_in(release):
        assert (backend, path) == (public["metadata"]["name"], "/dlr")


def _ways_in(release: Release) -> list[tuple[str, str]]:
    found = []
    for one in release.all("Ingress"):
        for rule in one["spec"]["rules"]:
            found += [(path["backend"]["service"]["name"], path["path"]) for path in rule["http"]["paths"]]
    for one in release.all("HTTPRoute"):
        for rule in one["spec"]["rules"]:
            (backend,), (match,) = rule["backendRefs"], rule["matches"]
            found.append((backend["name"], match["path"]["value"]))
    return found


def test_probes_use_the_admin_port(release: Release, scenario: str) -> None:
    """Liveness, readiness and startup are probed, and pods get time to drain."""
    for pod in release.services():
        probes = [(pod.main[f"{kind}Probe"]["httpGet"]) for kind in ("startup", "liveness", "readiness")]
        assert [probe["path"] for probe in probes] == ["/livez", "/livez", "/readyz"]
        assert {probe["port"] for probe in probes} == {"admin"}
        assert pod.spec["terminationGracePeriodSeconds"] == 30


def test_every_selector_finds_pods(release: Release, scenario: str) -> None:
    """Services, budgets, policies and spreads select existing pods, and never those of jobs."""
    stays = {pod.name for pod in release.services()}
    for one in release.all("Service"):
        found = {pod.name for pod in release.selected(one["spec"]["selector"])}
        assert found, one["metadata"]["name"]
        assert found <= stays
    for one in release.all("PodDisruptionBudget"):
        assert len(release.selected(one["spec"]["selector"]["matchLabels"])) == 1
    for pod in release.services():
        assert pod.owner["spec"]["selector"]["matchLabels"].items() <= pod.labels.items()
        for spread in pod.spec["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"].items() <= pod.labels.items()


def test_every_mount_has_its_volume(release: Release, scenario: str) -> None:
    """Each volume mount refers to a volume of its pod."""
    for pod in release.pods():
        claimed = {claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in pod.spec["volumes"]} | claimed
        for container in pod.containers:
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes, pod.name


def test_objects_have_namespace_and_labels(release: Release, scenario: str) -> None:
    """Each object is in the release's namespace and has its labels."""
    for one in release.objects:
        assert one["metadata"]["namespace"] == NAMESPACE
        if not _is_extra(one):
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "sms"


def _is_extra(one: Object) -> bool:
    return one["kind"] in {"ExternalSecret", "KafkaUser"} or str(one["metadata"]["name"]).endswith("-extra")
