"""The effect of single values: roles, scaling, secrets, optional objects."""

import json
from typing import Any

import pytest

from tests.support.helm.chart import Chart, Pod, Release, fixed_fields, secret_sources


def roles(pod: Pod) -> set[str]:
    """Return the roles of a pod's service."""
    command: list[str] = pod.main["args"]
    assert command[:2] == ["run", "--roles"]
    return set(command[2].split(","))


def test_default_is_one_statefulset(chart: Chart) -> None:
    """Its pods have every role."""
    (pod,) = chart.scenario("minimal").services()
    assert pod.owner["kind"] == "StatefulSet"
    assert roles(pod) == {"intake", "receive", "track", "poll"}


def test_split_roles_are_complete(chart: Chart) -> None:
    """Receivers take callbacks, trackers have all other roles."""
    release = chart.scenario("split")
    tracker, receiver = release.services()[0], release.services()[1]
    if tracker.owner["kind"] == "Deployment":
        tracker, receiver = receiver, tracker
    assert roles(receiver) == {"receive"}
    assert roles(tracker) == {"intake", "track", "poll"}
    assert release.selected(release.one("Service", "-bridge")["spec"]["selector"]) == [receiver]
    assert [port["name"] for port in tracker.main["ports"]] == ["admin"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"tracker__replicas": 4}, "none"),
        ({"tracker__replicas": 4, "config": {"STATE__STANDBY": "all"}}, "all"),
    ],
)
def test_many_trackers_keep_no_standbys(chart: Chart, values: dict[str, Any], expected: str | None) -> None:
    """Each would read the states of all the others."""
    variables = chart.render("minimal", **values).one("ConfigMap", "-bridge")["data"]
    assert variables.get("SMS_BRIDGE_STATE__STANDBY") == expected


def test_upgrade_keeps_immutable_fields(chart: Chart) -> None:
    """No change of chart, image, settings or resources needs a StatefulSet to be deleted."""
    first = chart.scenario("minimal").one("StatefulSet")
    other = chart.render("minimal", image__tag="9.9.9", tracker__replicas=5, podLabels={"a": "b"})
    assert fixed_fields(first) == fixed_fields(other.one("StatefulSet"))
    assert chart_label(first) not in str(fixed_fields(first))


def chart_label(one: Any) -> str:
    """Return the label with chart and version."""
    return str(one["metadata"]["labels"]["helm.sh/chart"])


@pytest.mark.parametrize(
    ("values", "static"),
    [
        ({}, False),
        ({"tracker__replicas": 4}, True),
        ({"tracker__replicas": 4, "tracker__staticMembership": False}, False),
        ({"tracker__staticMembership": True}, True),
    ],
)
def test_partitions_are_kept_where_nobody_else_has_a_cache(
    chart: Chart,
    values: dict[str, Any],
    static: bool,  # noqa: FBT001 - a table's column
) -> None:
    """With standbys, a tracker leaves its group when it stops, and another one goes on at once."""
    (pod,) = chart.render("minimal", **values).services()
    names = {one["name"] for one in pod.main.get("env", [])}
    assert ("SMS_BRIDGE_KAFKA__GROUP_INSTANCE_ID" in names) == static


def test_members_are_named_after_their_pod(chart: Chart) -> None:
    """A tracker is a static group member; a receiver, whose name is random, is not."""
    for pod in chart.scenario("everything").services():
        names = {one["name"]: one for one in pod.main.get("env", [])}
        member = names.get("SMS_BRIDGE_KAFKA__GROUP_INSTANCE_ID")
        assert bool(member) == (pod.owner["kind"] == "StatefulSet")
        assert member is None or member["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        ({"config__LOG__LEVEL": "debug"}, True),
        ({"secrets__DEXATEL__CALLBACK_SECRETS": "only-for-tests-0009"}, True),
        ({"kafka__compression": "zstd"}, True),
        ({"ingress": {"enabled": True, "host": "sms.example.com"}}, False),
        ({"serviceMonitor__enabled": True}, False),
    ],
    ids=["setting", "secret", "kafka", "ingress", "monitor"],
)
def test_pods_restart_for_changed_settings(chart: Chart, values: dict[str, Any], changed: bool) -> None:  # noqa: FBT001 - a table's column
    """A change of settings or secrets restarts the pods; other changes don't."""
    options = [f"--set-json={name.replace('__', '.', 1)}={json.dumps(value)}" for name, value in values.items()]
    (before,) = chart.scenario("minimal").services()
    (after,) = Release(chart.run("template", "minimal", *options)).services()
    assert (before.annotations != after.annotations) == changed
    assert changed or before.spec == after.spec


