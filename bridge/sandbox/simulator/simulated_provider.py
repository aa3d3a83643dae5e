"""How a simulated provider behaves: the messages that it knows, and what it answers to polls. No HTTP server here."""

import time
from collections import Counter
from collections.abc import Mapping

from bridge.sandbox.simulator.fault_profiles import MessageRng
from bridge.sandbox.simulator.message_list import MessageList
from bridge.sandbox.simulator.options import SimulatorOptions
from bridge.sandbox.simulator.scenarios import Scenario, ScenarioStep, make_scenario
from bridge.sandbox.simulator.wire_formats import (
    CallbackRequest,
    DexatelWireFormat,
    PollResponse,
    ProviderWireFormat,
    ReportedStatus,
    SpeedocomWireFormat,
)


class SimulatedProvider:
    """The state of one provider.

    Args:
        name: `dexatel` or `speedocom`.
        options: How it behaves.
        counters: Counts the answers of the message list.
    """

    def __init__(self, name: str, options: SimulatorOptions, counters: Counter[str]) -> None:
        dexatel = DexatelWireFormat(api=options.api, token=options.token, webhook_secret=options.webhook_secret)
        wire_formats: Mapping[str, ProviderWireFormat] = {
            "dexatel": dexatel,
            "speedocom": SpeedocomWireFormat(token=options.token, partner_id=options.partner_id),
        }
        self.name = name
        self.scenarios: dict[str, Scenario] = {}
        """By the provider's message id."""
        self.wire_format = wire_formats[name]
        self.message_list = MessageList(dexatel, self.scenarios, counters, pages_per_second=options.pages_per_second)
        self._options = options
        self._submitted_at: dict[str, float] = {}
        self._poll_counts: Counter[str] = Counter()

    def add_message(self, provider_message_id: str, submitted_at: float) -> Scenario:
        """Decide the scenario of a new message.

        Args:
            provider_message_id: The id that the provider gives it.
            submitted_at: Seconds since the epoch.
        """
        options = self._options
        scenario = make_scenario(options.seed, self.name, provider_message_id, options.profile, options.speed)
        self.scenarios[provider_message_id] = scenario
        self._submitted_at[provider_message_id] = submitted_at
        self.message_list.add(provider_message_id, submitted_at)
        return scenario

    def make_callback(self, provider_message_id: str, step: ScenarioStep) -> CallbackRequest:
        """Return the callback that reports a step of a message."""
        options, rng = self._options, self._make_rng(provider_message_id)
        reported = self._date_step(provider_message_id, step)
        return self.wire_format.make_callback(options.callback_url, reported, rng, varied=options.profile.varied)

    def answer_poll(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, PollResponse | None]:
        """Return the outcome's name and the answer to a poll; no answer if a fault replaces it."""
        if refusal := self.wire_format.check_credentials(headers, parameters):
            return "refused", refusal
        provider_message_id = parameters.get("messageID", "")
        rng, profile = self._make_rng(provider_message_id), self._options.profile
        self._poll_counts[provider_message_id] += 1
        fault = rng.choose_weighted(profile.poll_faults, f"poll {self._poll_counts[provider_message_id]}")
        if fault is not None:
            return fault, None
        scenario = self.scenarios.get(provider_message_id)
        step = scenario.find_step(time.time() - self._submitted_at[provider_message_id]) if scenario else None
        if step is None:
            return "no_report", self.wire_format.make_no_report(rng, varied=profile.varied)
        reported = self._date_step(provider_message_id, step)
        return "report", self.wire_format.make_report(reported, rng, varied=profile.varied)

    def _make_rng(self, provider_message_id: str) -> MessageRng:
        return MessageRng(self._options.seed, self.name, provider_message_id)

    def _date_step(self, provider_message_id: str, step: ScenarioStep) -> ReportedStatus:
        submitted_at = self._submitted_at[provider_message_id]
        return ReportedStatus(step.provider_status, submitted_at + step.after_seconds, submitted_at)
