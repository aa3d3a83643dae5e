"""The commands of this package for typer: arguments, help, exit codes. Each loads its own file when it runs."""

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.core.delivery import Status
from bridge.core.errors import DeadLetterReason
from bridge.tools.option_rules import CHECK, OptionRules, check_options

if TYPE_CHECKING:
    from bridge.settings.model import Settings

EnvFile = Annotated[Path | None, typer.Option(help="Also read SMS_BRIDGE_... variables from this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Since = Annotated[
    str | None, typer.Option(help="How far to look back: 2h, 3d, or a time such as 2026-01-31T12:00:00Z.")
]


schemas = typer.Typer(no_args_is_help=True, help="The published schemas.")


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, check, providers, topics, trace, tail, replay):
        cli.command()(command)
    cli.add_typer(schemas, name="schemas")


def init(
    providers: Annotated[list[str], typer.Argument(metavar="PROVIDER...", help="Built-in providers and presets.")],
    *,
    helm: Annotated[
        bool, typer.Option("--helm", help="Write values for the Helm chart instead of an env file.")
    ] = False,
) -> None:
    """Writes commented settings for some providers, with a new secret for the callbacks of each."""
    from bridge.tools.init import check_known, write_settings  # noqa: PLC0415 - each command loads what it needs

    try:
        check_known(providers)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="PROVIDER") from None
    raise typer.Exit(write_settings(list(dict.fromkeys(providers)), helm=helm))


def check(
    context: typer.Context,
    *,
    sample: Annotated[
        Path | None, typer.Option(help="Only show how the sms.sent event in this file would be read.", metavar="FILE")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The key of the sample's record.", metavar="TEXT")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of the sample's record; may be repeated.", metavar="NAME=VALUE")
    ] = None,
    callback: Annotated[
        Path | None,
        typer.Option(
            help="Only show how the callback in this file would be read: a body, or an HTTP request.", metavar="FILE"
        ),
    ] = None,
    provider: Annotated[str, typer.Option(help="With --callback: the provider that it is from.")] = "",
    account: Annotated[str, typer.Option(help="With --callback: the account at the provider.")] = "default",
    offline: Annotated[bool, typer.Option("--offline", help="Only check the settings; connect to nothing.")] = False,
    env_file: EnvFile = None,
    as_json: AsJson = False,
) -> None:
    """Checks settings, Kafka, rights, topics, registry, providers and clocks; exit code 1 when something is wrong."""
    _check_given(context, CHECK)
    if callback is not None:
        from bridge.tools.check_callback import explain_callback  # noqa: PLC0415 - each command loads what it needs

        raise typer.Exit(explain_callback(_settings(env_file), callback, provider, account, as_json=as_json))
    if sample is not None:
        from bridge.tools.check_sample import explain_sample  # noqa: PLC0415

        raise typer.Exit(explain_sample(_settings(env_file), sample, key, header or [], as_json=as_json))
    from bridge.tools.check import check as check_all  # noqa: PLC0415

    _run(check_all(env_file, offline=offline, as_json=as_json))


def providers(*, as_json: AsJson = False) -> None:
    """Lists the built-in providers, and the presets with the documentation that they are from."""
    from bridge.tools.providers import list_providers  # noqa: PLC0415

    raise typer.Exit(list_providers(as_json=as_json))


def topics(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Create what is missing.")] = False,
    adopt: Annotated[
        Literal["end", "start"] | None,
        typer.Option(help="Commit the journal's end or start for partitions whose offsets were lost."),
    ] = None,
    rebuild_state: Annotated[
        bool,
        typer.Option("--rebuild-state", help="Rebuild lost partitions of the state topic from the journal."),
    ] = False,
    env_file: EnvFile = None,
    as_json: AsJson = False,
) -> None:
    """Lists topics and their expected settings; --apply creates what is missing."""
    from bridge.tools.topics import show_topics  # noqa: PLC0415

    _run(show_topics(_settings(env_file), apply=apply, adopt=adopt, rebuild=rebuild_state, as_json=as_json))


