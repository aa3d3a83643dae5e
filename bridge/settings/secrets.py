"""The types of settings that are secret: a secret that keeps others out is long enough, and none is empty."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

from bridge.settings.types import ValueForm, parse_list

MIN_KEY_CHARS = 16
"""Shortest secret that keeps others out; a shorter one can be guessed."""

_SECRET = re.compile(rf"[A-Za-z0-9_~.-]{{{MIN_KEY_CHARS},}}")
"""A secret in a URL, which needs no escaping."""


def _check_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(_SECRET.fullmatch(secret.get_secret_value()) for secret in secrets):
        raise ValueError(
            f"should be a list of secrets, each of at least {MIN_KEY_CHARS} characters out of A-Z a-z 0-9 _ ~ . -"
        )
    return secrets


def _check_key(key: SecretStr | None) -> SecretStr | None:
    if key is not None and len(key.get_secret_value().strip()) < MIN_KEY_CHARS:
        raise ValueError(f"should have at least {MIN_KEY_CHARS} characters; `openssl rand -hex 32` makes one")
    return key


def _parse_keys(value: object) -> Any:
    if isinstance(value, str) and not value.strip():
        _check_key(SecretStr(""))
    return parse_list(value)


def _check_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for key in keys:
        _check_key(key)
    return keys


def _check_credential(credential: SecretStr | None) -> SecretStr | None:
    if credential is not None and not credential.get_secret_value().strip():
        raise ValueError("should not be empty; unset it if it isn't needed")
    return credential


Secrets = Annotated[
    tuple[SecretStr, ...],
    BeforeValidator(parse_list),
    AfterValidator(_check_secrets),
    ValueForm(f"secret: a list, each at least {MIN_KEY_CHARS} of `A-Z a-z 0-9 _ ~ . -`"),
]
_KEY_FORM = ValueForm(f"secret: at least {MIN_KEY_CHARS} characters")
Key = Annotated[SecretStr | None, AfterValidator(_check_key), _KEY_FORM]
"""A secret that keeps others out: its holder is believed."""
RequiredKey = Annotated[SecretStr, AfterValidator(_check_key), _KEY_FORM]
Keys = Annotated[
    tuple[SecretStr, ...],
    BeforeValidator(_parse_keys),
    AfterValidator(_check_keys),
    ValueForm(f"secret: a list, each at least {MIN_KEY_CHARS} characters"),
]
Credential = Annotated[SecretStr | None, AfterValidator(_check_credential), ValueForm("secret")]
"""A secret that another system issued."""