def test_existing_secret_is_mounted(chart: Chart) -> None:
    """Its keys are read as files, and the chart creates no Secret."""
    release = chart.scenario("existing-secret")
    assert release.all("Secret") == []
    for pod in release.pods():
        assert [source["name"] for source in secret_sources(pod)] == ["sms-bridge-secrets"]
        assert pod.main["volumeMounts"][-1]["readOnly"] is True


def test_kafka_certificates_are_mounted(chart: Chart) -> None:
    """The paths in the variables are files of the mounted secret."""
    release = chart.scenario("sasl-tls")
    data = release.one("ConfigMap")["data"]
    assert data["SMS_BRIDGE_KAFKA__SECURITY_PROTOCOL"] == "SASL_SSL"
    for pod in release.pods():
        mounts = {mount["name"]: mount["mountPath"] for mount in pod.main["volumeMounts"]}
        for name, file in (("SSL_CAFILE", "ca.crt"), ("SSL_CERTFILE", "tls.crt"), ("SSL_KEYFILE", "tls.key")):
            assert data[f"SMS_BRIDGE_KAFKA__{name}"] == f"{mounts['kafka-tls']}/{file}"


def test_oauth_client_is_configured(chart: Chart) -> None:
    """The service, the job and KEDA get the same client, and may connect to the OAuth server."""
    release = chart.scenario("oauth")
    data = release.one("ConfigMap", "-bridge")["data"]
    assert data["SMS_BRIDGE_KAFKA__OAUTH__TOKEN_URL"] == "https://login.example.com:8443/realms/messaging/token"
    assert data["SMS_BRIDGE_KAFKA__OAUTH__CLIENT_ID"] == "sms-bridge"
    assert "SMS_BRIDGE_KAFKA__OAUTH__CA_FILE" not in data
    spec = release.one("TriggerAuthentication")["spec"]
    assert {one["parameter"] for one in spec["configMapTargetRef"]} == {"username", "oauthTokenEndpointUri", "scopes"}
    assert all(one["key"] in data for one in spec["configMapTargetRef"])
    assert [one["parameter"] for one in spec["secretTargetRef"]] == ["password"]
    assert spec["secretTargetRef"][0]["key"] in release.one("Secret", "-bridge")["stringData"]
    for policy in release.all("NetworkPolicy"):
        if "Egress" in policy["spec"]["policyTypes"]:
            assert 8443 in ports(policy["spec"]["egress"])


def test_msk_needs_no_secret(chart: Chart) -> None:
    """The role of the service account is enough."""
    sasl = {"enabled": True, "mechanism": "AWS_MSK_IAM", "awsRegion": "eu-west-1"}
    data = chart.render("minimal", kafka__sasl=sasl).one("ConfigMap")["data"]
    assert data["SMS_BRIDGE_KAFKA__SASL_MECHANISM"] == "AWS_MSK_IAM"
    assert data["SMS_BRIDGE_KAFKA__AWS_REGION"] == "eu-west-1"


