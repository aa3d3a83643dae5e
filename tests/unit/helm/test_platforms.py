"""What differs between platforms: users, IP families, load balancers, Ingress hosts, namespaces, order of objects."""

from typing import Any

import pytest

from tests.support.helm.chart import NAMESPACE, Chart, secret_sources

OPENSHIFT = "--api-versions=security.openshift.io/v1"
ASSIGNED = {"runAsUser", "runAsGroup", "fsGroup"}
EXTERNAL_SECRET = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "sms-secrets", "namespace": "{{ .Release.Namespace }}"},
    "spec": {"dataFrom": []},
}


@pytest.mark.parametrize(
    ("arguments", "adapt", "fixed"),
    [([], "auto", True), ([OPENSHIFT], "auto", False), ([OPENSHIFT], "off", True), ([OPENSHIFT], False, True)],
)
def test_openshift_assigns_the_user(chart: Chart, arguments: list[str], adapt: Any, fixed: bool) -> None:  # noqa: FBT001 - a table's column
    """On OpenShift no user or group is asked for, unless one insists. YAML reads `off` as false."""
    release = chart.render("minimal", *arguments, adaptSecurityContext=adapt, topicsJob__enabled=True)
    for pod in release.pods():
        assert (pod.spec["securityContext"].keys() >= ASSIGNED) == fixed
        assert bool(ASSIGNED & pod.spec["securityContext"].keys()) == fixed
        assert pod.spec["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("families", "policy", "host"),
    [
        ([], "", None),
        (["IPv4"], "", None),
        (["IPv6"], "SingleStack", "::"),
        (["IPv4", "IPv6"], "PreferDualStack", "::"),
        ([], "RequireDualStack", "::"),
    ],
)
def test_listeners_follow_the_ip_families(chart: Chart, families: list[str], policy: str, host: str | None) -> None:
    """With IPv6, the service listens on both families; probes come over either."""
    release = chart.render("minimal", service={"ipFamilies": families, "ipFamilyPolicy": policy})
    data = release.one("ConfigMap")["data"]
    assert data.get("SMS_BRIDGE_HTTP__HOST") == data.get("SMS_BRIDGE_ADMIN__HOST") == host
    for service in release.all("Service"):
        assert service["spec"].get("ipFamilies", []) == families
        assert service["spec"].get("ipFamilyPolicy", "") == policy


def test_brokers_may_have_ipv6_addresses(chart: Chart) -> None:
    """They stand in brackets; the policy admits their ports."""
    release = chart.render("minimal", kafka__bootstrapServers=["[2001:db8::1]:9093", "[2001:db8::2]:9094"])
    (kafka,) = release.one("NetworkPolicy", "-once")["spec"]["egress"][1:]
    assert [port["port"] for port in kafka["ports"]] == [9093, 9094]


def test_ingress_has_several_hosts_and_paths(chart: Chart) -> None:
    """Each host has each path, and its own certificate."""
    ingress = {
        "enabled": True,
        "host": "sms.example.com",
        "extraHosts": [{"host": "sms.example.org", "tlsSecret": "org"}],
        "paths": [{"path": "/dlr"}, {"path": "/healthz", "pathType": "Exact"}],
    }
    spec = chart.render("minimal", ingress=ingress).one("Ingress")["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["sms.example.com", "sms.example.org"]
    for rule in spec["rules"]:
        paths = [(path["path"], path["pathType"]) for path in rule["http"]["paths"]]
        assert paths == [("/dlr", "Prefix"), ("/healthz", "Exact")]
    assert spec["tls"] == [{"hosts": ["sms.example.com"]}, {"hosts": ["sms.example.org"], "secretName": "org"}]
    assert "tls" not in chart.render("minimal", ingress={**ingress, "tls": False}).one("Ingress")["spec"]


def test_load_balancer_fields(chart: Chart) -> None:
    """They are in the Service for callbacks alone."""
    fields: dict[str, Any] = {
        "externalTrafficPolicy": "Local",
        "loadBalancerClass": "example.com/internal",
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
    }
    release = chart.render("minimal", service={"type": "LoadBalancer", "nodePort": 30080, **fields})
    public, admin = (release.one("Service", suffix)["spec"] for suffix in ("-bridge", "-admin"))
    assert fields.items() <= public.items()
    assert public["ports"][0]["nodePort"] == 30080
    assert not fields.keys() & admin.keys()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"minAvailable": 1}, {"minAvailable": 1}),
        ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
        ({"minAvailable": 0}, {"minAvailable": 0}),
    ],
)
def test_budget_counts_either_way(chart: Chart, values: dict[str, Any], expected: dict[str, Any]) -> None:
    """Kubernetes allows one of the two."""
    spec = chart.render("minimal", podDisruptionBudget=values).one("PodDisruptionBudget")["spec"]
    assert {name: spec[name] for name in spec.keys() & {"minAvailable", "maxUnavailable"}} == expected


