"""How a simulator runs, and the credentials that it accepts by default."""

from dataclasses import dataclass
from ssl import SSLContext

from bridge.sandbox.simulator.fault_profiles import ROUGH, FaultProfile

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - gives access to a simulator only
PARTNER_ID = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """How a simulator runs."""

    callback_url: str = ""
    """Where callbacks go, including the secret; empty: none are sent, and only polls return reports."""
    profile: FaultProfile = ROUGH
    seed: int = 1
    """The same seed gives every message the same scenario."""
    speed: float = 1.0
    """All the provider's times are divided by it."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free port."""
    token: str = TOKEN
    """Dexatel's token or Speedocom's API key, which polls must carry."""
    partner_id: str = PARTNER_ID
    """Speedocom's second credential."""
    api: str = "legacy"
    """Which callbacks Dexatel sends: `legacy` or `v1`. It answers polls of both."""
    webhook_secret: str | None = None
    """Dexatel's webhooks are signed with it; None: they aren't signed."""
    max_concurrent_callbacks: int = 64
    max_callback_retries: int | None = None
    """None: as many as the provider documents."""
    pages_per_second: float = 0
    """The rate limit of Dexatel's message list; 0: no limit."""
    tls: SSLContext | None = None
    """None: plain HTTP."""
