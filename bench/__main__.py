"""`make bench`: measures every subject on one broker, prints the report and stores the results as JSON."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.broker import start_cluster
from bench.process import BenchmarkError
from bench.report import make_documents
from bench.run import Run, Subject, describe_machine
from bench.subjects import end_to_end, intake, known, partitions, poller, profile, receiver, tracker
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
"""The results of the last complete run, from which the docs are made."""

LAST = ROOT / "bench" / "last.json"
"""The results of the last partial run."""


async def run(names: Sequence[str], rounds: int, scale: float, *, whole: bool, long: bool) -> dict[str, Any]:
    """Measure subjects one after the other, on one broker."""
    found: dict[str, Any] = {
        "machine": describe_machine(),
        "measured_at": time.strftime("%Y-%m-%d"),
        "rounds": rounds,
        "scale": scale,
    }
    with tempfile.TemporaryDirectory(prefix="sms-bridge-bench-") as folder:
        async with start_cluster() as cluster:
            one = Run(cluster, Path(folder), rounds, scale, whole, long, _make_progress_printer("", time.monotonic()))
            await tracker.warm_up(one)
            for name in names:
                show = _make_progress_printer(name, time.monotonic())
                one = one._replace(show=show)
                try:
                    found[name] = dict(await SUBJECTS[name](one))
                except BenchmarkError as error:
                    found[name] = {"failed": str(error)}
                    show(f"failed: {error}")
    return found


def _make_progress_printer(name: str, start: float) -> Callable[[str], None]:
    def show(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - start:6.0f} s  {name:12} {text}\n")

    return show


def main() -> None:
    """Measure, print the report and store the results."""
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("--only", choices=sorted(SUBJECTS), action="append", help="measure only this; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant is measured")
    parser.add_argument("--scale", type=float, default=1.0, help="numbers of records are multiplied by it")
    parser.add_argument("--long", action="store_true", help="also measure what takes tens of minutes")
    parser.add_argument("--docs", action="store_true", help="only write the docs from the last complete run again")
    arguments = parser.parse_args()
    if arguments.docs:
        write_docs(orjson.loads(RESULTS.read_bytes()))
        return
    whole = not arguments.only and arguments.scale == 1
    try:
        found = uvloop.run(
            run(arguments.only or list(SUBJECTS), arguments.rounds, arguments.scale, whole=whole, long=arguments.long)
        )
    except SandboxError as error:
        sys.exit(f"sandbox: {error}")
    (RESULTS if whole else LAST).write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.write(make_documents(found)["performance.md"])
    if whole:
        write_docs(found)


def write_docs(found: Mapping[str, Any]) -> None:
    """Write docs/performance.md, its charts and docs/scaling.md."""
    for name, text in make_documents(found).items():
        file = ROOT / "docs" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main()