def test_workloads_have_annotations_and_revisions(chart: Chart) -> None:
    """Controllers that restart pods for changed Secrets look there."""
    note = {"reloader.example.com/auto": "true"}
    release = chart.render(
        "minimal", split=True, tracker__annotations=note, receiver__annotations=note, revisionHistoryLimit=2
    )
    for pod in release.services():
        assert pod.owner["metadata"]["annotations"] == note
        assert pod.owner["spec"]["revisionHistoryLimit"] == 2


def test_monitoring_objects_may_be_elsewhere(chart: Chart) -> None:
    """The ServiceMonitor still looks for the release's Service."""
    elsewhere = {"namespace": "monitoring"}
    release = chart.render("everything", serviceMonitor=elsewhere | {"enabled": True}, prometheusRule=elsewhere)
    monitor = release.one("ServiceMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == [NAMESPACE]


def test_what_the_job_needs_comes_before_it(chart: Chart) -> None:
    """At the first installation it is a hook; then Helm takes it over as an object of the release."""
    values: dict[str, Any] = {"preInstallObjects": [EXTERNAL_SECRET], "existingSecret": "sms-secrets", "secrets": {}}
    first, later = (
        chart.render("minimal", *arguments, topicsJob__enabled=True, **values) for arguments in ([], ["--is-upgrade"])
    )
    hook, job = (release["metadata"]["annotations"] for release in (first.one("ExternalSecret"), first.one("Job")))
    assert hook["helm.sh/hook"] == "pre-install"
    assert int(hook["helm.sh/hook-weight"]) < int(job["helm.sh/hook-weight"])
    kept = later.one("ExternalSecret")["metadata"]
    assert "helm.sh/hook" not in kept["annotations"]
    assert kept["annotations"]["meta.helm.sh/release-name"] == "sms"
    assert kept["annotations"]["meta.helm.sh/release-namespace"] == kept["namespace"] == NAMESPACE
    assert kept["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_credentials_from_several_secrets(chart: Chart) -> None:
    """Those of a Strimzi `KafkaUser` and one's own are mounted as they are."""
    release = chart.render(
        "minimal",
        secrets={},
        existingSecret="providers",
        existingSecrets=["privacy"],
        kafka__tls={
            "enabled": True,
            "existingSecret": "cluster-ca",
            "clientSecret": "user",
            "certKey": "user.crt",
            "keyKey": "user.key",
        },
        kafka__sasl={"enabled": True, "username": "sms", "existingSecret": "user", "mechanism": "SCRAM-SHA-512"},
        split=True,
        tracker__keda__enabled=True,
        topicsJob__enabled=True,
    )
    for pod in release.pods():
        sources = secret_sources(pod)
        assert [source["name"] for source in sources] == ["providers", "privacy", "user"]
        assert sources[-1]["items"] == [{"key": "password", "path": "SMS_BRIDGE_KAFKA__SASL_PASSWORD"}]
        files = {(s["name"], i["key"]): i["path"] for s in secret_sources(pod, "kafka-tls") for i in s["items"]}
        assert files == {
            ("cluster-ca", "ca.crt"): "ca.crt",
            ("user", "user.crt"): "tls.crt",
            ("user", "user.key"): "tls.key",
        }
    data = release.one("ConfigMap", "-bridge")["data"]
    assert data["SMS_BRIDGE_KAFKA__SASL_USERNAME"] == "sms"
    spec = release.one("TriggerAuthentication")["spec"]
    assert [one["key"] for one in spec["configMapTargetRef"]] == ["SMS_BRIDGE_KAFKA__SASL_USERNAME"]
    assert {one["parameter"]: (one["name"], one["key"]) for one in spec["secretTargetRef"]} == {
        "password": ("user", "password"),
        "ca": ("cluster-ca", "ca.crt"),
        "cert": ("user", "user.crt"),
        "key": ("user", "user.key"),
    }


def test_certificates_from_own_volumes(chart: Chart) -> None:
    """A CSI driver's files need no Secret."""
    files = {"caFile": "/kafka/ca.pem", "certFile": "/kafka/user.pem", "keyFile": "/kafka/user.key"}
    release = chart.render("minimal", kafka__tls={"enabled": True, **files})
    data = release.one("ConfigMap")["data"]
    assert [data[f"SMS_BRIDGE_KAFKA__SSL_{name}FILE"] for name in ("CA", "CERT", "KEY")] == list(files.values())
    for pod in release.pods():
        assert "kafka-tls" not in {volume["name"] for volume in pod.spec["volumes"]}


def test_servers_beside_kafka_may_be_named(chart: Chart) -> None:
    """The OAuth server and the schema registry are reached on their ports, at the networks of the values."""
    network = {"ipBlock": {"cidr": "192.0.2.0/24"}}
    values: dict[str, Any] = {"networkPolicy__oauth__to": [network], "networkPolicy__registry__to": [network]}
    config = {"DEXATEL__POLL": "never", "REGISTRY__URL": "http://registry:8081", "SENT__FORMAT": "avro"}
    for policy in chart.render("oauth", config=config, **values).all("NetworkPolicy"):
        if "Egress" in policy["spec"]["policyTypes"]:
            rules = {rule["ports"][0]["port"]: rule.get("to") for rule in policy["spec"]["egress"]}
            assert rules[8443] == rules[8081] == [network]
