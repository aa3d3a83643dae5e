"""Notices changed certificates, has them loaded, and tells when the loaded ones expire."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

import structlog

from bridge.core.errors import ConfigurationError
from bridge.tls.certificate_files import CertificateFiles, FileVersion

CHECK_INTERVAL = 2.0
"""Seconds between two looks at the files."""

log = structlog.get_logger(__name__)


class WatchedCertificates(NamedTuple):
    """Files, and what loads them."""

    files: CertificateFiles
    load: Callable[[], Awaitable[None]]
    """Loads the files; if it raises `ConfigurationError`, the previous ones stay in use."""


class _Watch:
    """What is known of the files of one client or server."""

    def __init__(self, watched: WatchedCertificates, report_expiry: Callable[[str, float], None]) -> None:
        self._files, self._load = watched
        self._report_expiry = report_expiry
        self._loaded = self._files.read_versions()
        self._refused: tuple[FileVersion | None, ...] | None = None
        self._reported = False

    def report_expiry_times(self) -> None:
        """Report when the certificates expire."""
        for setting, timestamp in self._files.read_expiry_times().items():
            self._report_expiry(setting, timestamp)

    async def check(self) -> None:
        """Load the files if they have changed. What can't be used is tried again, and logged the second time.

        At the first time, a program may still be replacing one file after the other.
        """
        versions = self._files.read_versions()
        if versions == self._loaded:
            return
        try:
            await self._load()
            self.report_expiry_times()
        except (ConfigurationError, OSError, ValueError) as error:
            self._reported &= versions == self._refused
            if versions == self._refused and not self._reported:
                self._reported = True
                log.warning("changed certificates can't be used; the previous ones stay", error=str(error))
            self._refused = versions
            return
        self._loaded, self._refused, self._reported = versions, None, False
        log.info("certificates reloaded", settings=self._files.settings)


class CertificateWatcher:
    """Watches the files of a process.

    Args:
        watched: The files. They are loaded at about this time, by others.
        report_expiry: Is told the setting of a certificate and its not-after time as a Unix timestamp.
    """

    def __init__(self, watched: Iterable[WatchedCertificates], report_expiry: Callable[[str, float], None]) -> None:
        self._watches = [_Watch(one, report_expiry) for one in watched if one.files]

    async def run(self, interval: float = CHECK_INTERVAL) -> None:
        """Watch for ever, looking every `interval` seconds."""
        for watch in self._watches:
            with suppress(OSError, ValueError):  # they have changed since they were loaded
                watch.report_expiry_times()
        while True:
            await asyncio.sleep(interval)
            for watch in self._watches:
                await watch.check()
