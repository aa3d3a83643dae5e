"""What all pods share, those of workloads, the Job and the test."""

import re
from typing import Any

import pytest

from tests.support.helm.chart import Chart, Pod

EVERYWHERE: dict[str, Any] = {
    "podLabels": {"example.com/team": "messaging"},
    "commonLabels": {"example.com/cost": "4711"},
    "podAnnotations": {"example.com/scan": "no"},
    "commonAnnotations": {"example.com/owner": "messaging"},
    "serviceAccount": {"name": "sms"},
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["kafka.example.com"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["192.0.2.53"]},
    "hostUsers": False,
    "tracker__nodeSelector": {"pool": "sms"},
    "receiver__nodeSelector": {"pool": "sms"},
    "tracker__tolerations": [{"key": "sms", "operator": "Exists"}],
    "receiver__tolerations": [{"key": "sms", "operator": "Exists"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
    "initContainers": [{"name": "wait", "image": "busybox"}],
}


@pytest.fixture
def pods(chart: Chart) -> list[Pod]:
    """Every kind of pod, with values for all of them."""
    found = chart.render("minimal", split=True, topicsJob__enabled=True, **EVERYWHERE).pods()
    assert {pod.owner["kind"] for pod in found} == {"StatefulSet", "Deployment", "Job", "Pod"}
    return found


def test_every_pod_follows_the_same_values(pods: list[Pod]) -> None:
    """Admission policies see the same labels, annotations, account and class on each pod."""
    for pod in pods:
        assert {"example.com/team", "example.com/cost"} <= pod.labels.keys(), pod.name
        assert {"example.com/scan", "example.com/owner"} <= pod.annotations.keys(), pod.name
        for field in ("priorityClassName", "runtimeClassName", "hostAliases", "dnsPolicy", "dnsConfig", "hostUsers"):
            assert pod.spec[field] == EVERYWHERE[field], (pod.name, field)
        assert pod.spec["nodeSelector"] == {"pool": "sms"}
        assert pod.spec["tolerations"] == [{"key": "sms", "operator": "Exists"}]
        assert pod.spec["initContainers"] == EVERYWHERE["initContainers"]
        assert {"name": "ca", "configMap": {"name": "ca"}} in pod.spec["volumes"]
        assert pod.main["volumeMounts"][-1]["mountPath"] == "/ca"


def test_every_pod_has_its_account(pods: list[Pod]) -> None:
    """The Job runs before the release's account exists, so it has one of its own with the same annotations."""
    accounts = {pod.owner["kind"]: pod.spec["serviceAccountName"] for pod in pods}
    assert accounts.pop("Job") == "sms-sms-bridge-topics"
    assert set(accounts.values()) == {"sms"}


def test_job_has_the_role_of_the_pods(chart: Chart) -> None:
    """Annotations such as a cloud role are copied to the Job's account."""
    release = chart.render("minimal", topicsJob__enabled=True, serviceAccount__annotations={"role": "arn"})
    assert release.one("ServiceAccount", "-topics")["metadata"]["annotations"]["role"] == "arn"


@pytest.mark.parametrize(
    ("values", "account"),
    [
        ({"serviceAccount": {"create": False, "name": "mine"}}, "mine"),
        ({"topicsJob__serviceAccountName": "for-topics"}, "for-topics"),
    ],
)
def test_job_can_use_an_existing_account(chart: Chart, values: dict[str, Any], account: str) -> None:
    """Then the chart creates none for it."""
    release = chart.render("minimal", topicsJob__enabled=True, **values)
    assert release.one("Job")["spec"]["template"]["spec"]["serviceAccountName"] == account
    assert "sms-sms-bridge-topics" not in {one["metadata"]["name"] for one in release.all("ServiceAccount")}


def test_once_pods_take_labels_of_their_own(chart: Chart) -> None:
    """A service mesh can be told to leave them alone."""
    quiet = {"sidecar.istio.io/inject": "false"}
    release = chart.render("minimal", topicsJob={"enabled": True, "podLabels": quiet}, tests__podLabels=quiet)
    for pod in release.pods():
        assert ("sidecar.istio.io/inject" in pod.labels) == (pod.owner["kind"] != "StatefulSet")


OVERRULED = {
    "SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "other:9092",
    "SMS_BRIDGE_LOG__FORMAT": "text",
    "SMS_BRIDGE_KAFKA__GROUP_INSTANCE_ID": "mine",
    "SMS_BRIDGE_DEXATEL__CALLBACK_SECRETS": "from-elsewhere-0001",
}


def test_extra_variables_replace_those_of_the_chart(chart: Chart) -> None:
    """A name in `extraEnv` is in no ConfigMap, no Secret and nowhere twice."""
    extra = [{"name": name, "value": value} for name, value in OVERRULED.items()]
    release = chart.render("minimal", extraEnv=extra, topicsJob__enabled=True, tracker__staticMembership=True)
    for pod in release.pods():
        names = [one["name"] for one in pod.main["env"]]
        assert len(names) == len(set(names)), pod.name
        assert {one["name"]: one["value"] for one in pod.main["env"] if one["name"] in OVERRULED} == OVERRULED
    for one in release.all("ConfigMap", "Secret"):
        assert not OVERRULED.keys() & (one.get("data") or one.get("stringData") or {}).keys()


@pytest.mark.parametrize(("enabled", "limit"), [(True, "512Mi"), (False, str((512 + 5 * 1024) * 2**20))])
def test_local_cache_counts_as_ephemeral_storage(chart: Chart, enabled: bool, limit: str) -> None:  # noqa: FBT001 - a table's column
    """Otherwise a pod would be evicted when its cache grows to the size that it may have."""
    (pod,) = chart.render("minimal", persistence__enabled=enabled).services()
    assert pod.main["resources"]["limits"]["ephemeral-storage"] == limit
    assert pod.main["resources"]["requests"]["ephemeral-storage"] == "64Mi"


@pytest.mark.parametrize(("limit", "total"), [("1Gi", 6 * 2**30), (2**30, 6 * 2**30), ("1G", 10**9 + 5 * 2**30)])
def test_limit_may_have_any_form(chart: Chart, limit: str | int, total: int) -> None:
    """Quantities are numbers, or texts with a unit."""
    resources = {"limits": {"ephemeral-storage": limit}}
    (pod,) = chart.render("minimal", persistence__enabled=False, tracker__resources=resources).services()
    assert pod.main["resources"]["limits"]["ephemeral-storage"] == str(total)


def test_secrets_cannot_be_guessed_from_their_checksum(chart: Chart) -> None:
    """It changes with the secrets, and differs between releases that have the same ones."""

    def checksum(release: str, secret: str) -> str:
        (pod,) = chart.render("minimal", release=release, secrets={"DEXATEL__CALLBACK_SECRETS": secret * 16}).services()
        return pod.annotations["checksum/secret"]

    first = checksum("one", "x")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first == checksum("one", "x")
    assert len({first, checksum("one", "y"), checksum("two", "x")}) == 3
