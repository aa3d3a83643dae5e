"""The chart's values: misspelt and contradicting ones are refused, and every value is documented."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.settings.model import Settings
from scripts.values_schema import (
    NAME,
    Setting,
    list_refused_names,
    list_settings,
    write_refused_names,
    write_schema,
)
from scripts.values_table import find_undocumented, parse_rows, replace_table
from tests.support.helm.chart import Chart, Refused
from tests.support.paths import CHART_FOLDER

TYPOS = {
    "top level": {"persistance": {"enabled": False}},
    "group": {"kafka__bootstrapServer": "kafka:9092"},
    "deep": {"receiver__autoscaling__inflight": {"enabled": True}},
    "setting": {"config__DEXATEL__POL": "never"},
    "choice": {"config__FOLLOW__EMIT": "finals"},
    "duration": {"config__HTTP__ACK_TIMEOUT": "5"},
    "topic": {"config__TOPICS__JOURNAL": "sms journal"},
    "URL without scheme": {"config__REGISTRY__URL": "registry:8081"},
    "URL with a query": {"prometheusRule__runbookBase": "https://wiki.example.com/?page="},
    "secret": {"secrets__DEXATEL__TOKENS": "x"},
    "server without port": {"kafka__bootstrapServers": "kafka"},
    "account's setting": {"config__DEXATEL__ACCOUNTS__OTHER__POL": "never"},
}

COMBINATIONS = {
    "own secret and values": ({"existingSecret": "mine"}, "exclude each other"),
    "secrets of accounts in config": (
        {"config__DEXATEL__ACCOUNTS": {"A": {"TOKEN": "x"}}},
        "config.DEXATEL__ACCOUNTS holds several settings: .* put it under `secrets`",
    ),
    "a provider's settings at once": ({"config__WEBHOOKS": "{}"}, "config.WEBHOOKS holds several settings"),
    "what the chart sets": ({"config__HTTP__PORT": 8081}, "HTTP__PORT"),
    "autoscaling without split": ({"receiver__autoscaling__enabled": True}, "needs split: true"),
    "keda without split": ({"tracker__keda__enabled": True}, "needs split: true"),
    "ingress without host": ({"ingress__enabled": True}, "needs ingress.host"),
    "route without gateway": ({"httpRoute__enabled": True}, "needs httpRoute.parentRefs"),
    "log-in without password": ({"kafka__sasl__enabled": True}, "KAFKA__SASL_PASSWORD"),
    "token URL without client": (
        {"kafka__sasl": {"enabled": True, "mechanism": "OAUTHBEARER", "oauth": {"tokenUrl": "https://x/token"}}},
        "needs kafka.sasl.oauth.clientId",
    ),
    "token URL without secret": (
        {
            "kafka__sasl": {
                "enabled": True,
                "mechanism": "OAUTHBEARER",
                "oauth": {"tokenUrl": "https://x/token", "clientId": "x"},
            }
        },
        "KAFKA__OAUTH__CLIENT_SECRET",
    ),
    "token for another mechanism": (
        {"kafka__sasl": {"enabled": True, "mechanism": "PLAIN", "oauth": {"tokenFile": "/token"}}},
        "mechanism: OAUTHBEARER",
    ),
    "keda with a token in a file": (
        {
            "split": True,
            "tracker__keda__enabled": True,
            "kafka__sasl": {"enabled": True, "mechanism": "OAUTHBEARER", "oauth": {"tokenFile": "/token"}},
        },
        "KEDA cannot read the token",
    ),
    "keda with a role of AWS": (
        {
            "split": True,
            "tracker__keda__enabled": True,
            "kafka__sasl": {"enabled": True, "mechanism": "AWS_MSK_IAM"},
        },
        "no AWS role",
    ),
    "certificate without key": (
        {"kafka__tls": {"enabled": True, "existingSecret": "a", "certKey": "tls.crt"}},
        "certificate needs its key",
    ),
    "certificates without TLS": ({"kafka__tls__existingSecret": "a"}, "kafka.tls.enabled is false"),
    "hash without key": ({"config__PRIVACY__RECIPIENT": "hash"}, "PRIVACY__HASH_KEY"),
    "more trackers than partitions": ({"tracker__replicas": 25}, "tracker.replicas is 25"),
    "as many as before, but fewer partitions": (
        {"tracker__replicas": 5, "config__TOPICS__JOURNAL_PARTITIONS": 4},
        "has 4 partitions",
    ),
    "keda beyond partitions": (
        {"split": True, "tracker__keda": {"enabled": True, "maxReplicas": 30}},
        "maxReplicas is 30",
    ),
    "fewest above most": (
        {"split": True, "receiver__autoscaling": {"enabled": True, "minReplicas": 9}},
        "minReplicas is more",
    ),
    "no time to drain": ({"preStopSeconds": 20}, "preStopSeconds"),
    "no brokers": ({"kafka__bootstrapServers": ""}, "kafka.bootstrapServers is missing: the addresses"),
    "labels that select pods": (
        {"commonLabels": {"app.kubernetes.io/name": "x"}, "tracker__podLabels": {"sms-bridge/callbacks": "x"}},
        "cannot be set by values: app.kubernetes.io/name, sms-bridge/callbacks",
    ),
    "a variable twice": ({"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "twice: A"),
    "a port of the chart's": ({"extraEnv": [{"name": "SMS_BRIDGE_HTTP__PORT", "value": "1"}]}, "chart depends on"),
    "keda and a variable": (
        {
            "split": True,
            "tracker__keda__enabled": True,
            "extraEnv": [{"name": "SMS_BRIDGE_KAFKA__GROUP_ID", "value": "x"}],
        },
        "KEDA does not see extraEnv",
    ),
    "nobody answers callbacks": ({"tracker__receives": False}, "needs split: true"),
    "name in capitals": ({"fullnameOverride": "SMS"}, "/fullnameOverride"),
    "name with a dot": ({"fullnameOverride": "sms.bridge"}, "/fullnameOverride"),
    "only a digest as tag": ({"image__tag": f"@sha256:{64 * '0'}"}, "/image/tag"),
    "traffic policy without load balancer": ({"service__externalTrafficPolicy": "Local"}, "needs service.type"),
    "networks without load balancer": (
        {"service": {"type": "NodePort", "loadBalancerSourceRanges": ["192.0.2.0/24"]}},
        "service.loadBalancerSourceRanges need",
    ),
    "two families in one stack": (
        {"service": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]}},
        "SingleStack excludes",
    ),
    "log-in without user": (
        {"kafka__sasl": {"enabled": True, "existingSecret": "kafka-user"}},
        "kafka.sasl.enabled needs a user",
    ),
    "client certificate without its keys": (
        {"kafka__tls": {"enabled": True, "clientSecret": "user"}},
        "clientSecret needs kafka.tls.certKey",
    ),
}


@pytest.mark.parametrize("values", TYPOS.values(), ids=TYPOS)
def test_misspelt_value_is_refused(chart: Chart, values: dict[str, Any]) -> None:
    """An unknown value is refused before the install."""
    with pytest.raises(Refused):
        render(chart, values)


@pytest.mark.parametrize(("values", "named"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_contradicting_values_are_refused(chart: Chart, values: dict[str, Any], named: str) -> None:
    """The error names one of the values."""
    with pytest.raises(Refused, match=named):
        render(chart, values)


SECRETS = [setting for setting in list_settings(Settings) if setting.is_secret]


@pytest.mark.parametrize("setting", SECRETS, ids=lambda setting: setting.prefix + setting.name)
def test_secret_in_config_is_refused(chart: Chart, setting: Setting) -> None:
    """The chart says where it belongs, doesn't repeat it, and takes it there."""
    name = (setting.prefix + setting.name).replace(NAME, "SOME_NAME__").replace(NAME.removesuffix("__"), "SOME_NAME")
    with pytest.raises(Refused, match=f"config.{name} is a secret: put it under `secrets`\n") as refused:
        render(chart, {f"config__{name}": "not-to-be-printed-0001"})
    assert "not-to-be-printed" not in str(refused.value)
    render(chart, {f"secrets__{name}": "not-to-be-printed-0001"})


