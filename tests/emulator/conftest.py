"""The emulator keeps AWS's rules: boto3 against it. What AWS itself does is not proved here."""

import pytest

import emulator
from emulator.personalize import Duration, FixedTimings

FAST = FixedTimings(Duration(0, 0), Duration(0, 0), Duration(0, 0))


@pytest.fixture(scope="session")
def aws():
    """One emulator for all tests; each test uses names of its own."""
    with emulator.running(timings=FAST) as running:
        yield running
