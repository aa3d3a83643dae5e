"""A PostgreSQL server for the tests of the examples."""

import asyncio
import os
import pwd
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.ports import HOST, find_free_ports
from tests.support.waiting import wait_until

USER = "postgres"


class Postgres(NamedTuple):
    """A running server."""

    port: int

    async def run(self, sql: str) -> list[list[str]]:
        """Run statements and return the rows of the last one; null is an empty text."""
        where = ("--host", HOST, "--port", str(self.port), "--username", USER, "--no-psqlrc")
        how = ("--quiet", "--tuples-only", "--no-align", "--field-separator", "|", "--set", "ON_ERROR_STOP=1")
        process = await asyncio.create_subprocess_exec("psql", *where, *how, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
        output, _ = await process.communicate(sql.encode())
        assert process.returncode == 0, output.decode()
        return [line.split("|") for line in output.decode().splitlines()]


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """Start a server with an empty database; the test is skipped where there is none."""
    programs = _find_programs()
    [port] = find_free_ports(1)
    with _open_folder() as (folder, options):
        init = (programs / "initdb", "--pgdata", "data", "--auth", "trust", "--username", USER, "--no-sync")
        process = await asyncio.create_subprocess_exec(*init, cwd=folder, stdout=DEVNULL, **options)
        assert await process.wait() == 0
        settings = ("-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=", "-c", "fsync=off")
        command = (programs / "postgres", "-D", "data", "-p", str(port), *settings)
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=DEVNULL, **options)
        try:
            await wait_until(lambda: _accepts(port), 30, lambda: "PostgreSQL doesn't start")
            yield Postgres(port)
        finally:
            await _stop(process)


async def _accepts(port: int) -> bool:
    command = ("pg_isready", "--quiet", "--host", HOST, "--port", str(port))
    return await (await asyncio.create_subprocess_exec(*command)).wait() == 0


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        await process.wait()


def _find_programs() -> Path:
    """Return the folder of the server's programs: Debian keeps them out of the PATH."""
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not folders or not shutil.which("psql"):
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    return folders[0]


@contextmanager
def _open_folder() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield a folder, and the options for processes in it: the server refuses to run as root."""
    with tempfile.TemporaryDirectory(prefix="sms-bridge-postgres-") as name:
        if os.geteuid():
            yield Path(name), {}
            return
        account = pwd.getpwnam(USER)
        os.chown(name, account.pw_uid, account.pw_gid)
        yield Path(name), {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
