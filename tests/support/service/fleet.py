"""All that a run of the tests starts, so that each test's end can look at every log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from tests.support.service.process import Service
from tests.support.service.topics import Topics


class Fleet:
    """Makes installations and services, and knows them all.

    Args:
        bootstrap_servers: The Kafka that all share.
        folder: Where services have their folders.
    """

    def __init__(self, bootstrap_servers: str, folder: Path) -> None:
        self.bootstrap_servers, self.folder = bootstrap_servers, folder
        self.services: list[Service] = []

    def topics(
        self, *, sent: Sequence[str] = ("sent",), interim: bool = True, bootstrap_servers: str | None = None
    ) -> Topics:
        """Topics that no other test uses."""
        prefix = f"test-{uuid4().hex[:12]}"
        return Topics(bootstrap_servers or self.bootstrap_servers, prefix, sent=sent, interim=interim)

    def service(self, settings: Mapping[str, str], roles: str | None = None) -> Service:
        """A service that isn't started yet."""
        service = Service(settings, self.folder / f"service-{len(self.services)}", roles)
        self.services.append(service)
        return service

    @asynccontextmanager
    async def running(self, settings: Mapping[str, str], roles: str | None = None) -> AsyncIterator[Service]:
        """A service that is ready, and ended in order at the block's end."""
        service = self.service(settings, roles)
        try:
            await service.start()
            yield service
        except BaseException:
            await service.kill()
            raise
        assert await service.stop() == 0, service.tail()

    def assert_clean_logs(self) -> None:
        """No service said what mustn't be said."""
        for service in self.services:
            service.assert_clean_log()
