"""What stays when a demo is over and kept: an env file for the commands, and what to try with it until Ctrl-C."""

import asyncio
import shlex
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bridge.sandbox.demo.verification import Event


class KeptRun(NamedTuple):
    """How to reach a demo that still runs."""

    env_file: Path
    page: str
    """The status page's URL."""
    commands: Sequence[str]


def keep_run(environment: Mapping[str, str], events: Sequence[Event], page: str, folder: Path) -> KeptRun:
    """Write the env file, and choose a message with an eventful history as the example.

    Args:
        environment: The bridge's environment.
        events: All published events.
        page: The status page's URL.
        folder: Where the file is written; it is removed when the demo ends.
    """
    file = folder / "demo.env"
    settings = {name: value for name, value in environment.items() if name.startswith("SMS_BRIDGE_")}
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    counts = Counter(event["message_id"] for event in events)
    message = max(counts, key=lambda name: counts[name], default="MESSAGE_ID")
    option = f"--env-file {shlex.quote(str(file))}"
    # `make demo` runs a program that isn't on the PATH.
    program = (
        "sms-bridge" if shutil.which("sms-bridge") else shlex.quote(str(Path(sys.executable).with_name("sms-bridge")))
    )
    return KeptRun(
        file,
        page,
        (
            f"{program} trace {message} {option}",
            f"{program} tail --from start --final {option}",
            f"{program} replay --dry-run {option}",
        ),
    )


async def wait_for_signal() -> None:
    """Return at Ctrl-C or SIGTERM."""
    signalled = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    await signalled.wait()
