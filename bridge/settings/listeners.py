"""The settings of the two ports: the public one, for callbacks, and the internal one, for administration."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, field_validator, model_validator

from bridge.core.schedule import SECOND
from bridge.settings.secrets import Key
from bridge.settings.types import Count, Duration, Group, Networks, Port
from bridge.settings.urls import Url


def _parse_region(text: str) -> str:
    """Parse a region's two letters.

    Raises:
        ValueError: The library of phone numbers has no such region.
    """
    if not text:
        return ""
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - takes 0.2 s, and most settings have no region

    region = text.upper()
    if region not in SUPPORTED_REGIONS:
        raise ValueError("should be a region's two letters (ISO 3166), such as GB, DE or US")
    return region


class HttpSettings(Group):
    """The public listener, for callbacks only."""

    host: str = "0.0.0.0"  # noqa: S104 - it runs in a container; publishing the port is the boundary
    """The address to listen on."""
    port: Port = 8080
    """The port to listen on."""
    ack_timeout: Duration = 5 * SECOND
    """How long a callback waits for Kafka to acknowledge it before it is answered 503."""
    max_waiting: Count = 1000
    """Callbacks of each provider that may wait for Kafka at a time; any more are answered 503."""
    max_connections: Count = 4096
    """Maximum number of connections; one address may have a quarter of them, unless it is a trusted proxy. When there
    is no room for another one, the one that has waited longest for its client is closed."""
    idle_timeout: Duration = 75 * SECOND
    """How long a connection is kept without a request; longer than your load balancer keeps its own."""
    trusted_proxies: Networks = ()
    """Proxies whose `X-Forwarded-For` or `Forwarded` is trusted; if both are present and disagree, neither is."""
    public_url: Url = ""
    """URL of the bridge as providers call it, such as `https://sms.example.com`, for signatures that include it. Empty:
    as the request's `Host` says."""
    health_path: str = "/healthz"
    """Path that load balancers check: 200 while callbacks are accepted, 503 while they aren't. Empty: none."""
    tls_cert: Path | None = None
    """PEM file of the server certificate; with it, the listener accepts only TLS (1.2 or later). A changed file is
    loaded without a restart."""
    tls_key: Path | None = None
    """PEM file of the server certificate's private key."""

    @field_validator("health_path")
    @classmethod
    def _check_health_path(cls, path: str) -> str:
        if path and (not path.startswith("/") or path.startswith("/dlr")):
            raise ValueError("should be a path such as /healthz, outside /dlr")
        return path

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        _check_pair("HTTP", self.tls_cert, self.tls_key)
        return self


class AdminSettings(Group):
    """The internal listener, for probes, metrics and the status page; don't expose it to the internet."""

    host: str = "0.0.0.0"  # noqa: S104 - the same
    """The address to listen on."""
    port: Port = 9090
    """The port to listen on."""
    token: Key = None
    """Token that the status page and `/api/...` ask for. Without one, they are only there for this machine, such as
    through port-forwarding with kubectl."""
    default_region: Annotated[str, AfterValidator(_parse_region)] = ""
    """Region whose national phone numbers people search for, as two letters (ISO 3166), such as `GB`: `07700 900123`
    then finds `+447700900123`, on the page and with `sms-bridge trace --recipient`. Empty: international forms only."""
    runbook_base: Url = ""
    """URL under which you publish the runbooks: the status page's links append `/{Alert}.md` to it. Empty: the
    project's."""
    tls_cert: Path | None = None
    """PEM file of the port's certificate; with it, the port accepts only TLS, for probes and metrics as well."""
    tls_key: Path | None = None
    """PEM file of the certificate's private key."""

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        _check_pair("ADMIN", self.tls_cert, self.tls_key)
        return self


def _check_pair(group: str, certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise ValueError(f"{group}__TLS_CERT and {group}__TLS_KEY are needed together")
