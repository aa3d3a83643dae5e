"""Tokens for Amazon MSK: the vendor's package signs them with the AWS credentials of the process.

The package belongs to the extra `msk`, and is loaded only here.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from importlib.util import find_spec

from bridge.core.errors import ConfigurationError
from bridge.kafka.token_cache import IssuedToken, TokenCache
from bridge.kafka.tokens import TokenError, check_token
from bridge.settings.model import PREFIX

SIGN_TIMEOUT = 10.0
"""Seconds for one token: AWS may have to be asked for credentials."""

_REGION = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?:\d+$")
_SETTING = "KAFKA__SASL_MECHANISM"


class MskIamSigner:
    """Signs tokens, and keeps them.

    Args:
        region: The cluster's AWS region; None to take it from the brokers' names.
        bootstrap_servers: `host:port` of the brokers.

    Raises:
        ConfigurationError: The extra isn't installed, or the region is unknown.
    """

    def __init__(self, region: str | None, bootstrap_servers: Sequence[str]) -> None:
        if find_spec("aws_msk_iam_sasl_signer") is None:
            raise ConfigurationError(
                f"{PREFIX}{_SETTING}: AWS_MSK_IAM needs the extra msk: pip install 'sms-bridge[msk]'"
            )
        self._region = region or _find_region(bootstrap_servers)
        self._cache = TokenCache(self._request_token)

    async def fetch(self) -> str:
        """Return a token that is valid now.

        Raises:
            TokenError: It can't be signed.
        """
        return await self._cache.fetch()

    async def _request_token(self) -> IssuedToken:
        try:
            async with asyncio.timeout(SIGN_TIMEOUT):
                token, lifetime = await asyncio.to_thread(self._sign)
        except Exception as error:  # noqa: BLE001 - without credentials, the package raises an AttributeError
            # The text may have parts of the request in it: left out.
            raise TokenError(
                f"{PREFIX}{_SETTING}: no AWS credentials for AWS_MSK_IAM ({type(error).__name__}); give the process a "
                "role, such as by its service account, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None
        return IssuedToken(check_token(token, _SETTING), lifetime)

    def _sign(self) -> tuple[str, float]:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # noqa: PLC0415 - of the extra

        token, expires_at_ms = MSKAuthTokenProvider.generate_auth_token(self._region)
        return str(token), expires_at_ms / 1000 - time.time()


def _find_region(bootstrap_servers: Sequence[str]) -> str:
    for server in bootstrap_servers:
        if found := _REGION.search(server):
            return found[1]
    raise ConfigurationError(f"{PREFIX}KAFKA__AWS_REGION is missing; the brokers' names don't tell it")
