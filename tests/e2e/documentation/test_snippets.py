"""Every snippet of the documentation that is no command is used as it stands there; a new one needs a line in `USED`.

Beside them the queries in the text of runbooks.
"""

import json
import re
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.accounts import build_accounts
from bridge.core.errors import InvalidSignatureError
from bridge.providers.dialect import Callback
from bridge.schemas import load_schema
from bridge.settings.loading import load_settings
from tests.support.documentation.blocks import blocks, quoted
from tests.support.documentation.deliveries import MESSAGES, make_two_messages
from tests.support.documentation.installation import STORIES, World
from tests.support.helm.binaries import promtool
from tests.support.helm.chart import Chart
from tests.support.helm.known_metrics import OF_PROMETHEUS, labels_of_metrics
from tests.support.paths import CHART_FOLDER, ROOT
from tests.support.schemas.validators import load_validator
from tests.support.service.bridge import message

CHART = "helm/sms-bridge/README.md"


async def told(text: str, world: World, **_: Any) -> None:
    """The README's event equals the published one, except times."""
    shown = json.loads(text)
    del shown["..."]
    [one] = [one for one in STORIES if one.message_id == shown["message_id"]]
    event = (await world.bridge.events(one, 3))[-1].document
    times = {"sent_at", "occurred_at", "latency_seconds"}
    assert shown.keys() <= event.keys()
    assert [name for name in shown.keys() - times if shown[name] != event[name]] == []


async def sent(text: str, world: World, tmp_path: Path, **_: Any) -> None:
    """The README's minimal event is valid, has all required members, and can be read."""
    event = json.loads(text)
    load_validator("sms.sent.v1").validate(event)
    assert event.keys() == set(load_schema("sms.sent.v1")["required"])
    now = datetime.now(UTC).isoformat()
    (tmp_path / "sample.json").write_text(json.dumps({**event, "sent_at": now}))
    said = await world.shell.type(f"sms-bridge check --sample {tmp_path / 'sample.json'} --json")
    assert said.code == 0, said


async def called(text: str, world: World, **_: Any) -> None:
    """The callback of the configured provider works with its signature, and its message is delivered."""
    head, body = text.rstrip("\n").split("\n\n")
    first, *headers = head.splitlines()
    method, path, _version = first.split()
    one = message("acme", provider_message_id="0042")
    await world.bridge.send_and_wait(one)
    secret = world.shell.settings["WEBHOOKS__ACME__CALLBACK_SECRETS"]
    url = world.bridge.service.url + path.replace("…", secret)
    fields = dict(line.split(": ") for line in headers)
    answer = await world.bridge.client.request(method, url, headers=fields, content=body)
    assert answer.status_code == 200
    event = await world.bridge.wait_for_final(one)
    assert (event["status"], event["provider_status"], event["provider_code"]) == ("delivered", "DELIVRD", "000")
    forged = await world.bridge.client.request(method, url, headers=fields, content=body + " ")
    assert forged.status_code == 401


async def chosen(text: str, **_: Any) -> None:
    """The settings are all that a preset needs, and its signature is checked."""
    settings = load_settings(
        {"SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092", **dict(line.split("=", 1) for line in text.splitlines())}
    )
    account = build_accounts(settings)["twilio", "default"]
    body = b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30007"
    with pytest.raises(InvalidSignatureError):
        account.dialect.read_callback(Callback("POST", "", "application/x-www-form-urlencoded", body), 1)


async def kept(text: str, **_: Any) -> None:
    """The database keeps the highest sequence of each attempt, in any order and with duplicates."""
    with sqlite3.connect(":memory:") as database:
        [columns] = re.findall(r"sms_status \((.+)\)", text)
        database.execute(f"CREATE TABLE sms_status ({columns}, UNIQUE (provider, account, provider_message_id))")
        statement = text.replace("VALUES (...)", f"VALUES ({', '.join('?' * (columns.count(',') + 1))})")
        for sequence, status in ((1, "sent"), (3, "delivered"), (2, "failed"), (3, "delivered")):
            database.execute(statement, ("dexatel", "default", "7", "m-1", sequence, status, status, sequence == 3))
        assert database.execute("SELECT sequence, status FROM sms_status").fetchall() == [(3, "delivered")]


async def typed(text: str, capsys: pytest.CaptureFixture[str], **_: Any) -> None:
    """The Python snippet works."""
    file = ROOT / "schemas/examples/sms.delivery.v1/valid/not-delivered-by-poll.json"
    exec(text, {"value": file.read_bytes()})  # noqa: S102 - it is our own
    event = json.loads(file.read_bytes())
    assert capsys.readouterr().out == f"{event['message_id']} may be tried again: {event['reason']}\n"


async def rendered(text: str, chart: Chart, tmp_path: Path, **_: Any) -> None:
    """The chart accepts the values, alone or with the required ones."""
    values = yaml.safe_load(text)
    least = {} if "kafka" in values else yaml.safe_load((CHART_FOLDER / "ci/minimal-values.yaml").read_text())
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({**least, **values}))
    release = chart.render(str(tmp_path / "values.yaml"))
    [pod] = release.services()
    assert {one["name"]: one for one in values.get("extraEnv", [])}.items() <= {
        one["name"]: one for one in pod.main.get("env", [])
    }.items()
    opened = [rule for policy in release.all("NetworkPolicy") for rule in policy["spec"].get("egress", [])]
    assert [rule for rule in values.get("networkPolicy", {}).get("extraEgress", []) if rule not in opened] == []
    assert len(release.all("Ingress")) == int("ingress" in values)


