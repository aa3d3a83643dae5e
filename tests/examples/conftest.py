"""What the tests of the documentation may ask for."""

from tests.examples.world import newcomer, world
from tests.helm.conftest import chart
from tests.service.conftest import client, fleet, pytest_runtest_makereport

__all__ = ["chart", "client", "fleet", "newcomer", "pytest_runtest_makereport", "world"]
