"""The bridge's processes: restarted as an orchestrator would, suspended and killed on demand, their memory measured."""

import asyncio
import re
import signal
from asyncio import Lock
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import aiohttp

from tests.chaos.clocks import Clock
from tests.chaos.versions import Version
from tests.support.service.process import FORBIDDEN, Service
from tests.support.waiting import wait_until

CHECK_INTERVAL_SECONDS = 0.5
READY_TIMEOUT_SECONDS = 60.0
MEASURE_INTERVAL_SECONDS = 3.0
REQUEST_TIMEOUT_SECONDS = 3

UNSTARTED_CODES = (1, -signal.SIGTERM)
"""Exit codes of a process that was stopped before it was ready: its start failed, or it still loaded its modules."""

RESIDENT = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)
RESTARTED = re.compile(r'^sms_bridge_workers_restarted_total\{cause="(\w+)"\} (\S+)$', re.MULTILINE)


class Replica:
    """One bridge, which runs with all roles or with some of them.

    Args:
        number: Its number.
        whole: The bridge with all roles.
        part: The same bridge with some roles, used when roles are split.
        clock: The clock of its machine.
        version: Which version it is.
    """

    def __init__(self, number: int, whole: Service, part: Service, clock: Clock, version: Version) -> None:
        self.number, self._whole, self._part, self.clock = number, whole, part, clock
        self.service = whole
        self.should_run = False
        self.frozen = False
        self.lock = Lock()
        """Held while a fault is injected into it."""
        self.was_ready = False
        """Whether it was ready at some time since its start."""
        self.max_resident_bytes = 0.0
        self.restarts: Counter[str] = Counter()
        """Restarts of partition workers by cause, since the process started."""
        self.version = version
        self.use_version(version)

    @property
    def services(self) -> tuple[Service, Service]:
        """With all roles, and with some."""
        return self._whole, self._part

    @property
    def split(self) -> bool:
        """Whether it runs with some of the roles."""
        return self.service is self._part

    @property
    def address(self) -> tuple[str, int]:
        """Where it receives callbacks."""
        host, _, port = self.service.url.removeprefix("http://").partition(":")
        return host, int(port)

    async def start(self) -> None:
        """Start it, without waiting until it is ready."""
        self.should_run, self.was_ready = True, False
        self.clock.set(0)
        await self.service.start(ready=False)

    async def is_ready(self) -> bool:
        """Return whether it is ready."""
        status, _ = await self._fetch("/readyz")
        self.was_ready |= status == 200
        return status == 200

    async def wait_until_ready(self, timeout: float = READY_TIMEOUT_SECONDS) -> bool:
        """Return whether it becomes ready in time; without Kafka it can't."""
        with suppress(AssertionError):
            await wait_until(self.is_ready, timeout, lambda: "it isn't ready")
            return True
        return False

    def send_sigkill(self) -> None:
        """Send SIGKILL without waiting."""
        self.should_run = False
        with suppress(ProcessLookupError):
            self.service.signal(signal.SIGKILL)

    async def kill(self) -> None:
        """Kill it and wait until it has ended."""
        self.should_run = False
        await self.service.kill()

    async def stop(self) -> int | None:
        """Send SIGTERM. Return its exit code, or None if it had to be killed."""
        self.should_run = False
        try:
            return await self.service.stop()
        except AssertionError:
            return None

    def freeze(self) -> None:
        """Suspend it with SIGSTOP."""
        with suppress(ProcessLookupError):
            self.service.signal(signal.SIGSTOP)
        self.frozen = True

    def resume(self) -> None:
        """Resume it with SIGCONT."""
        with suppress(ProcessLookupError):
            self.service.signal(signal.SIGCONT)
        self.frozen = False

    def switch_roles(self) -> None:
        """Use the other set of roles at the next start."""
        self.service = self._whole if self.split else self._part

    def use_version(self, version: Version) -> None:
        """Be another version from the next start on."""
        for service in self.services:
            others = {name: value for name, value in service.settings.items() if name not in self.version.login}
            service.settings = {**others, **version.login}
            service.python, service.variables = version.python, self.clock.make_variables(version.checkout)
        self.version = version

    def set_setting(self, name: str, value: str) -> None:
        """Change a setting from the next start on."""
        for service in self.services:
            service.settings[name] = value

    async def measure(self) -> None:
        """Read its health and its metrics."""
        await self.is_ready()
        status, text = await self._fetch("/metrics")
        if status == 200 and (found := RESIDENT.search(text)):
            self.max_resident_bytes = max(self.max_resident_bytes, float(found[1]))
            self.restarts = Counter({cause: round(float(count)) for cause, count in RESTARTED.findall(text)})

    async def _fetch(self, path: str) -> tuple[int, str]:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                return await self.service.fetch(path)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, ""


class Fleet:
    """All replicas, and the problems with them.

    Args:
        replicas: Every replica, running or not.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = tuple(replicas)
        self.exits: Counter[str] = Counter()
        """Processes that ended without being stopped, by their last log line. Without Kafka a start ends like that."""
        self.problems: list[str] = []

    @property
    def running(self) -> list[Replica]:
        """The replicas that should run."""
        return [replica for replica in self.replicas if replica.should_run]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the running replicas receive callbacks."""
        return [replica.address for replica in self.running]

    def select(self, selector: float) -> Replica:
        """Return one of the replicas that should run, or of all if none should; the selector is from 0 to 1."""
        running = self.running or self.replicas
        return running[int(selector * len(running))]

    async def stop(self, replica: Replica) -> None:
        """Stop a replica; a wrong exit code is a problem."""
        code = await replica.stop()
        if code in UNSTARTED_CODES and not replica.was_ready:
            self._record_exit(replica)
        elif code != 0:
            self.problems.append(f"bridge {replica.number} ended with {code} when it was stopped")

    def _record_exit(self, replica: Replica) -> None:
        last_line = f"bridge {replica.number}: {_last_log_line(replica.service)}"
        self.exits[last_line] += 1
        if replica.was_ready:
            self.problems.append(f"a bridge that had been ready ended by itself: {last_line}")

    async def keep_running(self) -> None:
        """Restart processes that ended by themselves, as an orchestrator does, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_SECONDS)
            for replica in self.running:
                if not replica.lock.locked() and not replica.service.running:
                    self._record_exit(replica)
                    await replica.start()

    async def keep_measuring(self) -> None:
        """Measure all replicas, until cancelled."""
        while True:
            await asyncio.gather(*(one.measure() for one in self.running if not one.frozen))
            await asyncio.sleep(MEASURE_INTERVAL_SECONDS)

    async def stop_all(self) -> None:
        """Stop all that still run."""
        for replica in self.replicas:
            replica.resume() if replica.frozen else None
        await asyncio.gather(*(self.stop(replica) for replica in self.running if replica.service.running))

    async def kill_all(self) -> None:
        """Kill all processes that still run."""
        for service in (service for replica in self.replicas for service in replica.services):
            if service.running:
                await service.kill()

    def find_forbidden_log_lines(self) -> list[str]:
        """Return the log lines that must not be there."""
        found = []
        for replica in self.replicas:
            for service in replica.services:
                secrets = service.secrets
                found += [
                    f"bridge {replica.number}: {line}"
                    for line in service.log.splitlines()
                    if any(word in line for word in (*FORBIDDEN, *secrets))
                ]
        return found


def _last_log_line(service: Service) -> str:
    lines = [line for line in service.tail(8).splitlines() if not line.startswith("{")]
    return lines[-1][:200] if lines else "no output"