def test_release_needs_a_provider(chart: Chart, tmp_path: Path) -> None:
    """Without a provider the chart is refused."""
    values = tmp_path / "values.yaml"
    values.write_text("kafka: {bootstrapServers: kafka:9092}")
    with pytest.raises(Refused, match="at least one provider"):
        chart.run("template", str(values))


def test_refusal_repeats_no_secret(chart: Chart) -> None:
    """The error message contains no secret."""
    with pytest.raises(Refused) as refused:
        render(chart, {"secrets__DEXATEL__CALLBACK_SECRETS": "too-short"})
    assert "CALLBACK_SECRETS" in str(refused.value)
    assert "too-short" not in str(refused.value)


def render(chart: Chart, values: dict[str, Any]) -> None:
    """Render the scenario `minimal` with these values. Names of settings keep their underscores."""
    named = {re.sub(r"(?<=[a-z])__", ".", name): value for name, value in values.items()}
    chart.run("template", "minimal", *(f"--set-json={name}={json.dumps(value)}" for name, value in named.items()))


def test_schema_knows_every_setting() -> None:
    """It is as `python -m scripts.values_schema` writes it, and secrets are in no list of `config`."""
    text = (CHART_FOLDER / "values.schema.json").read_text()
    assert text == write_schema(text)
    assert (CHART_FOLDER / "files/secret-settings.yaml").read_text() == write_refused_names()
    secrets = {setting.prefix + setting.name for setting in SECRETS}
    assert {"DEXATEL__TOKEN", "ADMIN__TOKEN", "REGISTRY__PASSWORD", "SPEEDOCOM__HEADER_AUTH__VALUE"} < secrets
    schema = json.loads(text)["properties"]
    assert not secrets & schema["config"]["properties"].keys()
    for name in ("WEBHOOKS__ACME__SIGNATURE__SECRET", "WEBHOOKS__ACME__ACCOUNTS__TWO__BASIC_AUTH__PASSWORD"):
        assert [group for group in ("config", "secrets") if find_schemas(schema[group], name)] == ["secrets"]


