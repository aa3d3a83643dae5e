"""What holds for all tests, wherever they stand: which fixtures there are, and in which order tests begin."""

import pytest

pytest_plugins = [
    "tests.support.kafka.fixtures",
    "tests.support.service.fixtures",
    "tests.support.helm.fixtures",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
