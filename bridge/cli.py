"""The commands. Each reads what it was given, calls one function, and says in one line what is wrong."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from bridge import __version__, logs
from bridge.app import App, Role
from bridge.core.errors import Misconfigured
from bridge.loading import load_settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns SMS delivery reports into one clean Kafka stream.",
)

EnvFile = Annotated[Path | None, typer.Option(help="Read SMS_BRIDGE_... variables from this file too.")]


def _roles(text: str) -> frozenset[Role]:
    try:
        roles = frozenset(Role(part.strip()) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"should be some of {', '.join(Role)}") from None
    if Role.POLL in roles and Role.TRACK not in roles:
        raise typer.BadParameter("poll runs only where track runs: it needs the state")
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
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
