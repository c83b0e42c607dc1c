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
    """Yield Pulumi's engine, connected to a provider for the emulator."""
    with provider_support.provider(aws) as engine:
        yield engine
