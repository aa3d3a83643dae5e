"""Fault profiles: how often each fault occurs, and the random numbers that decide it. No I/O, no clock.

Every random number depends only on the seed, the message and its label, never on numbers drawn before. A run can
therefore be repeated whatever the order of its events, and changing one probability changes nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class CallbackFault(StrEnum):
    """A fault in how a provider reports a message. `GET /truth` shows these values."""

    NEVER_REPORTED = "never_reported"
    """The provider never reports a final status, neither by callback nor when polled."""
    LOST = "lost"
    """The last callback is not sent; only a poll returns that status."""
    DUPLICATED = "duplicated"
    """Every callback is sent twice."""
    REORDERED = "reordered"
    """Callbacks are sent in reverse order."""
    EARLY = "early"
    """The first callback is sent before the sender publishes its sent event."""
    CORRECTED = "corrected"
    """The provider reports a failure, and later that the message was delivered after all."""
    UNMAPPED = "unmapped"
    """The provider also reports a status that its documentation doesn't list."""


class PollFault(StrEnum):
    """A fault that replaces the answer to a poll."""

    RATE_LIMITED = "rate_limited"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    GARBAGE = "garbage"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """The probability of each fault, from 0 to 1."""

    name: str
    callback_faults: Mapping[CallbackFault, float]
    """Per message."""
    poll_faults: Mapping[PollFault, float]
    """Per poll."""
    varied: bool
    """Whether callbacks and answers take every shape seen in practice, or only the documented one."""


CALM = FaultProfile("calm", callback_faults={}, poll_faults={}, varied=False)

ROUGH = FaultProfile(
    "rough",
    callback_faults={
        CallbackFault.NEVER_REPORTED: 0.02,
        CallbackFault.LOST: 0.03,
        CallbackFault.DUPLICATED: 0.05,
        CallbackFault.REORDERED: 0.05,
        CallbackFault.EARLY: 0.03,
        CallbackFault.CORRECTED: 0.01,
        CallbackFault.UNMAPPED: 0.01,
    },
    poll_faults={
        PollFault.RATE_LIMITED: 0.01,
        PollFault.ERROR: 0.005,
        PollFault.UNAVAILABLE: 0.005,
        PollFault.GARBAGE: 0.002,
        PollFault.HANG: 0.002,
    },
    varied=True,
)

HOSTILE = FaultProfile(
    "hostile",
    callback_faults=dict.fromkeys(CallbackFault, 0.2),
    poll_faults=dict.fromkeys(PollFault, 0.04),
    varied=True,
)

PROFILES: Mapping[str, FaultProfile] = {profile.name: profile for profile in (CALM, ROUGH, HOSTILE)}


class MessageRng(NamedTuple):
    """The random numbers of one message. The same label always gives the same number."""

    seed: int
    provider: str
    provider_message_id: str

    def random(self, label: str) -> float:
        """Return a number from 0 (included) to 1 (excluded)."""
        text = f"{self.seed}:{self.provider}:{self.provider_message_id}:{label}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64

    def decide(self, probability: float, label: str) -> bool:
        """Return True with this probability."""
        return self.random(label) < probability

    def uniform(self, low: float, high: float, label: str) -> float:
        """Return a number from `low` to `high`."""
        return low + (high - low) * self.random(label)

    def choose(self, choices: Sequence[T], label: str) -> T:
        """Return one of the choices, each with the same probability."""
        return choices[int(self.random(label) * len(choices))]

    def choose_weighted(self, probabilities: Mapping[T, float], label: str) -> T | None:
        """Return one of the keys with its probability, or None with the probability that remains up to 1."""
        remaining = self.random(label)
        for key, probability in probabilities.items():
            if remaining < probability:
                return key
            remaining -= probability
        return None
