"""`providers`: what the bridge knows, and from where."""

import orjson
import pytest
from typer.testing import CliRunner

from bridge.cli import cli
from bridge.dialects import BUILDERS
from bridge.providers.presets import list_presets, load_preset


def test_providers_and_presets_are_listed() -> None:
    """With the pages that a preset is from, for people and for scripts."""
    document = orjson.loads(CliRunner().invoke(cli, ["providers", "--json"]).stdout)
    assert [one["name"] for one in document["built_in"]] == list(BUILDERS)
    assert [one["name"] for one in document["presets"]] == list_presets()
    shown = CliRunner().invoke(cli, ["providers"]).stdout
    assert "SMS_BRIDGE_DEXATEL__…" in shown
    for preset in document["presets"]:
        assert preset["name"] in shown
        assert tuple(preset["sources"]) == load_preset(preset["name"]).sources
        assert all(source in shown for source in preset["sources"])


@pytest.mark.parametrize("options", [["--callback", "file"], ["--provider", "acme"]])
def test_a_callback_needs_its_provider(options: list[str]) -> None:
    """The one is of no use without the other."""
    assert CliRunner().invoke(cli, ["check", *options]).exit_code == 2
