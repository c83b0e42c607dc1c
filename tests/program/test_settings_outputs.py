"""Outputs among the values of a config, as the package hands them to its reader."""

import pulumi
import pytest

import settings
from components.rules.plain import AN_OUTPUT
from components.rules.values import Problem
from tests.components.recording import run
from tests.program.sample_stack import changed


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("importRoleArn", []),
        ("datasets.users.dataLocation", []),
        ("solutions[0].campaigns[0].campaignArn", []),
        *(
            (key, [Problem(key, None, AN_OUTPUT)])
            for key in (
                *("paused", "logRetentionDays", "limits.maxImportHours", "timezone"),
                *("autoTraining", "tags", "tags.team", "datasets.users", "solutions[0].campaigns"),
            )
        ),
    ],
)
def test_an_output_is_read_as_it_is_and_refused_where_a_plain_value_is_needed(key, found):
    def program():
        config = changed({key: pulumi.Output.from_input("a value")})
        read = settings.read_config(config)
        assert read.unread == []
        assert settings.all_problems(read, region=None, today=None) == found

    run(program)
