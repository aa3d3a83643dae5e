"""`python -m tests.chaos --minutes 10 --seed 1`: a run from the command line; exit code 1 when anything is wrong."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.chaos.plan import Kind, draw
from tests.chaos.run import Options, run


def main() -> int:
    """Draw the plan, print it, run it, tell what it came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long messages are sent and things fail")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same faults and messages")
    parser.add_argument("--messages-per-second", type=float, default=170)
    parser.add_argument("--only", type=Kind, nargs="*", default=(), choices=list(Kind), metavar="KIND")
    parser.add_argument("--keep", action="store_true", help="keep the bridges' logs when all is right, too")
    asked = parser.parse_args()
    plan = draw(asked.seed, asked.minutes * 60, asked.only)
    _say(f"seed {asked.seed}: {len(plan.faults)} faults, how long each lasts, and the pick that settles whom it hits")
    for fault in plan.faults:
        _say(str(fault))
    # However it is told to end, it ends what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="sms-bridge-chaos-"))
    options = Options(plan, asked.seed, asked.minutes * 60, asked.messages_per_second)
    outcome = uvloop.run(run(options, folder, _say))
    if outcome.wrong or asked.keep:
        _say(f"the bridges' logs are in {folder}")
    else:
        shutil.rmtree(folder)
    for line in outcome.lines():
        _say(line)
    return 1 if outcome.wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