def test_topics_job_is_self_contained(chart: Chart) -> None:
    """It runs before the release's other objects exist, so it refers to none of them."""
    release = chart.scenario("sasl-tls")
    job = release.one("Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["args"] == ["topics", "--apply"]
    assert "envFrom" not in container
    (pod,) = (pod for pod in release.pods() if pod.owner is job)
    (secret,) = (source["name"] for source in secret_sources(pod))
    for kind, name in (("Secret", secret), ("ServiceAccount", spec["serviceAccountName"])):
        hook = release.one(kind, "-topics")["metadata"]
        assert hook["name"] == name
        assert hook["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        weights = [int(one["annotations"]["helm.sh/hook-weight"]) for one in (hook, job["metadata"])]
        assert weights[0] < weights[1]


def test_test_pod_changes_nothing(chart: Chart) -> None:
    """`helm test` only reads."""
    pod = chart.scenario("minimal").one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["check"]
    # It looks whether the cache's folder can be written; here it is one of its own.
    assert {"name": "state", "mountPath": "/var/lib/sms-bridge"} in container["volumeMounts"]
    assert {"name": "state", "emptyDir": {"sizeLimit": "16Mi"}} in pod["spec"]["volumes"]


def test_autoscaler_controls_replicas(chart: Chart) -> None:
    """An upgrade doesn't reset the number of replicas."""
    release = chart.scenario("everything")
    for pod in release.services():
        assert "replicas" not in pod.owner["spec"]
    scalers = [*release.all("HorizontalPodAutoscaler"), *release.all("ScaledObject")]
    targets = {(one["spec"]["scaleTargetRef"]["kind"], one["spec"]["scaleTargetRef"]["name"]) for one in scalers}
    assert targets == {(pod.owner["kind"], pod.owner["metadata"]["name"]) for pod in release.services()}


def test_keda_uses_the_trackers_lag(chart: Chart) -> None:
    """Group, topic and credentials are the service's own."""
    release = chart.scenario("everything")
    (trigger,) = release.one("ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["consumerGroup"] == "sms.tracker"
    assert trigger["metadata"]["topic"] == "sms.journal"
    keys = {one["parameter"]: one for one in release.one("TriggerAuthentication")["spec"]["secretTargetRef"]}
    assert keys.keys() == {"username", "password", "ca", "cert", "key"}
    files = release.one("Secret", "-bridge")["stringData"]
    assert keys["username"]["key"] in files
    assert keys["password"]["key"] in files


def test_network_policy_is_minimal(chart: Chart) -> None:
    """Callbacks and metrics in; DNS, Kafka and providers out."""
    release = chart.scenario("everything")
    trackers, receivers, callbacks = (
        release.one("NetworkPolicy", suffix)["spec"] for suffix in ("-trackers", "-receivers", "-callbacks")
    )
    for spec in (trackers, receivers):
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert all(rule.get("to") and rule.get("ports") for rule in spec["egress"])
        assert ports(spec["ingress"]) == {"admin"}
    assert ports(callbacks["ingress"]) == {"http"}
    for spec in (trackers, receivers, callbacks):
        assert all(rule.get("from") and rule.get("ports") for rule in spec["ingress"])
    assert [pod.owner["kind"] for pod in release.selected(callbacks["podSelector"]["matchLabels"])] == ["Deployment"]
    assert ports(trackers["egress"]) == {53, 9093, 9094, 8081, 443, 8443, 4317}
    assert ports(receivers["egress"]) == {53, 9093, 9094, 8081, 4317}


def ports(rules: Any) -> set[Any]:
    """Return the ports of a policy's rules."""
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_no_custom_resources_without_monitoring(chart: Chart) -> None:
    """Without monitoring the chart has only built-in kinds."""
    kinds = {one["kind"] for one in chart.scenario("no-monitoring").objects}
    assert kinds == {"ConfigMap", "Secret", "Service", "StatefulSet"}


def test_metrics_are_scraped_from_every_pod(chart: Chart) -> None:
    """The ServiceMonitor selects the one Service with the admin port, which selects every pod."""
    release = chart.scenario("everything")
    monitor = release.one("ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    (service,) = (one for one in release.all("Service") if wanted <= one["metadata"]["labels"].items())
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert [port["name"] for port in service["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]
    assert len(release.selected(service["spec"]["selector"])) == len(release.services()) == 2


def test_admin_port_with_tls_is_probed_with_tls(chart: Chart) -> None:
    """The kubelet and Prometheus follow the setting; without it, they speak plain HTTP."""
    files = {"ADMIN__TLS_CERT": "/tls/tls.crt", "ADMIN__TLS_KEY": "/tls/tls.key"}
    for config, scheme in ((files, "HTTPS"), ({}, "HTTP")):
        release = chart.render("everything", config=config)
        for pod in release.services():
            probes = [pod.main[f"{name}Probe"]["httpGet"]["scheme"] for name in ("startup", "liveness", "readiness")]
            assert probes == [scheme] * 3
        endpoint = release.one("ServiceMonitor")["spec"]["endpoints"][0]
        assert endpoint.get("scheme") == ("https" if config else None)
