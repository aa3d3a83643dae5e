"""A process that runs a command and kills it when the process that asked for it ends.

It is started as a script with a folder and a command. SIGTERM stops the command, SIGUSR1 kills it, and the supervisor
ends when the command does. When standard input closes because its writer died, it kills the command and removes the
folder. It imports only the standard library, so that it starts in milliseconds.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from types import FrameType

SIGNALS: dict[int, int] = {signal.SIGTERM: signal.SIGTERM, signal.SIGUSR1: signal.SIGKILL}
"""For each signal that the supervisor gets, the one that it sends to the command."""


def supervise(folder: str, command: list[str]) -> None:
    """Run the command until it ends or standard input closes.

    Args:
        folder: Removed when standard input closes.
        command: The program and its arguments.
    """
    child: subprocess.Popen[bytes] | None = None
    received: list[int] = []

    def forward_signal(number: int, _frame: FrameType | None = None) -> None:
        received.append(number)
        if child is not None:
            child.send_signal(SIGNALS[number])

    for number in SIGNALS:
        signal.signal(number, forward_signal)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the command comes from this package
    for number in tuple(received):  # those that arrived before the command was started
        forward_signal(number)
    orphaned = threading.Event()

    def watch_input() -> None:
        os.read(0, 1)
        orphaned.set()
        child.kill()

    threading.Thread(target=watch_input, daemon=True).start()
    child.wait()
    if orphaned.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(child.returncode & 0xFF)  # not sys.exit: the thread is still reading


if __name__ == "__main__":
    supervise(sys.argv[1], sys.argv[2:])
