"""Tests of the names and tags by which a job belongs to a run."""

import re

import pytest

from functions.personalize.ownership import (
    belongs_to_run,
    import_job_name,
    version_name,
)
from tests.functions.samples import (
    JOB_NAME,
    OTHER_SOLUTION,
    PREFIX,
    RUN_ID,
    SOLUTION,
    VERSION_NAME,
    run,
    settings,
)

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}")
"""The pattern of Personalize for the name of a job."""
OTHER_RUN = VERSION_NAME.replace(RUN_ID, "20261122T030000Z")
OTHER_STACK = VERSION_NAME.replace(PREFIX, "ffffffff")


def test_the_name_of_an_import_job_contains_prefix_run_and_dataset():
    assert import_job_name(settings(), run(), "interactions") == JOB_NAME


def test_the_name_of_a_version_contains_prefix_run_and_solution():
    assert version_name(settings(), run(), SOLUTION) == VERSION_NAME
    assert version_name(settings(), run(), OTHER_SOLUTION) != VERSION_NAME


def test_personalize_accepts_the_longest_names():
    assert NAME.fullmatch(import_job_name(settings(), run(), "actionInteractions"))
    assert NAME.fullmatch(version_name(settings(), run(), SOLUTION))


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        (JOB_NAME, True),
        (VERSION_NAME, True),
        (OTHER_RUN, False),
        (OTHER_STACK, False),
        ("by-hand", False),
        ("", False),
    ],
)
def test_a_job_belongs_to_the_run_that_its_name_contains(name, belongs):
    assert belongs_to_run(name, settings(), run()) is belongs
