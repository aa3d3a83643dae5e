"""Counts what the interpreter does for some work, so that its cost can be bounded by a test.

A count is the same on every machine, however busy; a time is not, nor is the ratio of two times, because machines are
fast at different things. What happens inside compiled code is not counted: `make bench` measures that.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Steps:
    """How much the interpreter did."""

    def __init__(self) -> None:
        self.instructions = 0
        """Bytecode instructions."""
        self.compiled_calls = 0
        """Calls of functions that are compiled, such as those of `dict` or RocksDB."""

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """Count an instruction; the function for `sys.settrace`."""
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.instructions += event == "opcode"
        return self.trace

    def profile(self, _: FrameType, event: str, __: Any) -> None:
        """Count a call; the function for `sys.setprofile`."""
        self.compiled_calls += event == "c_call"


@contextmanager
def counted_steps() -> Iterator[Steps]:
    """Count what functions do that are called in the meantime, by this thread.

    Yields:
        The counts; they grow until the context ends.
    """
    steps = Steps()
    tracer, profiler = sys.gettrace(), sys.getprofile()
    sys.settrace(steps.trace)
    sys.setprofile(steps.profile)
    try:
        yield steps
    finally:
        sys.setprofile(profiler)
        sys.settrace(tracer)
