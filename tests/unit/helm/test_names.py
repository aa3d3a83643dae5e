"""Names of releases, images and groups that would collide or be refused by Kubernetes."""

import re
from typing import Any

import pytest

from tests.support.helm.chart import Chart

DIGEST = f"sha256:{64 * 'a'}"
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")

RELEASES = ["sms", "sms.prod", "1", "4711-sms", f"{'x' * 47}-blue", "a"]


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_name_makes_valid_names(chart: Chart, release: str) -> None:
    """Helm allows dots, leading digits and 53 characters; names of Services don't."""
    for one in chart.render("everything", release=release).objects:
        name = one["metadata"]["name"]
        assert DNS_LABEL.fullmatch(name), name
        for label, value in one["metadata"].get("labels", {}).items():
            assert isinstance(value, str), label
            assert len(value) <= 63, label


@pytest.mark.parametrize(
    "pair",
    [
        ("payments-notifications-production-eu-blue", "payments-notifications-production-eu-green"),
        ("sms.prod", "sms-prod"),
        ("1", "r1"),
    ],
)
def test_different_releases_have_different_names(chart: Chart, pair: tuple[str, str]) -> None:
    """What is cut or replaced is told apart by a hash."""
    first, second = (chart.render("minimal", release=release).one("StatefulSet") for release in pair)
    assert first["metadata"]["name"] != second["metadata"]["name"]


def test_short_names_are_kept(chart: Chart) -> None:
    """Only a name that must be changed gets a hash."""
    names = {
        (release, override): chart.render("minimal", release=release, fullnameOverride=override).one("StatefulSet")
        for release, override in (("sms", ""), ("my-sms-bridge", ""), ("sms", "callbacks"))
    }
    found = [one["metadata"]["name"] for one in names.values()]
    assert found == ["sms-sms-bridge", "my-sms-bridge", "callbacks"]


@pytest.mark.parametrize(
    ("values", "image", "version"),
    [
        ({"tag": "1.2.3"}, "sms-bridge:1.2.3", "1.2.3"),
        ({"tag": f"1.2.3@{DIGEST}"}, f"sms-bridge:1.2.3@{DIGEST}", "1.2.3"),
        ({"tag": "1.2.3", "digest": DIGEST}, f"sms-bridge@{DIGEST}", "1.2.3"),
        ({"tag": "1.2.3-"}, "sms-bridge:1.2.3-", "1.2.3"),
        ({"registry": "registry.example.com", "tag": "1"}, "registry.example.com/sms-bridge:1", "1"),
    ],
)
def test_image_and_version_label(chart: Chart, values: dict[str, str], image: str, version: str) -> None:
    """A tag may have a digest; the label doesn't."""
    release = chart.render("minimal", image=values)
    assert {pod.main["image"] for pod in release.pods()} == {image}
    assert release.one("StatefulSet")["metadata"]["labels"]["app.kubernetes.io/version"] == version


def test_global_registry_and_pull_secrets(chart: Chart) -> None:
    """The values that all charts of a platform share apply here, too."""
    shared: Any = {"imageRegistry": "mirror.example.com", "imagePullSecrets": ["mirror", {"name": "own"}]}
    release = chart.render(
        "minimal", **{"global": shared}, image__registry="registry.example.com", imagePullSecrets=[{"name": "own"}]
    )
    for pod in release.pods():
        assert pod.main["image"].startswith("mirror.example.com/sms-bridge:")
        assert pod.spec["imagePullSecrets"] == [{"name": "mirror"}, {"name": "own"}]


@pytest.mark.parametrize(("values", "group"), [({}, "blue"), ({"kafka__groupId": "sms-bridge"}, "sms-bridge")])
def test_group_is_named_after_the_release(chart: Chart, values: dict[str, Any], group: str) -> None:
    """Two releases on one Kafka don't share a consumer group unless they are told to."""
    release = chart.render("minimal", release="blue", split=True, tracker__keda__enabled=True, **values)
    assert release.one("ConfigMap", "-bridge")["data"]["SMS_BRIDGE_KAFKA__GROUP_ID"] == group
    assert release.one("ScaledObject")["spec"]["triggers"][0]["metadata"]["consumerGroup"] == f"{group}.tracker"


def test_extra_labels_are_kept_apart(chart: Chart) -> None:
    """Labels of values join those of the chart, without a duplicate key."""
    release = chart.render("minimal", commonLabels={"app.kubernetes.io/version": "of-ours", "team": "messaging"})
    for one in release.objects:
        if one["kind"] != "Pod":
            assert one["metadata"]["labels"]["app.kubernetes.io/version"] == "of-ours"
            assert one["metadata"]["labels"]["team"] == "messaging"
