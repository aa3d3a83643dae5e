"""Builds the two ports, and what keeps their certificates fresh."""

from functools import partial

import structlog

from bridge.http_server.connection_table import CloseReason, ConnectionLimits
from bridge.http_server.descriptors import raise_descriptor_limit
from bridge.http_server.listener import Listener, ListenerTls
from bridge.http_server.messages import Handler
from bridge.observability.metrics import ProcessMetrics
from bridge.receiver.client_address import is_in_networks, parse_address
from bridge.settings.listeners import AdminSettings, HttpSettings
from bridge.settings.model import PREFIX, Settings
from bridge.tls.certificate_files import CertificateFiles
from bridge.tls.certificate_watcher import CertificateWatcher, WatchedCertificates

ADMIN_LIMITS = ConnectionLimits(max_connections=512, max_per_peer=128)
PEER_SHARE = 4
"""A peer may have one part in so many of all connections."""

log = structlog.get_logger(__name__)


class ListenerBuilder:
    """Builds the listeners of one process.

    Args:
        settings: How the process is set up.
        metrics: Counts connections.
        kafka_certificates: The certificates of the connection to Kafka, if it has any.
    """

    def __init__(
        self, settings: Settings, metrics: ProcessMetrics, kafka_certificates: WatchedCertificates | None
    ) -> None:
        self._settings, self._metrics = settings, metrics
        self._watched = [kafka_certificates] if kafka_certificates else []
        self._descriptors = raise_descriptor_limit()

    def build_public_listener(self, handler: Handler) -> Listener:
        """The public port, for callbacks alone."""
        http = self._settings.http
        return self._build("HTTP", http, handler, self._limit_connections(http))

    def build_admin_listener(self, handler: Handler) -> Listener:
        """The internal port."""
        return self._build("ADMIN", self._settings.admin, handler, ADMIN_LIMITS)

    def build_certificate_watcher(self) -> CertificateWatcher | None:
        """The watcher of the certificates of Kafka and of the listeners that were built; None if there are none."""
        found = [one for one in self._watched if one.files]
        expiry = self._metrics.certificate_expiry
        return CertificateWatcher(found, lambda setting, at: expiry.labels(setting).set(at)) if found else None

    def _limit_connections(self, http: HttpSettings) -> ConnectionLimits:
        available = self._descriptors - ADMIN_LIMITS.max_connections
        if available < http.max_connections:
            log.warning(
                "too few file descriptors for HTTP__MAX_CONNECTIONS; raise the limit (ulimit -n)",
                max_connections=http.max_connections,
                available=available,
            )
        most = min(http.max_connections, available)
        return ConnectionLimits(
            max_connections=most,
            max_per_peer=max(1, most // PEER_SHARE),
            is_proxy=partial(_is_trusted_proxy, http=http),
            idle_timeout=http.idle_timeout / 1000,
        )

    def _build(
        self, group: str, at: HttpSettings | AdminSettings, handler: Handler, limits: ConnectionLimits
    ) -> Listener:
        tls, name = None, group.lower()
        if at.tls_cert and at.tls_key:
            tls = ListenerTls(f"{PREFIX}{group}__TLS_CERT", at.tls_cert, at.tls_key)
        listener = Listener(
            handler,
            at.host,
            at.port,
            setting=f"{PREFIX}{group}__PORT {at.port}",
            tls=tls,
            limits=limits,
            report=partial(self._count_closed, name),
        )
        if tls:
            files = CertificateFiles(chains={f"{group}__TLS_CERT": tls.certificate}, keys=[tls.key])
            self._watched.append(WatchedCertificates(files, listener.reload))
        self._metrics.http_connections.labels(name).set_function(listener.count_connections)
        return listener

    def _count_closed(self, name: str, reason: CloseReason) -> None:
        self._metrics.http_connections_closed.labels(name, reason.value).inc()


def _is_trusted_proxy(peer: str, http: HttpSettings) -> bool:
    address = parse_address(peer)
    return address is not None and is_in_networks(address, http.trusted_proxies)
