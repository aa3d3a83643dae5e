"""How providers misbehave, and how often: chances as tables, and the dice that settle them. No I/O, no clock.

A throw depends on the seed, the message and what is asked, never on what was thrown before: a run can be repeated
whatever the order of its events, and another chance in a profile changes no other message's fate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class CallbackFault(StrEnum):
    """What is wrong with the way a message's reports come."""

    NEVER_TOLD = "never_told"
    """The provider never has a last word, neither by callback nor when asked."""
    LOST = "lost"
    """The last callback doesn't come; only a poll can tell."""
    DUPLICATED = "duplicated"
    """Every callback comes twice."""
    DISORDERED = "disordered"
    """Callbacks come in the reverse order."""
    EARLY = "early"
    """The first callback comes before the sender has said that it sent the message."""
    CORRECTED = "corrected"
    """The provider says it failed, and later that it was delivered after all."""
    UNMAPPED = "unmapped"
    """A word comes in between that no documentation knows."""


class PollFault(StrEnum):
    """What may come in place of a poll's answer."""

    RATE_LIMITED = "rate_limited"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    GARBAGE = "garbage"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """How often what goes wrong; chances from 0 to 1."""

    name: str
    flaws: Mapping[CallbackFault, float]
    """Per message."""
    troubles: Mapping[PollFault, float]
    """Per poll."""
    varied: bool
    """Whether callbacks and answers come in every shape that was seen, or always as documented."""


CALM = FaultProfile("calm", flaws={}, troubles={}, varied=False)

ROUGH = FaultProfile(
    "rough",
    flaws={
        CallbackFault.NEVER_TOLD: 0.02,
        CallbackFault.LOST: 0.03,
        CallbackFault.DUPLICATED: 0.05,
        CallbackFault.DISORDERED: 0.05,
        CallbackFault.EARLY: 0.03,
        CallbackFault.CORRECTED: 0.01,
        CallbackFault.UNMAPPED: 0.01,
    },
    troubles={
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
    flaws=dict.fromkeys(CallbackFault, 0.2),
    troubles=dict.fromkeys(PollFault, 0.04),
    varied=True,
)

PROFILES: Mapping[str, FaultProfile] = {profile.name: profile for profile in (CALM, ROUGH, HOSTILE)}


class Dice(NamedTuple):
    """One message's chance."""

    seed: int
    provider: str
    provider_message_id: str

    def roll(self, question: str) -> float:
        """A number from 0 up to 1; the same question always gets the same."""
        text = f"{self.seed}:{self.provider}:{self.provider_message_id}:{question}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64

    def chance(self, share: float, question: str) -> bool:
        """Whether it happens, as it does in this share of all cases."""
        return self.roll(question) < share

    def between(self, low: float, high: float, question: str) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * self.roll(question)

    def pick(self, choices: Sequence[T], question: str) -> T:
        """One of the choices, each as likely as another."""
        return choices[int(self.roll(question) * len(choices))]

    def weighted(self, chances: Mapping[T, float], question: str) -> T | None:
        """One of the chances' keys, each as likely as its chance says; None for what is left up to 1."""
        rest = self.roll(question)
        for key, chance in chances.items():
            if rest < chance:
                return key
            rest -= chance
        return None
