"""Applies to all tests: fixtures, and the order in which files start."""

import pytest
from hypothesis import settings

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

pytest_plugins = [
    "tests.support.kafka.fixtures",
    "tests.support.service.fixtures",
    "tests.support.helm.fixtures",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest files."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
