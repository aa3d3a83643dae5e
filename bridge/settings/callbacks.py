"""The settings of callbacks that any provider may have: credentials, signatures and answers.

The docstring below a member is its row in docs/settings.md (`make docs`).
"""

import re
from base64 import b64decode
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from bridge.core.schedule import MINUTE
from bridge.settings.secrets import Keys, RequiredKey
from bridge.settings.types import Duration, Group, HeaderName, HeaderValue, OptionalHeaderName

PLACEHOLDERS = frozenset({"body", "timestamp", "id", "url", "parameters"})
"""What the template of a signature may have in braces."""


class BasicAuthSettings(Group):
    """Basic auth that callbacks must have."""

    username: Annotated[str, Field(min_length=1, pattern="^[^:]*$")]
    """User name of the Basic auth that callbacks must have, beside the secret in their URL."""
    password: RequiredKey
    """Password of the Basic auth."""


class HeaderAuthSettings(Group):
    """A header that callbacks must have."""

    name: HeaderName
    """Header that callbacks must have, beside the secret in their URL, such as `Authorization` or `X-Api-Key`."""
    value: RequiredKey
    """The header's value: `Bearer …` with the word."""


class AnswerSettings(Group):
    """What an accepted callback is answered."""

    status: Annotated[int, Field(ge=200, le=299)] = 200
    """HTTP status of the answer to an accepted callback."""
    body: str = "OK"
    """Body of the answer: some providers repeat a callback until they get a certain one, such as `{"code":0}`."""
    content_type: HeaderValue = "text/plain; charset=utf-8"
    """Content type of the answer."""


class SignatureSettings(Group):
    """How callbacks are signed. What is unset is as the scheme says."""

    scheme: Literal["hmac", "standard-webhooks", "twilio"] = "hmac"
    """Scheme of the signature: `hmac` of the raw body, or of `TEMPLATE`; `standard-webhooks` (Svix); `twilio`."""
    secret: Keys = ()
    """Keys of the HMAC, more than one for rotation; with them, callbacks must be signed. `whsec_…` is base64."""
    header: OptionalHeaderName = None
    """Header that has the signature. Required for `hmac`."""
    algorithm: Literal["sha1", "sha256", "sha512"] | None = None
    """Hash function of the HMAC; `hmac`: `sha256`."""
    encoding: Literal["hex", "base64"] | None = None
    """Encoding of the signature; `hmac`: `hex`."""
    prefix: str | None = None
    """Text before the signature, such as `v1=`; without it, `sha256=` and the like are allowed."""
    template: str | None = None
    """What is signed, with `{body}`, `{timestamp}`, `{id}`, `{url}` and `{parameters}` (a form's, sorted); `hmac`:
    `{body}`."""
    timestamp_header: OptionalHeaderName = None
    """Header that has `{timestamp}`; without it, it is the `t=` of the signature's header."""
    id_header: OptionalHeaderName = None
    """Header that has `{id}`."""
    tolerance: Duration = 5 * MINUTE
    """How far `{timestamp}` may be from now."""
    secret_encoding: Literal["text", "base64"] | None = None
    """How the keys are written; `hmac`: `text`."""

    @field_validator("template")
    @classmethod
    def _check_template(cls, template: str | None) -> str | None:
        names = set(re.findall(r"\{([^{}]*)\}", template or "{body}"))
        if not names <= PLACEHOLDERS or names.isdisjoint({"body", "parameters", "url"}) or template == "":
            known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
            raise ValueError(f"should have {{body}}, {{parameters}} or {{url}}; known are {known}")
        return template

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.template and "{id}" in self.template and not self.id_header:
            raise ValueError("SIGNATURE__ID_HEADER is needed for {id}")
        is_base64 = self.secret_encoding is not None and self.secret_encoding != "text"  # noqa: S105 - a form
        for key in map(SecretStr.get_secret_value, self.secret):
            if is_base64 or key.startswith("whsec_"):
                try:
                    b64decode(key.removeprefix("whsec_"), validate=True)
                except ValueError:
                    raise ValueError("SIGNATURE__SECRET isn't the base64 that it should be") from None
        return self