async def mounted(text: str, tmp_path: Path, **_: Any) -> None:
    """The Secret's keys are settings that the service reads from files and treats as secrets."""
    variables = yaml.safe_load(text)["stringData"]
    for name, value in variables.items():
        (tmp_path / name).write_text(value.replace("…", "a-secret-of-the-snippet"))
    needed = {"SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092", "SMS_BRIDGE_SECRETS_DIR": str(tmp_path)}
    settings = load_settings(needed)
    assert {f"SMS_BRIDGE_{group.upper()}" for group in settings.model_fields_set} >= {
        name.partition("__")[0] for name in variables
    }


async def adapted(text: str, **_: Any) -> None:
    """The metrics adapter uses an existing metric."""
    [rule] = yaml.safe_load(text)["rules"]
    assert rule["seriesQuery"].partition("{")[0] in labels_of_metrics()


async def chosen_of_attempts(text: str, **_: Any) -> None:
    """The Python recipe finds the same as the SQL ones do."""
    names: dict[str, Any] = {}
    exec(text, names)  # noqa: S102 - it is our own
    latest = {(one["message_id"], one["provider_message_id"]): one for one in make_two_messages()}
    for name, *expected in MESSAGES:
        event = names["choose_latest"]([one for (message_id, _), one in latest.items() if message_id == name])
        assert [event["outcome"], event["status"]] == expected


async def queried(text: str, **_: Any) -> None:
    """`test_postgres.py` and `test_flink.py` run the statements; here, they are about the same views."""
    assert "sms_messages" in text


async def a_picture(text: str, **_: Any) -> None:
    """Every arrow of a diagram connects defined nodes; no library can draw it here."""
    named = {*re.findall(r"(\w+)[(\[]", text), "intake", "receiver", "poller", "tracker"}
    lines = [re.split(r"\s*(?:<?-->|-\..*?\.->)\s*", line.strip()) for line in text.splitlines()]
    ends = [end for line in lines if len(line) > 1 for part in line for end in part.split(" & ")]
    assert len(ends) > len(named)
    assert [end for end in ends if re.split(r"[(\[]", end)[0] not in named] == []


Use = Callable[..., Awaitable[None]]
USED: dict[tuple[str, str, str], Use] = {
    ("README.md", "Run it", "json"): sent,
    ("README.md", "Consume it", "json"): told,
    ("README.md", "How it works", "mermaid"): a_picture,
    (CHART, "sms-bridge on Kubernetes", "yaml"): rendered,
    (CHART, "Settings and secrets", "yaml"): mounted,
    (CHART, "Autoscaling", "yaml"): adapted,
    ("docs/adding-a-provider.md", "By a preset", "properties"): chosen,
    ("docs/adding-a-provider.md", "By settings", "http"): called,
    ("docs/architecture.md", "Packages", "mermaid"): a_picture,
    ("docs/consumers.md", "Events that you have had already", "sql"): kept,
    ("docs/consumers.md", "In Python, with types", "python"): typed,
    ("docs/operating.md", "Traces", "yaml"): rendered,
    ("docs/recipes.md", "Flink SQL", "sql"): queried,
    ("docs/recipes.md", "The latest status of each message", "python"): chosen_of_attempts,
    ("docs/recipes.md", "The latest status of each message", "sql"): queried,
}
"""By page, heading and kind. Commands are in `test_commands.py`."""

SNIPPETS = {block.place: block.text for block in blocks() if block.kind != "console"}


@pytest.mark.parametrize("place", USED, ids=" ".join)
async def test_snippet_works_as_printed(
    place: tuple[str, str, str], world: World, chart: Chart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each snippet works in its own program."""
    await USED[place](SNIPPETS[place], world=world, chart=chart, tmp_path=tmp_path, capsys=capsys)


def test_every_snippet_is_tested() -> None:
    """Each snippet has a test above, is the only one of its kind under its heading, and names its language."""
    assert sorted(block.place for block in blocks() if block.kind != "console") == sorted(USED)


QUERIES = sorted({text for _, text in quoted() if "sms_bridge_" in text and re.search(r"[({>]", text)})


@pytest.mark.parametrize("query", QUERIES)
def test_queries_use_existing_metrics(query: str) -> None:
    """Each query uses metrics and labels that the service exposes."""
    known = labels_of_metrics()
    names = re.findall(r"sms_bridge_\w+", query)
    labels = {label for name in names for label in known[name]} | OF_PROMETHEUS
    grouped = [label for group in re.findall(r"by \(([\w, ]+)\)", query) for label in group.split(", ")]
    assert {*grouped, *re.findall(r"[{,](\w+)=", query)} <= labels


def test_prometheus_accepts_the_queries(tmp_path: Path) -> None:
    """They are valid as rules for promtool."""
    assert len(QUERIES) > 10
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    asked = (promtool(), "check", "rules", tmp_path / "rules.yaml")
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
    assert done.returncode == 0, done.stdout + done.stderr
