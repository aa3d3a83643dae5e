"""What will become of a message: the provider's words and their times, the callbacks that come, the right answer.

Pure: the same seed, provider, id and profile give the same fate, in any process. The table of words here is the
simulators' own, so that the bridge's is checked against it and not against itself.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bridge.core.delivery import Status
from bridge.sandbox.simulator.fault_profiles import CallbackFault, Dice, FaultProfile


class ScenarioStep(NamedTuple):
    """From here on the provider knows this word."""

    after: float
    """Seconds since the message was submitted."""
    word: str


class ScheduledCallback(NamedTuple):
    """A callback that will be made."""

    after: float
    """Seconds since the message was submitted."""
    step: ScenarioStep
    """What it tells."""


class Scenario(NamedTuple):
    """All that will happen to one message, and what the bridge must make of it in the end."""

    provider: str
    provider_message_id: str
    steps: tuple[ScenarioStep, ...]
    """What the provider knows, in order; a poll is answered with the last one so far."""
    calls: tuple[ScheduledCallback, ...]
    lost: tuple[ScenarioStep, ...]
    """Steps whose callback doesn't come."""
    final_word: str | None
    """The provider's last word; None: it never has one, so waiting has to end by itself."""
    expected: Status
    """The status of the last event; `unknown` where the provider never has a last word."""
    flaws: frozenset[CallbackFault]
    event_after: float
    """Seconds that the sender takes to say it sent the message. Above zero only for an early callback."""

    def known(self, age: float) -> ScenarioStep | None:
        """What the provider can tell when the message is this many seconds old."""
        return next((step for step in reversed(self.steps) if step.after <= age), None)


class Vocabulary(NamedTuple):
    """A provider's vocabulary."""

    interim: tuple[str, ...]
    """In the order in which they come."""
    unmapped: str
    finals: Mapping[str, tuple[Status, float]]
    """The last words: what they mean, and their share, which add up to 1."""
    mistaken: str
    """What it says of a message that turns out delivered."""
    delivered: str


VOCABULARIES: Mapping[str, Vocabulary] = {
    "dexatel": Vocabulary(
        interim=("pending", "sent"),
        unmapped="buffered",
        finals={
            "delivered": (Status.DELIVERED, 0.91),
            "failed": (Status.FAILED, 0.06),
            "rejected": (Status.REJECTED, 0.03),
        },
        mistaken="failed",
        delivered="delivered",
    ),
    "speedocom": Vocabulary(
        interim=("MessageWaiting", "SentToNetwork"),
        unmapped="HeldAtGateway",
        finals={
            "DeliveredToTerminal": (Status.DELIVERED, 0.88),
            "DelivredToTerminal": (Status.DELIVERED, 0.01),
            "AbsentSubscriber": (Status.UNDELIVERED, 0.04),
            "Delivery Impossible": (Status.UNDELIVERED, 0.02),
            "UserNotExist": (Status.REJECTED, 0.01),
            "SenderName Blacklisted": (Status.REJECTED, 0.01),
            "Insufficient_Balance": (Status.REJECTED, 0.01),
            "Expired": (Status.EXPIRED, 0.02),
        },
        mistaken="Unknown",
        delivered="DeliveredToTerminal",
    ),
}

EXCLUDED_BY: Mapping[CallbackFault, frozenset[CallbackFault]] = {
    CallbackFault.NEVER_TOLD: frozenset(
        {CallbackFault.LOST, CallbackFault.CORRECTED, CallbackFault.EARLY, CallbackFault.UNMAPPED}
    ),
    # A lost correction could not be learnt: after a final word nobody asks again.
    CallbackFault.LOST: frozenset({CallbackFault.CORRECTED}),
    CallbackFault.EARLY: frozenset({CallbackFault.DISORDERED}),
}
"""What can't be wrong where the first is."""


