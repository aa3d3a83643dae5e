"""A message's scenario: the statuses that its provider reports, when, by which callbacks, and the expected result.

Pure: the same seed, provider, id and profile give the same scenario in any process. The status table here belongs to
the simulators, so that the bridge's own table is checked against it and not against itself.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bridge.core.delivery import Status
from bridge.sandbox.simulator.fault_profiles import CallbackFault, FaultProfile, MessageRng


class ScenarioStep(NamedTuple):
    """The provider learns a new status."""

    after_seconds: float
    """Since the message was submitted."""
    provider_status: str


class ScheduledCallback(NamedTuple):
    """A callback that the provider will send."""

    after_seconds: float
    """Since the message was submitted."""
    step: ScenarioStep
    """The status that it reports."""


class Scenario(NamedTuple):
    """Everything that will happen to one message, and the result that the bridge must publish."""

    provider: str
    provider_message_id: str
    steps: tuple[ScenarioStep, ...]
    """In order; a poll returns the latest one so far."""
    callbacks: tuple[ScheduledCallback, ...]
    lost_steps: tuple[ScenarioStep, ...]
    """Steps without a callback."""
    final_provider_status: str | None
    """None: the provider never reports a final status, so that the bridge has to give up."""
    expected: Status
    """The status of the last event; `unknown` if the provider never reports a final status."""
    faults: frozenset[CallbackFault]
    sent_event_delay_seconds: float
    """How long the sender waits before it publishes the sent event. Above 0 only for an early callback."""

    def find_step(self, age_seconds: float) -> ScenarioStep | None:
        """Return what the provider reports about the message at this age."""
        return next((step for step in reversed(self.steps) if step.after_seconds <= age_seconds), None)


class Vocabulary(NamedTuple):
    """A provider's statuses."""

    interim: tuple[str, ...]
    """In the order in which they are reported."""
    unmapped: str
    finals: Mapping[str, tuple[Status, float]]
    """The final statuses: what each means, and its share of messages. The shares add up to 1."""
    mistaken: str
    """The status reported first for a message that turns out to be delivered."""
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
    CallbackFault.NEVER_REPORTED: frozenset(
        {CallbackFault.LOST, CallbackFault.CORRECTED, CallbackFault.EARLY, CallbackFault.UNMAPPED}
    ),
    # The bridge couldn't learn of a lost correction: it stops polling after a final status.
    CallbackFault.LOST: frozenset({CallbackFault.CORRECTED}),
    CallbackFault.EARLY: frozenset({CallbackFault.REORDERED}),
}
"""The faults that a message with the first fault can't have as well."""


def make_scenario(
    seed: int, provider: str, provider_message_id: str, profile: FaultProfile, speed: float = 1.0
) -> Scenario:
    """Decide what will happen to a message.

    Args:
        seed: A different seed gives different scenarios.
        provider: `dexatel` or `speedocom`.
        provider_message_id: The message.
        profile: How often each fault occurs.
        speed: All times are divided by it. At 1 a message's scenario takes up to about 15 seconds.
    """
    rng = MessageRng(seed, provider, provider_message_id)
    vocabulary = VOCABULARIES[provider]
    faults = _choose_faults(rng, profile)
    final = None if CallbackFault.NEVER_REPORTED in faults else _choose_final(rng, vocabulary, faults)
    steps = tuple(_make_steps(rng, vocabulary, faults, final))
    if CallbackFault.EARLY in faults:
        steps = (ScenarioStep(0.0, steps[0].provider_status), *steps[1:])
    lost_steps = steps[-1:] if CallbackFault.LOST in faults else ()
    callbacks = _schedule_callbacks(rng, steps[: len(steps) - len(lost_steps)], faults)
    return Scenario(
        provider=provider,
        provider_message_id=provider_message_id,
        steps=tuple(_speed_up(step, speed) for step in steps),
        callbacks=tuple(
            ScheduledCallback(call.after_seconds / speed, _speed_up(call.step, speed)) for call in callbacks
        ),
        lost_steps=tuple(_speed_up(step, speed) for step in lost_steps),
        final_provider_status=final,
        expected=Status.UNKNOWN if final is None else vocabulary.finals[final][0],
        faults=faults,
        sent_event_delay_seconds=rng.uniform(0.5, 1.5, "event") / speed if CallbackFault.EARLY in faults else 0.0,
    )


def _speed_up(step: ScenarioStep, speed: float) -> ScenarioStep:
    return ScenarioStep(step.after_seconds / speed, step.provider_status)


def _choose_faults(rng: MessageRng, profile: FaultProfile) -> frozenset[CallbackFault]:
    faults = {fault for fault, probability in profile.callback_faults.items() if rng.decide(probability, fault)}
    for fault, excluded in EXCLUDED_BY.items():
        if fault in faults:
            faults -= excluded
    return frozenset(faults)


def _choose_final(rng: MessageRng, vocabulary: Vocabulary, faults: frozenset[CallbackFault]) -> str:
    if CallbackFault.CORRECTED in faults:
        return vocabulary.delivered
    shares = {status: share for status, (_, share) in vocabulary.finals.items()}
    return rng.choose_weighted(shares, "final word") or vocabulary.delivered  # the shares may sum to slightly under 1


def _make_steps(
    rng: MessageRng, vocabulary: Vocabulary, faults: frozenset[CallbackFault], final: str | None
) -> Iterator[ScenarioStep]:
    reported = [status for status in vocabulary.interim if rng.decide(0.7, f"has {status}")]
    if CallbackFault.UNMAPPED in faults:
        reported.append(vocabulary.unmapped)
    if CallbackFault.CORRECTED in faults:
        reported.append(vocabulary.mistaken)
    after_seconds = 0.0
    for status in reported:
        after_seconds += rng.uniform(0.1, 1.2, f"when {status}")
        yield ScenarioStep(after_seconds, status)
    if final is not None:
        # Most within three seconds, a few within ten, like a phone that was switched off.
        yield ScenarioStep(after_seconds + 0.3 + 9.7 * rng.random("when final") ** 4, final)


def _schedule_callbacks(
    rng: MessageRng, steps: tuple[ScenarioStep, ...], faults: frozenset[CallbackFault]
) -> list[ScheduledCallback]:
    """Return the callbacks about these steps, ordered by time."""
    times = [step.after_seconds + rng.uniform(0.02, 0.2, f"lag {number}") for number, step in enumerate(steps)]
    if CallbackFault.EARLY in faults:
        times[:1] = [0.0] * len(times[:1])
    callbacks = [ScheduledCallback(time, step) for time, step in zip(sorted(times), steps, strict=True)]
    if CallbackFault.REORDERED in faults and steps:
        # None before the time of the last one: until then the provider doesn't know that status itself.
        latest = max(times)
        callbacks = [ScheduledCallback(latest + 0.3 * number, step) for number, step in enumerate(reversed(steps))]
    if CallbackFault.DUPLICATED in faults:
        duplicates = [
            ScheduledCallback(callback.after_seconds + rng.uniform(0.05, 2.0, f"again {number}"), callback.step)
            for number, callback in enumerate(callbacks)
        ]
        callbacks = sorted([*callbacks, *duplicates])
    return callbacks
