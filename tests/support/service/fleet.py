"""Starts services and remembers them, so that every log can be checked after each test."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from tests.support.service.process import Service
from tests.support.service.topics import Topics


class Fleet:
    """Creates topics and services.

    Args:
        bootstrap_servers: The shared Kafka.
        folder: For the services' folders.
    """

    def __init__(self, bootstrap_servers: str, folder: Path) -> None:
        self.bootstrap_servers, self.folder = bootstrap_servers, folder
        self.services: list[Service] = []

    def topics(
        self, *, sent: Sequence[str] = ("sent",), interim: bool = True, bootstrap_servers: str | None = None
    ) -> Topics:
        """Return topics that no other test uses."""
        prefix = f"test-{uuid4().hex[:12]}"
        return Topics(bootstrap_servers or self.bootstrap_servers, prefix, sent=sent, interim=interim)

    def service(self, settings: Mapping[str, str], roles: str | None = None) -> Service:
        """Return a service that isn't started."""
        service = Service(settings, self.folder / f"service-{len(self.services)}", roles)
        self.services.append(service)
        return service

    @asynccontextmanager
    async def running(self, settings: Mapping[str, str], roles: str | None = None) -> AsyncIterator[Service]:
        """Start a service and wait until it is ready; stop it at the end of the block."""
        service = self.service(settings, roles)
        try:
            await service.start()
            yield service
        except BaseException:
            await service.kill()
            raise
        assert await service.stop() == 0, service.tail()

    def assert_clean_logs(self) -> None:
        """Assert that no service's log has a forbidden line."""
        for service in self.services:
            service.assert_clean_log()