def trace(
    name: Annotated[
        str,
        typer.Argument(metavar="MESSAGE_ID|PROVIDER:[ACCOUNT:]ID", help="The sender's message id, or the provider's."),
    ] = "",
    *,
    recipient: Annotated[str, typer.Option(help="Look up the attempts to this phone number instead of an id.")] = "",
    since: Since = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Read the whole journal, to find attempts without an event, too.")
    ] = False,
    env_file: EnvFile = None,
    as_json: AsJson = False,
) -> None:
    """Shows what happened to a message: what came when, from where, and what was decided."""
    if bool(name) == bool(recipient):
        raise typer.BadParameter("give an id or --recipient" + (", not both" if name else ""))
    from bridge.history.lookup import TraceQuery  # noqa: PLC0415
    from bridge.tools.trace import trace_messages  # noqa: PLC0415

    question = TraceQuery(name, recipient, _moment(since), thorough)
    _run(trace_messages(_settings(env_file), question, as_json=as_json))


def tail(
    *,
    message_id: Annotated[list[str] | None, typer.Option(help="Only this message; may be repeated.")] = None,
    provider: Annotated[list[str] | None, typer.Option(help="Only this provider; may be repeated.")] = None,
    status: Annotated[list[Status] | None, typer.Option(help="Only this status; may be repeated.")] = None,
    final: Annotated[bool, typer.Option("--final", help="Only final events.")] = False,
    begin: Annotated[
        str,
        typer.Option(
            "--from", help="Where to begin: end, start, how long ago (2h), or a time.", metavar="end|start|TIME"
        ),
    ] = "end",
    env_file: EnvFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as it is, one per line.")] = False,
) -> None:
    """Follows sms.delivery until Ctrl-C."""
    from bridge.tools.providers import check_configured  # noqa: PLC0415
    from bridge.tools.tail import TailFilter, follow_events  # noqa: PLC0415

    wanted = TailFilter(_only(message_id), _only(provider), _only(status), final)
    where = begin if begin in {"end", "start"} else _moment(begin, "--from", "; or end, or start")
    settings = _settings(env_file)
    check_configured(settings, provider or ())
    _run(follow_events(settings, wanted, where, as_json=as_json), endless=True)  # type: ignore[arg-type]


def replay(
    *,
    reason: Annotated[list[DeadLetterReason] | None, typer.Option(help="Only this reason; may be repeated.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="PARTITION/OFFSET", help="Only the one at this position; may be repeated."),
    ] = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many dead letters.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="At most this many per second.")] = 500.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would become of each; append nothing.")
    ] = False,
    env_file: EnvFile = None,
    as_json: AsJson = False,
) -> None:
    """Parses dead letters again, and appends what can be read now to the journal."""
    from bridge.tools.providers import check_configured  # noqa: PLC0415
    from bridge.tools.replay import ReplayOptions, replay_letters  # noqa: PLC0415

    choice = ReplayOptions(_only(reason), provider, _moment(since) or 0, limit, rate, dry_run, _positions(at))
    settings = _settings(env_file)
    check_configured(settings, [provider] if provider else ())
    _run(replay_letters(settings, choice, as_json=as_json))


def _settings(env_file: Path | None) -> "Settings":
    from bridge.observability import logs  # noqa: PLC0415
    from bridge.settings.loading import load_settings  # noqa: PLC0415

    settings = load_settings(env_file=env_file)
    logs.configure_logging("error", settings.log.format)
    return settings


def _check_given(context: typer.Context, rules: OptionRules) -> None:
    sources = {
        option: context.get_parameter_source(one.name or "") for one in context.command.params for option in one.opts
    }
    try:
        check_options(rules, [option for option, source in sources.items() if source and source.name == "COMMANDLINE"])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _only(values: list[Any] | None) -> frozenset[Any] | None:
    return frozenset(values) if values else None


def _moment(text: str | None, option: str = "--since", further: str = "") -> int | None:
    from bridge.history.topic_scanner import parse_moment  # noqa: PLC0415

    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}{further}", param_hint=option) from None


def _positions(texts: list[str] | None) -> frozenset[Any] | None:
    from bridge.history.dead_letter_search import DeadLetterPosition  # noqa: PLC0415

    try:
        return _only([DeadLetterPosition.parse(text) for text in texts or ()])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None


def _run(work: Coroutine[Any, Any, int], *, endless: bool = False) -> None:
    """Run a command's work to its end, or until SIGINT or SIGTERM."""
    from bridge.tools.signals import run_until_signal  # noqa: PLC0415

    raise typer.Exit(run_until_signal(work, endless=endless))


@schemas.command("register")
def register_schemas(*, env_file: EnvFile = None, as_json: AsJson = False) -> None:
    """Registers the schema of sms.delivery at the schema registry, as the service does when it starts."""
    from bridge.tools.schemas import register  # noqa: PLC0415

    _run(register(_settings(env_file), as_json=as_json))
