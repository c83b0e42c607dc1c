"""Proves the exact resources of the component, their inputs, parents, dependencies and policies.

A recording engine stands in for Pulumi's engine. This does not prove that AWS accepts the
resources.
"""

import pulumi
import pytest

from components import (
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    NotificationsArgs,
    RetrainingPipeline,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from tests.components.recording import NoMocks, run
from tests.components.sample import EMAIL, IMPORT_ROLE, NAME, USERS_TOPIC, complete, minimal


def deploy(make_args, **options):
    """Deploy a pipeline, and return the engine that recorded it.

    `make_args` is called inside the program, because outputs belong to a program.
    """

    def program():
        RetrainingPipeline(NAME, make_args())

    return run(program, **options)


@pytest.fixture(scope="session")
def deployed():
    """Return the engine that recorded a pipeline with every option except ARNs of the user."""
    return deploy(complete)


@pytest.fixture(scope="session")
def smallest():
    """Return the engine that recorded a pipeline without options."""

    def without_options():
        args = complete()
        interactions, items = (
            DatasetArgs(dataset_arn=dataset.dataset_arn, data_location=dataset.data_location)
            for dataset in (args.datasets.interactions, args.datasets.items)
        )

        return RetrainingPipelineArgs(
            datasets=DatasetsArgs(interactions=interactions, items=items),
            solutions=[SolutionArgs(solution_arn=one.solution_arn) for one in args.solutions],
        )

    return deploy(without_options)


@pytest.fixture(scope="session")
def with_users_arns():
    """Return the engine that recorded a pipeline with an import role and a topic of the user.

    It is not paused, and its largest age is set.
    """
    return deploy(
        lambda: complete(
            import_role_arn=IMPORT_ROLE,
            notifications=NotificationsArgs(
                emails=["lead@example.com", EMAIL], topic_arn=USERS_TOPIC
            ),
            paused=False,
            limits=LimitsArgs(max_trainings_per_month=35, max_model_age_days=2.5),
        )
    )


@pytest.fixture(scope="session")
def datasets_only():
    """Return the engine that recorded a pipeline without solutions, which only imports."""
    return deploy(lambda: minimal(solutions=[]))


@pytest.fixture
def engine():
    """Set up an engine that resolves outputs and refuses resources."""
    pulumi.runtime.set_mocks(NoMocks(), preview=False)
