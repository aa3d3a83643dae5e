"""A fixture: a control plane of Kubernetes, without nodes."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.support.kubernetes.cluster import Cluster, Object, wait_for
from tests.support.kubernetes.pods import Kubelet
from tests.support.kubernetes.programs import Unavailable

CUSTOM = {
    "monitoring.coreos.com/v1": ("ServiceMonitor", "PrometheusRule"),
    "gateway.networking.k8s.io/v1": ("HTTPRoute",),
    "keda.sh/v1alpha1": ("ScaledObject", "TriggerAuthentication"),
    "external-secrets.io/v1": ("ExternalSecret",),
    "kafka.strimzi.io/v1": ("KafkaUser",),
}
"""Kinds of operators, which the scenarios use; here they take any members."""


def define(kind: str, api_version: str) -> Object:
    """Return a definition of a custom kind without a schema."""
    group, version = api_version.split("/")
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Groups of Kubernetes ask for this annotation.
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with the kinds of operators, and something that makes pods ready."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(Cluster(tmp_path_factory.mktemp("kubernetes")))
        except Unavailable as reason:
            pytest.skip(str(reason))
        for api_version, kinds in CUSTOM.items():
            for kind in kinds:
                running.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", define(kind, api_version))
        high = {"metadata": {"name": "high"}, "value": 1000}
        running.create("/apis/scheduling.k8s.io/v1/priorityclasses", high)
        runtime = {"metadata": {"name": "gvisor"}, "handler": "runsc"}
        running.create("/apis/node.k8s.io/v1/runtimeclasses", runtime)
        for api_version, kinds in CUSTOM.items():
            wait_for(partial(running.get, f"/apis/{api_version}"), 30, ", ".join(kinds))
        stack.enter_context(Kubelet(running))
        yield running
