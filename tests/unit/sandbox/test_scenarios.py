"""A scenario depends only on seed, message and profile, and contains the expected result."""

from collections import Counter
from itertools import pairwise

import pytest

from bridge.core.delivery import Status
from bridge.sandbox.simulator.fault_profiles import CALM, HOSTILE, ROUGH, CallbackFault
from bridge.sandbox.simulator.scenarios import VOCABULARIES, Scenario, make_scenario

PROVIDERS = ("dexatel", "speedocom")


def make_scenarios(provider: str, count: int = 3000, seed: int = 1) -> list[Scenario]:
    """Return many scenarios of the rough profile."""
    return [make_scenario(seed, provider, f"m-{number}", ROUGH) for number in range(count)]


def make_faulty_scenarios(fault: CallbackFault, provider: str) -> list[Scenario]:
    """Return scenarios with this fault, from the hostile profile."""
    found = [make_scenario(1, provider, f"m-{number}", HOSTILE) for number in range(1000)]
    return [scenario for scenario in found if fault in scenario.faults]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_scenarios_depend_on_the_seed_only(provider: str) -> None:
    """The same seed gives the same scenarios in any order."""
    backwards = [make_scenario(1, provider, f"m-{number}", ROUGH) for number in reversed(range(3000))]
    assert make_scenarios(provider) == backwards[::-1]
    assert make_scenarios(provider) != make_scenarios(provider, seed=2)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_faults_are_as_frequent_as_configured(provider: str) -> None:
    """Within statistical limits for 3,000 messages."""
    count = Counter(fault for scenario in make_scenarios(provider) for fault in scenario.faults)
    for fault, probability in ROUGH.callback_faults.items():
        assert 0.6 * probability < count[fault] / 3000 < 1.5 * probability, fault


@pytest.mark.parametrize("provider", PROVIDERS)
def test_calm_profile_has_no_faults(provider: str) -> None:
    """Each step has one callback, in order, and the last status is final."""
    for number in range(500):
        scenario = make_scenario(1, provider, f"m-{number}", CALM)
        assert not scenario.faults
        assert [callback.step for callback in scenario.callbacks] == list(scenario.steps)
        assert scenario.steps[-1].provider_status == scenario.final_provider_status
        assert all(first.after_seconds <= second.after_seconds for first, second in pairwise(scenario.callbacks))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_never_reported_message_ends_unknown(provider: str) -> None:
    """Neither a callback nor a poll has a final status."""
    for scenario in make_faulty_scenarios(CallbackFault.NEVER_REPORTED, provider):
        assert scenario.expected is Status.UNKNOWN
        assert not {step.provider_status for step in scenario.steps} & set(VOCABULARIES[provider].finals)
        assert scenario.find_step(10**9) == (scenario.steps[-1] if scenario.steps else None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_lost_report_is_polled_but_never_called_back(provider: str) -> None:
    """Only a poll returns it."""
    for scenario in make_faulty_scenarios(CallbackFault.LOST, provider):
        assert scenario.lost_steps == scenario.steps[-1:]
        assert scenario.lost_steps[0] not in {callback.step for callback in scenario.callbacks}
        assert scenario.find_step(10**9) == scenario.lost_steps[0]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_duplicated_and_reordered_callbacks(provider: str) -> None:
    """Duplicates come twice; reordered callbacks come in reverse."""
    for scenario in make_faulty_scenarios(CallbackFault.DUPLICATED, provider):
        assert set(Counter(callback.step for callback in scenario.callbacks).values()) <= {2}
    for scenario in make_faulty_scenarios(CallbackFault.REORDERED, provider):
        if not scenario.faults & {CallbackFault.DUPLICATED, CallbackFault.LOST}:
            assert [callback.step for callback in scenario.callbacks] == list(reversed(scenario.steps))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_early_callback_precedes_the_sent_event(provider: str) -> None:
    """Other messages have no delay of the sent event."""
    for scenario in make_faulty_scenarios(CallbackFault.EARLY, provider):
        assert scenario.sent_event_delay_seconds > 0
        assert not scenario.callbacks or scenario.callbacks[0].after_seconds < scenario.sent_event_delay_seconds
    assert not any(
        scenario.sent_event_delay_seconds
        for scenario in make_scenarios(provider)
        if CallbackFault.EARLY not in scenario.faults
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_correction_ends_with_delivered(provider: str) -> None:
    """The provider first reports a failure."""
    corrected = make_faulty_scenarios(CallbackFault.CORRECTED, provider)
    assert corrected
    for scenario in corrected:
        assert [step.provider_status for step in scenario.steps][-2:] == [
            VOCABULARIES[provider].mistaken,
            VOCABULARIES[provider].delivered,
        ]
        assert scenario.expected is Status.DELIVERED


@pytest.mark.parametrize("provider", PROVIDERS)
def test_scenario_takes_fifteen_seconds(provider: str) -> None:
    """At speed 1; other speeds divide all times."""
    assert max(callback.after_seconds for scenario in make_scenarios(provider) for callback in scenario.callbacks) < 16
    for slow in make_scenarios(provider, 50):
        quick = make_scenario(1, provider, slow.provider_message_id, ROUGH, speed=10)
        assert [callback.after_seconds for callback in quick.callbacks] == [
            pytest.approx(callback.after_seconds / 10) for callback in slow.callbacks
        ]
