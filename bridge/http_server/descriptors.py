"""The process's limit of file descriptors."""

import resource
from contextlib import suppress

WANTED_DESCRIPTORS = 65_536
RESERVED_DESCRIPTORS = 1024
"""For Kafka, providers, and the files of the cache."""


def raise_descriptor_limit() -> int:
    """Raise the limit as far as this process may; return how many descriptors there are for connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    found = WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(found - RESERVED_DESCRIPTORS, found // 2)
