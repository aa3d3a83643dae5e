"""The bridge's processes: kept running as an orchestrator would, frozen and killed on demand, their memory watched."""

import asyncio
import re
import signal
import struct
from asyncio import Lock
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp

from tests.support.service.process import FORBIDDEN, Service
from tests.support.waiting import until

LOOK_EVERY = 0.5
READY_WITHIN = 60.0
MEASURE_EVERY = 3.0
RESIDENT = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)
RESTARTED = re.compile(r'^sms_bridge_workers_restarted_total\{cause="(\w+)"\} (\S+)$', re.MULTILINE)


class Clock:
    """What a machine's clock is wrong by: a file, that `clock/sitecustomize.py` looks at.

    Args:
        file: Where.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(8))

    @property
    def variables(self) -> dict[str, str]:
        """What a process on that machine gets beside its settings."""
        here = Path(__file__).resolve()
        return {"PYTHONPATH": f"{here.parent / 'clock'}:{here.parents[2]}", "CHAOS_CLOCK": str(self._file)}

    def set(self, seconds: float) -> None:
        """Set it wrong."""
        with self._file.open("r+b") as opened:  # the same file, for processes that look at it
            opened.write(struct.pack("d", seconds))


class Replica:
    """One place where a bridge runs, as a whole or in a part.

    Args:
        number: Which.
        whole: The bridge with all roles.
        part: The same place with some roles, for when they are split.
        clock: Its machine's.
    """

    def __init__(self, number: int, whole: Service, part: Service, clock: Clock) -> None:
        self.number, self._whole, self._part, self.clock = number, whole, part, clock
        self.service = whole
        self.wanted = False
        self.frozen = False
        self.busy = Lock()
        self.worked = False
        """Whether it was ready at some time since its start."""
        self.resident = 0.0
        """The most bytes that were seen resident."""
        self.restarts: Counter[str] = Counter()
        """Of partitions' workers, by cause, since the process's start."""

    @property
    def services(self) -> tuple[Service, Service]:
        """Both of its shapes."""
        return self._whole, self._part

    @property
    def split(self) -> bool:
        """Whether it runs in a part."""
        return self.service is self._part

    @property
    def address(self) -> tuple[str, int]:
        """Where callbacks go."""
        host, _, port = self.service.url.removeprefix("http://").partition(":")
        return host, int(port)

    async def start(self) -> None:
        """Start it, and don't wait."""
        self.wanted, self.worked = True, False
        self.clock.set(0)
        await self.service.start(ready=False)

    async def ready(self) -> bool:
        """Whether it says that it is ready."""
        status, _ = await self._ask("/readyz")
        self.worked |= status == 200
        return status == 200

    async def until_ready(self, within: float = READY_WITHIN) -> bool:
        """Whether it becomes ready in time; while Kafka is away, it can't."""
        with suppress(AssertionError):
            await until(self.ready, within, lambda: "it isn't ready")
            return True
        return False

    def end_at_once(self) -> None:
        """SIGKILL, and don't wait."""
        self.wanted = False
        with suppress(ProcessLookupError):
            self.service.signal(signal.SIGKILL)

    async def kill(self) -> None:
        """SIGKILL; nothing if it has already ended."""
        self.wanted = False
        await self.service.kill()

    async def stop(self) -> int | None:
        """SIGTERM; its exit code, or None where it had to be killed in the end."""
        self.wanted = False
        try:
            return await self.service.stop()
        except AssertionError:
            return None

    def freeze(self) -> None:
        """SIGSTOP."""
        with suppress(ProcessLookupError):
            self.service.signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        with suppress(ProcessLookupError):
            self.service.signal(signal.SIGCONT)
        self.frozen = False

    def change(self) -> None:
        """Take the other shape at the next start."""
        self.service = self._whole if self.split else self._part

    async def measure(self) -> None:
        """Look at its health and its metrics."""
        await self.ready()
        status, text = await self._ask("/metrics")
        if status == 200 and (found := RESIDENT.search(text)):
            self.resident = max(self.resident, float(found[1]))
            self.restarts = Counter({cause: round(float(count)) for cause, count in RESTARTED.findall(text)})

    async def _ask(self, path: str) -> tuple[int, str]:
        try:
            async with asyncio.timeout(3):
                return await self.service.ask(path)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, ""


class Fleet:
    """All replicas, and what was wrong with them.

    Args:
        replicas: All that there may be.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = tuple(replicas)
        self.exits: Counter[str] = Counter()
        """How processes ended that nobody had told to. While Kafka is away, a start ends like that."""
        self.dead_letters: list[str] = []

    @property
    def running(self) -> list[Replica]:
        """Those that are meant to run."""
        return [replica for replica in self.replicas if replica.wanted]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where callbacks may go."""
        return [replica.address for replica in self.running]

    def chosen(self, pick: float) -> Replica:
        """One of those that are meant to run."""
        running = self.running
        return running[int(pick * len(running))]

    async def stop(self, replica: Replica) -> None:
        """Tell one to end; a complaint when that goes wrong."""
        code = await replica.stop()
        if code == 1 and not replica.worked:
            self._ended(replica)  # its start, before it was told
        elif code != 0:
            self.dead_letters.append(f"bridge {replica.number} ended with {code} when told to end")

    def _ended(self, replica: Replica) -> None:
        words = f"bridge {replica.number}: {_last_words(replica.service)}"
        self.exits[words] += 1
        if replica.worked:
            self.dead_letters.append(f"it ended by itself in the middle of its work: {words}")

    async def keep(self) -> None:
        """Start again whoever ended without being told to, as an orchestrator does; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for replica in self.running:
                if not replica.busy.locked() and not replica.service.running:
                    self._ended(replica)
                    await replica.start()

    async def watch(self) -> None:
        """Measure all of them, until cancelled."""
        while True:
            await asyncio.gather(*(one.measure() for one in self.running if not one.frozen))
            await asyncio.sleep(MEASURE_EVERY)

    async def end(self) -> None:
        """Stop all that still run, in order."""
        for replica in self.replicas:
            replica.thaw() if replica.frozen else None
        await asyncio.gather(*(self.stop(replica) for replica in self.running if replica.service.running))

    async def abandon(self) -> None:
        """Kill whatever still runs."""
        for service in (service for replica in self.replicas for service in replica.services):
            if service.running:
                await service.kill()

    def forbidden(self) -> list[str]:
        """Lines of the logs that mustn't be there."""
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


def _last_words(service: Service) -> str:
    lines = [line for line in service.tail(8).splitlines() if not line.startswith("{")]
    return lines[-1][:200] if lines else "silence"
