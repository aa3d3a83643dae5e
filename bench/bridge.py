"""The bridge as a benchmarked process: its settings, command line, readiness and metrics."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from bench import toolchain
from bench.process import MeasuredProcess, run_to_end
from bridge.sandbox.ports import claim_free_ports

COMMAND = (str(toolchain.BRIDGE_PYTHON), "-m", "bridge")
ROOT = Path(__file__).parent.parent
SECRET = "benchmark-secret-0001"  # noqa: S105 - gives access to a benchmark only
READY_TIMEOUT_SECONDS = 60.0


def make_settings(servers: str, prefix: str, *, journal: str | None = None, partitions: int = 4) -> dict[str, str]:
    """Return a bridge's settings, without the prefix of the variables.

    Args:
        servers: Kafka's bootstrap servers.
        prefix: The prefix of its topics and groups.
        journal: The journal's name, if it was created before.
        partitions: The journal's number of partitions.
    """
    return {
        "KAFKA__BOOTSTRAP_SERVERS": servers,
        "KAFKA__GROUP_ID": prefix,
        "KAFKA__COMPRESSION": "lz4",  # as the peers do
        "TOPICS__SENT": f"{prefix}.sent",
        "TOPICS__DELIVERY": f"{prefix}.delivery",
        "TOPICS__JOURNAL": journal or f"{prefix}.journal",
        "TOPICS__STATE": f"{prefix}.state",
        "TOPICS__DEAD_LETTER": f"{prefix}.dead-letter",
        "TOPICS__JOURNAL_PARTITIONS": str(partitions),
        "TOPICS__DELIVERY_PARTITIONS": "4",
        "TOPICS__REPLICATION": "1",
        "DEXATEL__CALLBACK_SECRETS": SECRET,
        "DEXATEL__POLL": "never",
        "SPEEDOCOM__CALLBACK_SECRETS": SECRET,
        "SPEEDOCOM__POLL": "never",
        "LOG__FORMAT": "json",
    }


class Bridge:
    """A running bridge: `async with Bridge(settings, folder, "track") as bridge`.

    Args:
        values: Its settings, without the prefix of the variables.
        folder: Its working directory, which contains its state.
        roles: Its roles.
    """

    def __init__(self, values: Mapping[str, str], folder: Path, roles: str) -> None:
        public, admin = claim_free_ports(2)
        self.url, self._admin = f"http://127.0.0.1:{public}", f"http://127.0.0.1:{admin}"
        self.state = folder / "state"
        own = {
            "HTTP__HOST": "127.0.0.1",
            "HTTP__PORT": str(public),
            "ADMIN__HOST": "127.0.0.1",
            "ADMIN__PORT": str(admin),
            "STATE__DIRECTORY": str(self.state),
        }
        self.process = MeasuredProcess((*COMMAND, "run", "--roles", roles), folder, make_environment({**own, **values}))

    async def __aenter__(self) -> Self:
        await self.process.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.process.__aexit__(kind, error, trace)

    async def wait_until_ready(self, timeout: float = READY_TIMEOUT_SECONDS) -> None:
        """Return when it is ready."""
        await self.process.wait_until(self._is_ready, timeout)

    async def wait_until_restored(self, timeout: float) -> None:
        """Return when it is ready and has restored its state."""
        await self.process.wait_until(self._is_restored, timeout, interval=0.02)

    async def sum_metric(self, name: str) -> float:
        """Return the sum of a metric's samples."""
        async with aiohttp.ClientSession() as client, client.get(f"{self._admin}/metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    async def compute_mean(self, name: str) -> float:
        """Return the mean of a histogram's observations."""
        return await self.sum_metric(f"{name}_sum") / max(1.0, await self.sum_metric(f"{name}_count"))

    async def _is_ready(self) -> bool:
        return (await self._readiness())[0]

    async def _is_restored(self) -> bool:
        ready, restoring = await self._readiness()
        return ready and not restoring

    async def _readiness(self) -> tuple[bool, bool]:
        try:
            async with aiohttp.ClientSession() as client, client.get(f"{self._admin}/readyz") as response:
                answer = orjson.loads(await response.read())
                return response.status == 200, bool(answer.get("restoring"))
        except (aiohttp.ClientError, OSError):
            return False, False


def make_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return settings as environment variables, with the allocator's as the image has them."""
    settings = {f"SMS_BRIDGE_{name}": value for name, value in values.items()}
    allocator = dict(re.findall(r"(MALLOC_\w+)=(\d+)", (ROOT / "Dockerfile").read_text()))
    return {"PYTHONPATH": str(ROOT), **allocator, **settings}


async def create_topics(values: Mapping[str, str], folder: Path, *, adopt: bool = False) -> None:
    """Create a bridge's topics; with `adopt`, it starts at the beginning of a journal that already has entries."""
    command = (*COMMAND, "topics", "--apply", *(("--adopt", "start") if adopt else ()))
    await run_to_end(command, folder, make_environment(values), 60)
