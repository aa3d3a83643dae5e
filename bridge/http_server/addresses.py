"""Takes the addresses that listeners listen on."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.core.errors import ConfigurationError


@contextmanager
def naming_setting(setting: str, host: str) -> Iterator[None]:
    """Turn an error of an address into one that names its setting.

    Raises:
        ConfigurationError: There was one.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{setting}: can't listen on {host}: {os.strerror(error.errno or 0)}") from error


def bind(host: str, port: int) -> socket.socket:
    """Take an address, on IPv4 as well if it is `::`. Nobody can connect to it yet.

    Raises:
        OSError: The port is in use, or this machine doesn't have the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a process before may linger
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        listening.bind((host, port))
        listening.settimeout(0)
    except OSError:
        listening.close()
        raise
    return listening
