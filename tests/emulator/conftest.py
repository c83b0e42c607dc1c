"""Proves that the emulator keeps AWS's rules, with boto3. It does not prove what AWS does."""

import provider_support
import pytest

import emulator
from emulator.personalize import Duration, FixedTimings

FAST = FixedTimings(Duration(0, 0), Duration(0, 0), Duration(0, 0))


@pytest.fixture(scope="session")
def aws():
    """One emulator for all tests. Each test uses different names."""
    with emulator.running(timings=FAST) as running:
        yield running


@pytest.fixture(scope="session")
def engine(aws):
    """What Pulumi's engine does with the resources of the emulator."""
    return provider_support.Engine(aws)
