"""The command line helps: with `-h`, and with what was meant."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from bridge.cli import cli
from bridge.core.errors import ConfigurationError
from bridge.settings.loading import load_settings
from bridge.tools.option_rules import CHECK, check_options
from bridge.tools.providers import check_configured
from bridge.tools.tail import format_observed
from tests.support.settings import settings_of

COMMANDS = sorted(get_command(cli).commands)  # type: ignore[attr-defined]  # it is a group
RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_short_help(command: str) -> None:
    """`-h` is `--help`, for every command."""
    short, long = (RUNNER.invoke(cli, [*command.split(), option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output)
    assert "Usage:" in short.output


def test_roles_are_explained() -> None:
    """What each of them does."""
    text = " ".join(RUNNER.invoke(cli, ["run", "-h"]).output.split())
    for role in ("intake reads", "receive accepts", "track decides", "poll asks"):
        assert role in text


@pytest.mark.parametrize(
    ("line", "meant"),
    [("chek", "check"), ("run --role track", "--roles"), ("run --roles recieve,track", "receive")],
)
def test_what_was_meant_is_suggested(line: str, meant: str) -> None:
    """For commands, options and roles."""
    result = RUNNER.invoke(cli, line.split())
    assert result.exit_code == 2
    assert meant in result.output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("check --key k", "--key needs --sample"),
        ("check --header a=b --callback f --provider dexatel", "--header needs --sample"),
        ("check --provider dexatel", "--provider needs --callback"),
        ("check --callback f", "--callback needs --provider"),
        ("check --account promo", "--account needs --callback"),
        ("check --sample f --callback f --provider dexatel", "give --sample or --callback, not both"),
        ("check --sample f --offline", "give --sample or --offline, not both"),
        ("trace m-1 --recipient 1", "give an id or --recipient, not both"),
        ("trace", "give an id or --recipient"),
        ("tail --from foo", "or end, or start"),
    ],
)
def test_options_without_effect_are_refused(line: str, told: str) -> None:
    """With what they need, or exclude."""
    result = RUNNER.invoke(cli, line.split())
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())


OPTIONS = sorted({*CHECK.alternatives, *CHECK.needs, *CHECK.needs.values()})


@given(st.sets(st.sampled_from(OPTIONS)))
def test_any_accepted_options_have_an_effect(given_options: set[str]) -> None:
    """Of those that ask for different things one is given, and each option has what it needs."""
    try:
        check_options(CHECK, given_options)
    except ValueError:
        return
    assert len(given_options & {*CHECK.alternatives}) <= 1
    assert all(CHECK.needs.get(option, option) in given_options for option in given_options)


def test_each_option_of_check_has_its_rule() -> None:
    """A new one is an alternative, needs another one, or is for all of them."""
    [command] = [one for name, one in get_command(cli).commands.items() if name == "check"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert known - {"--env-file", "--json", "--help"} == {*OPTIONS}


def test_providers_that_are_not_configured_are_refused() -> None:
    """With those that are."""
    configured = settings_of()
    check_configured(configured, ["dexatel"])
    with pytest.raises(ConfigurationError, match="--provider foo isn't configured; there is dexatel"):
        check_configured(configured, ["dexatel", "foo"])
    check_configured(load_settings({"SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "one:9092"}), ["foo"])  # Kafka's alone


@pytest.mark.parametrize(
    ("observed_at", "shown"),
    [
        ("2026-01-31T12:00:00.123Z", "12:00:00.123"),
        ("2026-01-30T23:59:59.999Z", "2026-01-30 23:59:59.999"),
    ],
)
def test_an_event_of_another_day_has_its_date(observed_at: str, shown: str) -> None:
    """Today's have the time alone."""
    assert format_observed(observed_at, "2026-01-31") == shown


def list_parameters(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """List the options and arguments of all commands, each with the path of its command."""
    for name, one in getattr(command, "commands", {}).items():
        yield from list_parameters(one, (*path, name))
    yield from ((path, parameter) for parameter in command.params if path)


def write_value(parameter: Any, value: str) -> list[str]:
    """Write an option or an argument on the command line."""
    return [*(parameter.opts[:1] if parameter.param_type_name == "option" else ()), value]


PARAMETERS = [
    (path, parameter)
    for path, parameter in list_parameters(get_command(cli))
    if not getattr(parameter, "is_flag", False) and parameter.bare_type() not in {"str", "Path", "list[str]"}
]
"""Those that don't take any text: with a wrong value, no command is run."""


@pytest.mark.parametrize("value", ["-1x", "it's"])
@pytest.mark.parametrize(
    ("path", "parameter"), PARAMETERS, ids=[f"{' '.join(path)} {parameter.name}" for path, parameter in PARAMETERS]
)
def test_no_error_of_usage_is_in_others_words(path: tuple[str, ...], parameter: Any, value: str) -> None:
    """Whatever an option takes, what is wrong with its value is said as of a setting."""
    result = RUNNER.invoke(cli, [*path, *write_value(parameter, value)])
    assert result.exit_code == 2
    assert not re.search("Value error|Input should|a valid|parse", result.output)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("topics --adopt middle", "'--adopt': should be one of end, start ╰"),
        ("topics --adopt strt", "'--adopt': should be one of end, start; did you mean start?"),
        ("replay --reason Malform", "internal; did you mean malformed?"),
        ("tail --status delivred", "did you mean delivered?"),
        ("sandbox --brokers 2", "'--brokers': should be one of 1, 3 ╰"),
        ("simulate dexatell", "should be one of dexatel, speedocom; did you mean dexatel?"),
        ("simulate dexatel --port x", "'--port': should be a whole number ╰"),
        ("simulate dexatel --port 65536", "'--port': should be less than or equal to 65535 ╰"),
        ("replay --rate x", "'--rate': should be a number ╰"),
    ],
)
def test_a_wrong_value_is_answered_with_those_that_are_taken(line: str, told: str) -> None:
    """Also those of an argument, and of an option that may be repeated."""
    result = RUNNER.invoke(cli, line.split())
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", "").split())
