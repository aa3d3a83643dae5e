"""A real Prometheus: scrapes a target, evaluates rules, answers queries."""

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import pytest

from tests.support.ports import find_free_ports
from tests.support.waiting import wait_until

SCRAPE_INTERVAL = "500ms"


class Sample(NamedTuple):
    """One series of a result."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """Scrapes one target.

    Args:
        target: `host:port` of its `/metrics`.
        rules: A file of rules.
        folder: For its data.
    """

    def __init__(self, target: str, rules: Path, folder: Path) -> None:
        found = shutil.which("prometheus")
        if not found:
            pytest.skip("no prometheus on the PATH (Debian: apt-get install prometheus)")
        (port,) = find_free_ports(1)
        self._address = f"127.0.0.1:{port}"
        config = {
            "global": {
                "scrape_interval": SCRAPE_INTERVAL,
                "scrape_timeout": SCRAPE_INTERVAL,
                "evaluation_interval": "1s",
            },
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": "sms-bridge",
                    "static_configs": [{"targets": [target], "labels": {"namespace": "test", "pod": "bridge-0"}}],
                }
            ],
        }
        folder.mkdir()
        self._log = folder / "prometheus.log"
        (folder / "prometheus.yaml").write_text(json.dumps(config))
        self._command = (
            found,
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._address}",
        )
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=DEVNULL, stdout=log, stderr=log, cwd=self._log.parent
            )
        await wait_until(self._answers, 60, lambda: f"Prometheus isn't ready:\n{self._log.read_text()[-2000:]}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    async def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """Return the result of an instant query.

        Args:
            expression: The query.
            at: The time in seconds since the epoch; None: now.

        Raises:
            AssertionError: The query is invalid.
        """
        data = await self._get("query", query=expression, **({} if at is None else {"time": f"{at}"}))
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    async def rules(self) -> list[Any]:
        """Return every rule with its health and last error, after all were evaluated."""
        rules: list[Any] = []

        async def evaluated() -> bool:
            rules[:] = [rule for group in (await self._get("rules"))["groups"] for rule in group["rules"]]
            return bool(rules) and all(rule["health"] != "unknown" for rule in rules)

        await wait_until(evaluated, 60, lambda: "the rules aren't evaluated")
        return rules

    async def wait_until_scraped(self) -> None:
        """Return when the target was scraped again."""
        seen = "max(timestamp(sms_bridge_build_info))"
        before = await self.query(seen)

        async def newer() -> bool:
            now = await self.query(seen)
            return bool(now) and (not before or now[0].value > before[0].value)

        await wait_until(newer, 60, lambda: "the target isn't scraped")

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self._log.read_text()[-2000:]
        try:
            await self._get("query", query="vector(1)")
        except (aiohttp.ClientError, json.JSONDecodeError, AssertionError):
            return False
        return True

    async def _get(self, path: str, **parameters: str) -> Any:
        url = f"http://{self._address}/api/v1/{path}"
        async with aiohttp.ClientSession() as client, client.get(url, params=parameters) as response:
            answer = json.loads(await response.text())
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]
