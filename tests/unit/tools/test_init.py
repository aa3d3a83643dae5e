"""`sms-bridge init` writes settings that the service accepts, for every provider that it knows."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bridge.accounts import build_accounts
from bridge.cli import cli
from bridge.settings.loading import load_settings
from bridge.tools.init import POLLING, check_known, list_known, write_settings
from tests.support.helm.chart import Chart


@pytest.mark.parametrize("provider", list_known())
def test_settings_are_accepted(provider: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The env file is accepted as it is, and with all of its examples."""
    write_settings([provider], helm=False)
    text = capsys.readouterr().out
    file = tmp_path / "bridge.env"
    file.write_text(text)
    assert list(build_accounts(load_settings({}, file))) == [(provider, "default")]
    examples = re.sub(r"^# (SMS_BRIDGE_\w+=)", r"\1", text, flags=re.MULTILINE)
    assert examples != text
    file.write_text(examples.replace("POLL=never", "POLL=always").replace("…", "an-example-of-16"))
    build_accounts(load_settings({}, file))


def test_each_provider_gets_a_secret_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Long, and another one each time."""
    for _ in range(2):
        write_settings(["dexatel", "twilio"], helm=False)
    found = re.findall(r"CALLBACK_SECRETS=([0-9a-f]{32})$", capsys.readouterr().out, re.MULTILINE)
    assert len(set(found)) == 4


def test_a_provider_that_is_named_twice_is_written_once() -> None:
    """Of two equal variables the second one would win."""
    text = CliRunner().invoke(cli, ["init", "dexatel", "twilio", "dexatel"]).output
    names = re.findall(r"^(?:# )?(SMS_BRIDGE_\w+)=", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 2


def test_values_render(chart: Chart, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The chart accepts them for all providers together, and they contain the secrets apart."""
    write_settings(list_known(), helm=True)
    text = capsys.readouterr().out
    (tmp_path / "values.yaml").write_text(text)
    assert chart.render(str(tmp_path / "values.yaml")).services()
    values = yaml.safe_load(text)
    assert len(values["secrets"]) == len(list_known())
    assert not any("SECRET" in name for name in values["config"])


def test_polling_has_examples_for_the_built_in_providers() -> None:
    """With their credentials, which aren't printed among the other values."""
    assert set(POLLING) == {"dexatel", "speedocom"}
    assert all({"TOKEN", "API_KEY"} & members.keys() for members in POLLING.values())


@pytest.mark.parametrize(
    ("name", "told"),
    [("twillio", "twillio is unknown; did you mean twilio?"), ("x", "x is unknown; `sms-bridge providers` lists")],
)
def test_an_unknown_provider_is_refused(name: str, told: str) -> None:
    """With a similar name, if there is one."""
    with pytest.raises(ValueError, match=re.escape(told)):
        check_known(["dexatel", name])
