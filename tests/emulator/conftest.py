"""Proves that the emulator keeps AWS's rules, with boto3. It does not prove what AWS does."""

import pytest

import emulator
from emulator.personalize import Duration, FixedTimings

FAST = FixedTimings(Duration(0, 0), Duration(0, 0), Duration(0, 0))


@pytest.fixture(scope="session")
def aws():
    """One emulator for all tests. Each test uses different names."""
    with emulator.running(timings=FAST) as running:
        yield running
