"""Proves the exact resources of the component, their inputs, parents, dependencies and policies.

A recording engine stands in for Pulumi's engine. This does not prove that AWS accepts the
resources.
"""

import pulumi
import pytest

from components import RetrainingPipeline
from tests.components.recording import NoMocks, run
from tests.components.sample import IMPORT_ROLE, NAME, complete, minimal


def deploy(make_args, **options):
    """Deploy a pipeline, and return the engine that recorded it.

    `make_args` is called inside the program, because outputs belong to a program.
    """

    def program():
        RetrainingPipeline(NAME, make_args())

    return run(program, **options)


@pytest.fixture(scope="session")
def deployed():
    """Return the engine that recorded a pipeline with every option except an import role."""
    return deploy(complete)


@pytest.fixture(scope="session")
def smallest():
    """Return the engine that recorded a pipeline without options."""
    return deploy(minimal)


@pytest.fixture(scope="session")
def with_import_role():
    """Return the engine that recorded a pipeline with an import role of the user."""
    return deploy(lambda: minimal(import_role_arn=IMPORT_ROLE))


@pytest.fixture
def engine():
    """Set up an engine that resolves outputs and refuses resources."""
    pulumi.runtime.set_mocks(NoMocks(), preview=False)
