"""`make bench`: one broker, every subject, a table on the terminal, and all of it as JSON."""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.kafka import Cluster
from bench.process import Failed
from bench.report import written
from bench.run import Run, Subject, machine
from bench.subjects import end_to_end, intake, known, partitions, poller, profile, receiver, tracker
from bridge.sandbox.kafka.broker import sandbox
from bridge.sandbox.kafka.installation import SandboxError

SUBJECTS: Mapping[str, Subject] = {
    "tracker": tracker.measure,
    "receiver": receiver.measure,
    "intake": intake.measure,
    "poller": poller.measure,
    "end-to-end": end_to_end.measure,
    "known": known.measure,
    "partitions": partitions.measure,
    "profile": profile.measure,
}
ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results.json"
"""What the whole run found: what docs/performance.md is made of."""

LAST = ROOT / "bench" / "last.json"
"""What the last run found, whole or not."""


async def run(chosen: Sequence[str], rounds: int, scale: float, *, whole: bool, long: bool) -> dict[str, Any]:
    """Measure subjects one after the other, on one broker."""
    found: dict[str, Any] = {
        "machine": machine(),
        "measured_at": time.strftime("%Y-%m-%d"),
        "rounds": rounds,
        "scale": scale,
    }
    with tempfile.TemporaryDirectory(prefix="sms-bridge-bench-") as folder:
        async with sandbox() as servers, Cluster(servers) as cluster:
            for name in chosen:
                began = time.monotonic()
                show = _shower(name, began)
                one = Run(cluster, Path(folder), rounds, scale, whole, long, show)
                try:
                    found[name] = dict(await SUBJECTS[name](one))
                except Failed as failure:
                    found[name] = {"failed": str(failure)}
                    show(f"failed: {failure}")
    return found


def _shower(name: str, began: float) -> Any:
    def show(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {name:12} {text}\n")

    return show


def main() -> None:
    """Measure, print, and keep what was found."""
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("--only", choices=sorted(SUBJECTS), action="append", help="measure only this; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant is measured")
    parser.add_argument("--scale", type=float, default=1.0, help="what numbers of records are multiplied by")
    parser.add_argument("--long", action="store_true", help="also what takes tens of minutes")
    parser.add_argument(
        "--docs", action="store_true", help="measure nothing: write the docs of the last whole run again"
    )
    told = parser.parse_args()
    if told.docs:
        write_docs(orjson.loads(RESULTS.read_bytes()))
        return
    whole = not told.only and told.scale == 1
    try:
        found = uvloop.run(run(told.only or list(SUBJECTS), told.rounds, told.scale, whole=whole, long=told.long))
    except SandboxError as failure:
        sys.exit(f"sandbox: {failure}")
    (RESULTS if whole else LAST).write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.write(written(found)["performance.md"])
    if whole:
        write_docs(found)


def write_docs(found: Mapping[str, Any]) -> None:
    """Write docs/performance.md, its charts and docs/scaling.md."""
    for name, text in written(found).items():
        file = ROOT / "docs" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main()
