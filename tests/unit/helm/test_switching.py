"""Sequences of releases: at each step somebody answers callbacks, and Kubernetes allows the change."""

from itertools import pairwise
from typing import Any

import pytest

from tests.support.helm.chart import Chart, Pod, Release, fixed_fields

ONE: dict[str, Any] = {"split": False}
BOTH: dict[str, Any] = {"split": True, "tracker__receives": True}
TWO: dict[str, Any] = {"split": True}


def answering(release: Release) -> dict[str, Pod]:
    """Return the pods to which the Service sends callbacks, by the name of their workload."""
    pods = release.selected(release.one("Service", "-bridge")["spec"]["selector"])
    return {pod.name: pod for pod in pods if "http" in {port["name"] for port in pod.main["ports"]}}


@pytest.mark.parametrize("steps", [(ONE, BOTH, TWO), (TWO, BOTH, ONE)], ids=["to two kinds", "to one kind"])
def test_switch_never_leaves_callbacks_without_pods(chart: Chart, steps: tuple[dict[str, Any], ...]) -> None:
    """In each step, pods that answered callbacks before go on, and are not even restarted."""
    for before, after in pairwise(chart.render("minimal", **values) for values in steps):
        old, new = answering(before), answering(after)
        assert [name for name in old.keys() & new.keys() if old[name].spec == new[name].spec], (old, new)


@pytest.mark.parametrize("values", [ONE, BOTH, TWO], ids=["one kind", "both", "two kinds"])
def test_only_pods_that_answer_are_selected(chart: Chart, values: dict[str, Any]) -> None:
    """The Service and the policy for callbacks select the pods with that role, no others."""
    release = chart.render("minimal", **values)
    receiving = {pod.name for pod in release.services() if "receive" in pod.main["args"][-1].split(",")}
    policy = release.one("NetworkPolicy", "-callbacks")["spec"]["podSelector"]["matchLabels"]
    for selector in (release.one("Service", "-bridge")["spec"]["selector"], policy):
        assert {pod.name for pod in release.selected(selector)} == receiving


def test_switching_keeps_the_statefulset(chart: Chart) -> None:
    """Its immutable fields don't change, so that the upgrade is accepted and volumes stay."""
    first, *others = (fixed_fields(chart.render("minimal", **values).one("StatefulSet")) for values in (ONE, BOTH, TWO))
    assert others == [first, first]
