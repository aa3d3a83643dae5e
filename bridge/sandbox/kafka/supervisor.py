"""The process between us and a broker: it sees to it that nothing outlives whoever asked for the broker.

Started as a file of its own, by `node.py`, with the folder to remove and the command to run; it ends when the command
does. SIGTERM stops the command, SIGUSR1 kills it. When standard input ends, for its writer has died, however suddenly,
it kills the command and removes the folder. It imports only the standard library: it has to start in milliseconds.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from types import FrameType

MEANING: dict[int, int] = {signal.SIGTERM: signal.SIGTERM, signal.SIGUSR1: signal.SIGKILL}
"""What is passed on to the command: whoever asked can wait for us, and then both are gone."""


def supervise(folder: str, command: list[str]) -> None:
    """Run the command until it ends or standard input does.

    Args:
        folder: What to remove when standard input ends.
        command: The program and its arguments.
    """
    child: subprocess.Popen[bytes] | None = None
    asked: list[int] = []

    def pass_on(number: int, _frame: FrameType | None = None) -> None:
        asked.append(number)
        if child is not None:
            child.send_signal(MEANING[number])

    for number in MEANING:
        signal.signal(number, pass_on)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - node.py built it
    for number in tuple(asked):  # those that came before there was anybody to pass them on to
        pass_on(number)
    orphaned = threading.Event()

    def watch_input() -> None:
        os.read(0, 1)
        orphaned.set()
        child.kill()

    threading.Thread(target=watch_input, daemon=True).start()
    child.wait()
    if orphaned.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(child.returncode & 0xFF)  # not sys.exit: the thread still reads


if __name__ == "__main__":
    supervise(sys.argv[1], sys.argv[2:])
