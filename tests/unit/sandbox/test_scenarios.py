"""What the simulators will do is settled by seed and id alone, and the right answer with it."""

from collections import Counter
from itertools import pairwise

import pytest

from bridge.core.delivery import Status
from bridge.sandbox.simulator.fault_profiles import CALM, HOSTILE, ROUGH, CallbackFault
from bridge.sandbox.simulator.scenarios import VOCABULARIES, Scenario, make_scenario

PROVIDERS = ("dexatel", "speedocom")


def fates(provider: str, count: int = 3000, seed: int = 1) -> list[Scenario]:
    """Many messages' fates in the rough profile."""
    return [make_scenario(seed, provider, f"m-{number}", ROUGH) for number in range(count)]


def flawed(flaw: CallbackFault, provider: str) -> list[Scenario]:
    """Fates that have this flaw, from a world where there are many."""
    found = [make_scenario(1, provider, f"m-{number}", HOSTILE) for number in range(1000)]
    return [settled for settled in found if flaw in settled.flaws]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_seed_settles_the_same_whatever_the_order(provider: str) -> None:
    """A run can be repeated; another seed is another world."""
    backwards = [make_scenario(1, provider, f"m-{number}", ROUGH) for number in reversed(range(3000))]
    assert fates(provider) == backwards[::-1]
    assert fates(provider) != fates(provider, seed=2)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_flaws_are_as_frequent_as_the_profile_says(provider: str) -> None:
    """Within what chance allows of 3,000 messages."""
    count = Counter(flaw for settled in fates(provider) for flaw in settled.flaws)
    for flaw, chance in ROUGH.flaws.items():
        assert 0.6 * chance < count[flaw] / 3000 < 1.5 * chance, flaw


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_goes_wrong_in_the_calm(provider: str) -> None:
    """Every step is told by one callback, in order, and the last one is final."""
    for number in range(500):
        settled = make_scenario(1, provider, f"m-{number}", CALM)
        assert not settled.flaws
        assert [call.step for call in settled.calls] == list(settled.steps)
        assert settled.steps[-1].word == settled.final_word
        assert all(first.after <= second.after for first, second in pairwise(settled.calls))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_never_told_is_expected_to_end_as_unknown(provider: str) -> None:
    """Neither a callback nor a poll ever has a last word."""
    for settled in flawed(CallbackFault.NEVER_TOLD, provider):
        assert settled.expected is Status.UNKNOWN
        assert not {step.word for step in settled.steps} & set(VOCABULARIES[provider].finals)
        assert settled.known(10**9) == (settled.steps[-1] if settled.steps else None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_lost_report_is_polled_but_never_called_back(provider: str) -> None:
    """So only a poll can tell it."""
    for settled in flawed(CallbackFault.LOST, provider):
        assert settled.lost == settled.steps[-1:]
        assert settled.lost[0] not in {call.step for call in settled.calls}
        assert settled.known(10**9) == settled.lost[0]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_duplicates_come_twice_and_disorder_backwards(provider: str) -> None:
    """The two commonest complaints."""
    for settled in flawed(CallbackFault.DUPLICATED, provider):
        assert set(Counter(call.step for call in settled.calls).values()) <= {2}
    for settled in flawed(CallbackFault.DISORDERED, provider):
        if not settled.flaws & {CallbackFault.DUPLICATED, CallbackFault.LOST}:
            assert [call.step for call in settled.calls] == list(reversed(settled.steps))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_early_callback_comes_before_the_sender_says_so(provider: str) -> None:
    """And nobody else's sender dawdles."""
    for settled in flawed(CallbackFault.EARLY, provider):
        assert settled.event_after > 0
        assert not settled.calls or settled.calls[0].after < settled.event_after
    assert not any(settled.event_after for settled in fates(provider) if CallbackFault.EARLY not in settled.flaws)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_correction_ends_with_delivered(provider: str) -> None:
    """First the provider says that it failed."""
    corrected = flawed(CallbackFault.CORRECTED, provider)
    assert corrected
    for settled in corrected:
        assert [step.word for step in settled.steps][-2:] == [
            VOCABULARIES[provider].mistaken,
            VOCABULARIES[provider].delivered,
        ]
        assert settled.expected is Status.DELIVERED


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_life_takes_fifteen_seconds_and_less_at_speed(provider: str) -> None:
    """A demo's messages are through while somebody still looks."""
    assert max(call.after for settled in fates(provider) for call in settled.calls) < 16
    for slow in fates(provider, 50):
        quick = make_scenario(1, provider, slow.provider_message_id, ROUGH, speed=10)
        assert [call.after for call in quick.calls] == [pytest.approx(call.after / 10) for call in slow.calls]
