"""Proves that an Output in a config is read, and refused where the program needs a plain value."""

import pulumi
import pytest

import settings
from components.rules.plain import IS_OUTPUT
from components.rules.values import Problem
from tests.components.recording import run
from tests.program.sample_stack import changed

INPUTS = ["importRoleArn", "datasets.users.dataLocation", "solutions[0].campaigns[0].campaignArn"]
PLAIN = [
    *("paused", "logRetentionDays", "limits.maxImportHours", "timezone"),
    *("autoTraining", "tags", "tags.team", "datasets.users", "solutions[0].campaigns"),
]


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        *((key, []) for key in INPUTS),
        *((key, [Problem(key, IS_OUTPUT)]) for key in PLAIN),
    ],
)
def test_an_output_is_accepted_only_where_an_input_is_allowed(key, problems):
    def program():
        config = settings.read_config(changed({key: pulumi.Output.from_input("a value")}))
        assert config.unread == []
        assert settings.all_problems(config, region=None, today=None) == problems

    run(program)
