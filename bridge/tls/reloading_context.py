"""A TLS context for clients that follows its files: each new connection has what they hold by then."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from bridge.core.errors import ConfigurationError
from bridge.tls.certificate_files import CertificateFiles


class ReloadingContext(ssl.SSLContext):
    """Passes each new connection to a context that is made again when a file has changed.

    A context can't forget an authority, so it can't be changed itself. If the new files can't be used, new connections
    have the previous ones.

    Args:
        files: What the context is made of.
        make: Makes it; raises `ConfigurationError`.
    """

    def __new__(cls, _files: CertificateFiles, _make: Callable[[], ssl.SSLContext]) -> Self:  # noqa: D102 - Python's
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: CertificateFiles, make: Callable[[], ssl.SSLContext]) -> None:
        super().__init__()
        self.files = files
        self._make = make
        self.load()

    def load(self) -> None:
        """Load the files.

        Raises:
            ConfigurationError: They can't be used. The previous ones stay.
        """
        versions = self.files.read_versions()
        try:
            self._current, self._versions = self._make(), versions
        except ConfigurationError:
            if self.files.read_versions() == versions:
                raise
            self.load()  # they were replaced meanwhile, so a certificate and a key of different age were read

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a connection; the event loop calls it."""
        if self.files.read_versions() != self._versions:
            with suppress(ConfigurationError):
                self.load()
        return self._current.wrap_bio(*args, **kwargs)
