"""How a client connects: bootstrap servers, TLS, SASL; settings in, the client library's options out."""

import ssl
from importlib.util import find_spec
from typing import Any

from bridge.core.errors import ConfigurationError
from bridge.kafka.msk_iam import MskIamSigner
from bridge.kafka.oauth_client import OAuthClient
from bridge.kafka.tokens import FileToken, FixedToken, TokenProvider, TokenSource
from bridge.settings.kafka import KafkaSettings
from bridge.settings.model import PREFIX
from bridge.tls.certificate_files import CertificateFiles
from bridge.tls.reloading_context import ReloadingContext


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Build the client library's options for connecting.

    Raises:
        ConfigurationError: A password is missing, or a file can't be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.group_id,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options |= _sasl(settings)
    return options


def _sasl(settings: KafkaSettings) -> dict[str, Any]:
    if settings.sasl_mechanism == "GSSAPI":
        if find_spec("gssapi") is None:
            raise ConfigurationError(
                f"{PREFIX}KAFKA__SASL_MECHANISM: GSSAPI needs the package gssapi and Kerberos' libraries: "
                "pip install gssapi"
            )
        return {"sasl_mechanism": "GSSAPI"}
    if settings.sasl_mechanism in {"OAUTHBEARER", "AWS_MSK_IAM"}:
        provider = TokenProvider(_token_source(settings))
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": provider}
    if settings.sasl_password is None:
        raise ConfigurationError(f"{PREFIX}KAFKA__SASL_PASSWORD is missing; {settings.sasl_mechanism} needs it")
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password.get_secret_value(),
    }


def _token_source(settings: KafkaSettings) -> TokenSource:
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return MskIamSigner(settings.aws_region, settings.bootstrap_servers)
    if settings.oauth.token_url:
        return OAuthClient(settings.oauth)
    if settings.oauth.token_file is not None:
        return FileToken(settings.oauth.token_file)
    if settings.sasl_password is not None:
        return FixedToken(settings.sasl_password.get_secret_value())
    raise ConfigurationError(
        f"{PREFIX}KAFKA__OAUTH__TOKEN_URL is missing; OAUTHBEARER needs it, or KAFKA__OAUTH__TOKEN_FILE"
    )


def _ssl_context(settings: KafkaSettings) -> ReloadingContext:
    files = CertificateFiles(
        chains={"KAFKA__SSL_CERTFILE": settings.ssl_certfile} if settings.ssl_certfile else {},
        authorities={"KAFKA__SSL_CAFILE": settings.ssl_cafile} if settings.ssl_cafile else {},
        keys=[settings.ssl_keyfile] if settings.ssl_keyfile else [],
    )
    return ReloadingContext(files, lambda: _make_context(settings))


def _make_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        context.check_hostname = settings.ssl_check_hostname
        if settings.ssl_certfile:
            secret = settings.ssl_key_password
            # Without a password, OpenSSL would ask for it at the terminal.
            password = secret.get_secret_value() if secret else ""
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
    except OSError as error:
        raise ConfigurationError(f"{PREFIX}KAFKA__SSL_...: the files can't be read ({error})") from error
    return context
