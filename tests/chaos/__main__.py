"""`python -m tests.chaos --minutes 10 --seed 1`: runs the chaos suite; exit code 1 if it finds a problem."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.chaos.plan import FaultKind, make_plan
from tests.chaos.run import RunOptions, run
from tests.chaos.versions import find_python


def main() -> int:
    """Make a plan of faults, print it, run it and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long messages are sent and faults are injected")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same faults and messages")
    parser.add_argument("--messages-per-second", type=float, default=170, help="the rate of sent events")
    parser.add_argument(
        "--only",
        type=FaultKind,
        nargs="*",
        default=tuple(FaultKind),
        choices=list(FaultKind),
        metavar="KIND",
        help="inject only these",
    )
    parser.add_argument("--other", type=Path, help="another version's checkout with its .venv, for rolling updates")
    parser.add_argument("--keep", action="store_true", help="keep the bridges' logs even if there are no problems")
    arguments = parser.parse_args()
    kinds, other = set(arguments.only), arguments.other and arguments.other.resolve()
    if other and not find_python(other).exists():
        parser.error(f"--other: {find_python(other)} doesn't exist; run `make setup` there")
    if not other and FaultKind.UPDATE in kinds:
        kinds.remove(FaultKind.UPDATE)
        _print(f"without {FaultKind.UPDATE}: --other names no other version")
    plan = make_plan(arguments.seed, arguments.minutes * 60, kinds)
    _print(f"seed {arguments.seed}: {len(plan.faults)} faults: start, kind, duration, selector of the target")
    for fault in plan.faults:
        _print(str(fault))
    # SIGTERM, like Ctrl-C, must stop everything that was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="sms-bridge-chaos-"))
    rate = arguments.messages_per_second
    options = RunOptions(plan, arguments.seed, arguments.minutes * 60, rate, other=other)
    result = uvloop.run(run(options, folder, _print))
    if result.problems or arguments.keep:
        _print(f"the bridges' logs are in {folder}")
    else:
        shutil.rmtree(folder)
    for line in result.format_lines():
        _print(line)
    return 1 if result.problems else 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
