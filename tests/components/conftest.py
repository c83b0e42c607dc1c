"""Proves the exact resources of the component, their inputs, parents, dependencies and policies.

With a recording engine in Pulumi's place. Does not prove that AWS accepts any of it.
"""

import pulumi
import pytest

from components import RetrainingPipeline
from tests.components.recording import NoMocks, run
from tests.components.sample import IMPORT_ROLE, NAME, complete, minimal


def deploy(make_args, **kwargs):
    """Deploy one pipeline, and give the engine that recorded it.

    The arguments are made inside the program, since outputs belong to it.
    """

    def program():
        RetrainingPipeline(NAME, make_args())

    return run(program, **kwargs)


@pytest.fixture(scope="session")
def deployed():
    """A pipeline with everything that is optional, but a role for Personalize."""
    return deploy(complete)


@pytest.fixture(scope="session")
def least():
    """A pipeline with only what must be given."""
    return deploy(minimal)


@pytest.fixture(scope="session")
def with_import_role():
    """A pipeline that is given the role that Personalize assumes."""
    return deploy(lambda: minimal(import_role_arn=IMPORT_ROLE))


@pytest.fixture
def engine():
    """Set up an engine that resolves outputs and refuses resources."""
    pulumi.runtime.set_mocks(NoMocks(), preview=False)
