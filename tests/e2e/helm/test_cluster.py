"""The chart on a real API server: installed, switched, scaled, changed by hand, upgraded and removed.

`make k8s-test` builds the server and runs these tests; without it they are skipped.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.support.helm.chart import SCENARIOS, Refused
from tests.support.kubernetes.cluster import Cluster, wait_for
from tests.support.kubernetes.release import ClusterRelease

pytestmark = pytest.mark.long

ALL_AT_ONCE: dict[str, Any] = {"split": True, "tracker__receives": False}
"""A switch to two kinds of pods without waiting for the receivers."""

NUMBERS = count(1)


@pytest.fixture
def release(cluster: Cluster) -> Iterator[ClusterRelease]:
    """A release in a namespace of its own."""
    with cluster.namespace(f"test-{next(NUMBERS)}") as namespace:
        yield ClusterRelease(cluster, namespace)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_is_installed_and_removed(cluster: Cluster, scenario: str) -> None:
    """The API server takes every object without a warning, the pods too, and twice."""
    with cluster.namespace(f"scenario-{scenario}") as namespace:
        release = ClusterRelease(cluster, namespace, scenario)
        for _ in range(2):
            release.apply()
        assert not release.object("serviceaccounts", "sms-sms-bridge-topics"), "it is only for the Job"
        wait_for(release.pods, 60, "pods")
        release.remove()
        assert release.warnings == []


POLICY = {
    "metadata": {"name": "team-and-priority"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ]
        },
        "validations": [
            {
                "expression": "'team' in object.metadata.labels && object.spec.priorityClassName == 'high'"
                " && object.spec.serviceAccountName != 'default'",
                "message": "pods need a team, a priority and an account",
            }
        ],
    },
}
"""An admission policy of a platform team."""

RESTRICTED = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "x",
            "image": "x",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
"""A pod that only the policy refuses."""


def test_every_pod_satisfies_a_policy(cluster: Cluster) -> None:
    """Workloads, Job and test take the labels, the class and an account; without them, the policy refuses the pods."""
    group = "/apis/admissionregistration.k8s.io/v1"
    with cluster.namespace("policed") as namespace:
        selected = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        bound = {"policyName": "team-and-priority", "validationActions": ["Deny"], "matchResources": selected}
        cluster.create(f"{group}/validatingadmissionpolicies", POLICY)
        cluster.create(
            f"{group}/validatingadmissionpolicybindings",
            {"metadata": {"name": "team-and-priority"}, "spec": bound},
        )
        plain = {"metadata": {"name": "x", "labels": {"app": "x"}}, "spec": RESTRICTED}
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
        wait_for(lambda: "need a team" in cluster.explain_refusal(path, plain), 60, "the policy")
        release = ClusterRelease(cluster, namespace)
        values: dict[str, Any] = {"commonLabels": {"team": "messaging"}, "priorityClassName": "high"}
        release.apply(split=True, topicsJob__enabled=True, **values)
        release.wait_until_settled()
        release.test()
        release.apply(split=True, **values | {"priorityClassName": ""})
        with pytest.raises(Refused, match=r"team-and-priority.* denied request"):
            release.test()


@pytest.mark.parametrize("replicas", [1, 2])
def test_switching_split_keeps_callbacks_answered(release: ClusterRelease, replicas: int) -> None:
    """The same upgrade, twice, leads from one kind of pods to two and back, with endpoints at any time."""
    release.apply(tracker__replicas=replicas)
    release.wait_until_settled()
    with release.watch_endpoints() as ready:
        for split in (True, False):
            for _ in range(2):
                release.apply(tracker__replicas=replicas, split=split)
                release.wait_until_settled()
            kinds = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in release.pods()}
            assert kinds == ({"tracker", "receiver"} if split else {"tracker"})
    assert min(ready) >= 1, ready


def test_switching_at_once_would_interrupt_callbacks(release: ClusterRelease) -> None:
    """The test above sees an interruption, if there is one."""
    release.apply(tracker__replicas=1)
    release.wait_until_settled()
    with release.watch_endpoints() as ready:
        release.apply(tracker__replicas=1, **ALL_AT_ONCE)
        release.wait_until_settled()
    assert min(ready) == 0


SCALED: dict[str, Any] = {
    "split": True,
    "receiver__autoscaling": {"enabled": True, "maxReplicas": 20},
    "tracker__keda": {"enabled": True, "maxReplicas": 20},
}


def replicas_of(release: ClusterRelease) -> tuple[int, int]:
    """Return the numbers of trackers and receivers that are asked for."""
    tracker, receiver = release.workload("statefulsets"), release.workload("deployments", "-receivers")
    return tracker["spec"]["replicas"], receiver["spec"]["replicas"]


def test_autoscaling_keeps_the_number_of_pods(release: ClusterRelease) -> None:
    """Neither the switch nor upgrades after it, before and after somebody has scaled, reset it."""
    release.apply(split=True, tracker__replicas=6, receiver__replicas=6)
    release.wait_until_settled()
    for _ in range(3):
        release.apply(**SCALED)
        assert replicas_of(release) == (6, 6)
    for name in ("statefulset/sms-sms-bridge", "deployment/sms-sms-bridge-receivers"):
        release.kubectl("scale", name, "--replicas=8")
    for _ in range(3):
        release.apply(**SCALED, config={"DEXATEL__POLL": "never", "LOG__LEVEL": "debug"})
        assert replicas_of(release) == (8, 8)


FORBIDDEN = {
    "persistence__size": "20Gi",
    "persistence__storageClass": "fast",
    "persistence__accessModes": ["ReadWriteOncePod"],
    "persistence__enabled": False,
}


@pytest.mark.parametrize(("name", "value"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_forbidden_change_is_refused_beforehand(release: ClusterRelease, name: str, value: Any) -> None:
    """The line names the way, nothing has changed, and the way works without stopping a pod."""
    release.apply()
    release.wait_until_settled()
    before = release.object("configmaps", "sms-sms-bridge")["data"], [pod["metadata"]["uid"] for pod in release.pods()]
    changed = {name: value, "config": {"DEXATEL__POLL": "never", "LOG__LEVEL": "debug"}}
    with pytest.raises(Refused, match=f"{name.replace('__', '.')} is .*--cascade=orphan"):
        release.apply(**changed)
    assert release.object("configmaps", "sms-sms-bridge")["data"] == before[0]
    release.kubectl("delete", "statefulset", "sms-sms-bridge", "--cascade=orphan")
    assert [pod["metadata"]["uid"] for pod in release.pods()] == before[1]
    with release.watch_endpoints() as ready:
        release.apply(**changed)
        release.wait_until_settled()
    assert min(ready) >= 1
    owner = release.workload("statefulsets")["metadata"]["uid"]
    assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in release.pods()} == {owner}


def test_volumes_get_a_new_size_one_by_one(release: ClusterRelease) -> None:
    """Once the StatefulSet has it: as the operating guide says, without a moment in which nobody answers."""
    release.apply()
    release.wait_until_settled()
    release.kubectl("delete", "statefulset", "sms-sms-bridge", "--cascade=orphan")
    release.apply(persistence__size="20Gi")
    with release.watch_endpoints() as ready:
        for number in range(2):
            release.kubectl("delete", "pvc", f"state-sms-sms-bridge-{number}", "--wait=false")
            release.kubectl("delete", "pod", f"sms-sms-bridge-{number}")
            release.wait_until_settled()
    for number in range(2):
        volume = release.object("persistentvolumeclaims", f"state-sms-sms-bridge-{number}")
        assert volume["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert min(ready) >= 1


def test_equal_sizes_are_no_change(release: ClusterRelease) -> None:
    """Kubernetes writes quantities in its own form."""
    release.apply(persistence__size="5120Mi")
    release.apply(persistence__size="5Gi")


def test_change_by_hand_conflicts_until_forced(release: ClusterRelease) -> None:
    """As the operating guide says: the upgrade names the field, and can take it back."""
    release.apply()
    release.kubectl("scale", "statefulset/sms-sms-bridge", "--replicas=3")
    with pytest.raises(Refused, match=r'conflict with "kubectl".*\.spec\.replicas'):
        release.apply(tracker__replicas=2)
    release.apply(tracker__replicas=3)
    release.apply("--force-conflicts", tracker__replicas=2)
    assert release.workload("statefulsets")["spec"]["replicas"] == 2


def test_group_of_a_release_does_not_change_by_itself(release: ClusterRelease) -> None:
    """Its offsets belong to the group; the line names the value that keeps it."""
    release.apply(kafka__groupId="sms-bridge")
    with pytest.raises(Refused, match=r"set kafka\.groupId: sms-bridge"):
        release.apply()
    release.apply(kafka__groupId="other")


def test_secret_from_elsewhere_comes_before_the_job(release: ClusterRelease) -> None:
    """At the first installation, the Job finds what makes its Secret; upgrades and rollbacks keep it."""
    made = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "from-vault", "namespace": "{{ .Release.Namespace }}"},
        "spec": {"refreshInterval": "1h"},
    }
    values: dict[str, Any] = {"topicsJob__enabled": True, "existingSecret": "from-vault", "secrets": {}}
    release.apply(**values, preInstallObjects=[made])
    first = release.custom("external-secrets.io/v1", "externalsecrets", "from-vault")
    release.apply(**values, preInstallObjects=[{**made, "spec": {"refreshInterval": "2h"}}])
    later = release.custom("external-secrets.io/v1", "externalsecrets", "from-vault")
    assert later["metadata"]["uid"] == first["metadata"]["uid"]
    assert later["spec"]["refreshInterval"] == "2h"
    release.rollback()
    assert release.custom("external-secrets.io/v1", "externalsecrets", "from-vault")