def find_schemas(group: dict[str, Any], name: str) -> list[Any]:
    """Return the schemas of a group for a setting's name, without those that leave the answer to a template."""
    return [one for pattern, one in group["patternProperties"].items() if re.search(pattern, name) and one is not True]


def test_settings_are_no_groups_of_settings() -> None:
    """The patterns by which the chart refuses names match no setting that it takes."""
    taken = [setting.prefix + setting.name for setting in list_settings(Settings) if not setting.is_secret]
    names = {name.replace(NAME, "SOME_NAME__") for name in taken}
    assert [
        name for name in names for group in list_refused_names().values() if any(re.search(p, name) for p in group)
    ] == []


def test_every_value_is_documented() -> None:
    """Each value has a comment."""
    text = (CHART_FOLDER / "values.yaml").read_text()
    assert find_undocumented(text) == set()
    assert len(list(parse_rows(text))) > 90


def test_readme_table_is_current() -> None:
    """The table matches values.yaml (`python -m scripts.values_table` writes it)."""
    readme = (CHART_FOLDER / "README.md").read_text()
    assert readme == replace_table(readme, (CHART_FOLDER / "values.yaml").read_text())


VALUES = list(parse_rows((CHART_FOLDER / "values.yaml").read_text()))
UNSET = [row.path for row in VALUES if isinstance(row.default, dict | list) or row.default in {"", None}]


@pytest.mark.parametrize("first", range(4))
def test_null_unsets_a_value(chart: Chart, first: int) -> None:
    """It is how one removes a default map, list or text. Each of four renderings removes a quarter of them."""
    options = [f"--set={path}=null" for path in UNSET[first::4] if path != "kafka.bootstrapServers"]
    assert chart.render("minimal", *options, "--set=topicsJob.enabled=true", "--set=ingress.host=x.example.com").pods()


def test_schema_has_every_value() -> None:
    """Each documented value can be set."""
    schema = json.loads((CHART_FOLDER / "values.schema.json").read_text())
    for row in parse_rows((CHART_FOLDER / "values.yaml").read_text()):
        place = schema
        for part in row.path.split("."):
            assert part in place["properties"], row.path
            place = place["properties"][part]


def test_schema_is_closed() -> None:
    """Each object with its own members refuses others, except `global`, which all charts share."""
    schema = json.loads((CHART_FOLDER / "values.schema.json").read_text())
    del schema["properties"]["global"]
    places = [schema]
    while places:
        place = places.pop()
        if "properties" in place:
            assert place["additionalProperties"] is False
            places += place["properties"].values()