def make_scenario(
    seed: int, provider: str, provider_message_id: str, profile: FaultProfile, speed: float = 1.0
) -> Scenario:
    """Settle what will happen to a message.

    Args:
        seed: Another one gives another world.
        provider: `dexatel` or `speedocom`.
        provider_message_id: The message.
        profile: How often what goes wrong.
        speed: All times are divided by it. At 1 a message's life takes up to about 15 seconds.
    """
    dice = Dice(seed, provider, provider_message_id)
    words = VOCABULARIES[provider]
    flaws = _flaws(dice, profile)
    never = CallbackFault.NEVER_TOLD in flaws
    final_word = None if never else _final_word(dice, words, flaws)
    steps = tuple(_steps(dice, words, flaws, final_word))
    if CallbackFault.EARLY in flaws:
        steps = (ScenarioStep(0.0, steps[0].word), *steps[1:])
    lost = steps[-1:] if CallbackFault.LOST in flaws else ()
    calls = _calls(dice, steps[: len(steps) - len(lost)], flaws)
    return Scenario(
        provider=provider,
        provider_message_id=provider_message_id,
        steps=tuple(_sooner(step, speed) for step in steps),
        calls=tuple(ScheduledCallback(call.after / speed, _sooner(call.step, speed)) for call in calls),
        lost=tuple(_sooner(step, speed) for step in lost),
        final_word=final_word,
        expected=Status.UNKNOWN if final_word is None else words.finals[final_word][0],
        flaws=flaws,
        event_after=dice.between(0.5, 1.5, "event") / speed if CallbackFault.EARLY in flaws else 0.0,
    )


def _sooner(step: ScenarioStep, speed: float) -> ScenarioStep:
    return ScenarioStep(step.after / speed, step.word)


def _flaws(dice: Dice, profile: FaultProfile) -> frozenset[CallbackFault]:
    found = {flaw for flaw, chance in profile.flaws.items() if dice.chance(chance, flaw)}
    for flaw, excluded in EXCLUDED_BY.items():
        if flaw in found:
            found -= excluded
    return frozenset(found)


def _final_word(dice: Dice, words: Vocabulary, flaws: frozenset[CallbackFault]) -> str:
    if CallbackFault.CORRECTED in flaws:
        return words.delivered
    shares = {word: share for word, (_, share) in words.finals.items()}
    return dice.weighted(shares, "final word") or words.delivered  # shares may add up to a hair less than 1


def _steps(
    dice: Dice, words: Vocabulary, flaws: frozenset[CallbackFault], final_word: str | None
) -> Iterator[ScenarioStep]:
    told = [word for word in words.interim if dice.chance(0.7, f"has {word}")]
    if CallbackFault.UNMAPPED in flaws:
        told.append(words.unmapped)
    if CallbackFault.CORRECTED in flaws:
        told.append(words.mistaken)
    after = 0.0
    for word in told:
        after += dice.between(0.1, 1.2, f"when {word}")
        yield ScenarioStep(after, word)
    if final_word is not None:
        # Most within three seconds, a few within ten: a phone that was switched off.
        yield ScenarioStep(after + 0.3 + 9.7 * dice.roll("when final") ** 4, final_word)


def _calls(dice: Dice, steps: tuple[ScenarioStep, ...], flaws: frozenset[CallbackFault]) -> list[ScheduledCallback]:
    """The callbacks about these steps, by time."""
    times = [step.after + dice.between(0.02, 0.2, f"lag {number}") for number, step in enumerate(steps)]
    if CallbackFault.EARLY in flaws:
        times[:1] = [0.0] * len(times[:1])
    calls = [ScheduledCallback(time, step) for time, step in zip(sorted(times), steps, strict=True)]
    if CallbackFault.DISORDERED in flaws and steps:
        # All of them when the last one would come: before that the provider itself didn't know it.
        latest = max(times)
        calls = [ScheduledCallback(latest + 0.3 * number, step) for number, step in enumerate(reversed(steps))]
    if CallbackFault.DUPLICATED in flaws:
        again = [
            ScheduledCallback(call.after + dice.between(0.05, 2.0, f"again {n}"), call.step)
            for n, call in enumerate(calls)
        ]
        calls = sorted([*calls, *again])
    return calls
