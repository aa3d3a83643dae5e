"""The settings of polls at a provider that settings describe.

The docstring below a member is its row in docs/settings.md (`make docs`).
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bridge.core.schedule import FALLBACK, SECOND
from bridge.settings.secrets import Credential
from bridge.settings.types import Choices, Count, Duration, Group, Pointer, PollAges, Table
from bridge.settings.urls import UrlTemplate

PollSecrets = Annotated[dict[str, Credential], Field(default_factory=dict)]


class WebhookPollSettings(Group):
    """How the provider is asked about a message. A callback that is lost in an outage isn't lost then."""

    url: UrlTemplate = None
    """URL of a message's status, with `{id}` for its id; with it, messages are polled."""
    method: Literal["GET", "POST"] = "GET"
    """HTTP method of a poll."""
    headers: Table = Field(default_factory=dict)
    """Headers of a poll, with secrets by name: `{"Authorization":"Bearer {token}"}`."""
    body: str | None = None
    """Body of a poll, with `{id}` and secrets by name; JSON unless `HEADERS` has another `Content-Type`."""
    secrets: PollSecrets
    """Secrets for `URL`, `HEADERS` and `BODY`: `POLL__SECRETS__TOKEN` is `{token}`."""
    status: Pointer = None
    """JSON pointer to the status in an answer; without it, that of callbacks. The same for the following three."""
    error: Pointer = None
    """JSON pointer to the error code in an answer."""
    time: Pointer = None
    """JSON pointer to the time in an answer."""
    id: Pointer = None
    """JSON pointer to the message id in an answer, which is compared with the polled one."""
    no_report: Choices = Field(default_factory=dict)
    """What an answer without a report looks like: `{"/code":["1008"]}`. 404 and an answer without a status are ones."""
    unknown_id: Choices = Field(default_factory=dict)
    """What an answer looks like if the provider will never know the id: it isn't polled again."""
    ages: PollAges = FALLBACK
    """When to poll a message: `fallback` (15m 1h 4h 12h 24h 36h after sending), `always`, `never`, or your own list."""
    concurrency: Count = 16
    """Maximum number of concurrent polls."""
    timeout: Duration = 10 * SECOND
    """How long a poll waits for its response."""
    rate_per_second: Annotated[float, Field(gt=0)] = 10
    """Maximum number of polls a second, over all replicas."""

    @model_validator(mode="after")
    def _check_placeholders(self) -> Self:
        known = {"id", *(name.lower() for name in self.secrets)}
        for template in (self.url or "", self.body or "", *self.headers.values()):
            if unknown := set(re.findall(r"\{([a-z0-9_]+)\}", template)) - known:
                raise ValueError(f"{{{min(unknown)}}} is no secret; set POLL__SECRETS__{min(unknown).upper()}")
        if "id" in {name.lower() for name in self.secrets}:
            raise ValueError("{id} stands for the message id; call the secret of POLL__SECRETS__ID otherwise")
        return self
