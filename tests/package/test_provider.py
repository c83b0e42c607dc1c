"""Proves that the plugin creates the pipeline that a Python program creates, or reports problems.

The plugin runs as a process, and the tests call it as the engine does. tests/engine/test_package.py
proves that the engine and the SDKs of other languages call it in this way.
"""

import json
from pathlib import Path

import pulumi
import pytest
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.rpc import UNKNOWN

from components import RetrainingPipeline
from components.args_reader import IS_OUTPUT
from tests.components.recording import PROJECT, STACK, STACK_TYPE, run
from tests.package.plugin import COMPONENT, output_value
from tests.program.sample_stack import parse

PERSONALIZE = "arn:aws:personalize:eu-west-1:123456789012"
DATASET = f"{PERSONALIZE}:dataset/movies/INTERACTIONS"
SOLUTION = f"{PERSONALIZE}:solution/movies-for-you"
CAMPAIGN = f"{PERSONALIZE}:campaign/movies-for-you"
LOCATION = "s3://movies-exports/interactions/"
ROLE = "arn:aws:iam::123456789012:role/personalize-import"
ERROR = "Unexpected <class 'components.errors.InvalidPipelineError'>: "
"""The beginning of an error that comes through gRPC."""


def inputs(**changes):
    """Return inputs as a program in another language passes them, with changes."""
    probe = {"userId": "42", "minResults": 3, "minutes": 2.5}
    return {
        "datasets": {"interactions": {"datasetArn": DATASET, "dataLocation": LOCATION}},
        "solutions": [
            {"solutionArn": SOLUTION, "campaigns": [{"campaignArn": CAMPAIGN, "probe": probe}]}
        ],
        "retrainingRate": "cron(0 3 ? * MON *)",
        "timezone": "Europe/Berlin",
        "paused": True,
        "limits": {"maxTrainingHours": 12, "maxImportHours": 1.5},
        "logRetentionDays": 30,
        "tags": {"team": "discovery"},
        **changes,
    }


def resources(engine):
    """Return the registered resources by URN, without the stack, which the plugin does not have."""
    stack = engine.make_urn("", STACK_TYPE, f"{PROJECT}-{STACK}")
    return {
        urn: resource._replace(
            parent="" if resource.parent == stack else resource.parent,
            inputs=json.dumps(resource.inputs, default=as_json, sort_keys=True),
        )
        for urn, resource in engine.registered.items()
        if urn != stack
    }


def as_json(value):
    """Return the name of a zip file, or `unknown` for an unknown value."""
    if isinstance(value, pulumi.FileArchive):
        return Path(value.path).name
    assert isinstance(value, Unknown)
    return "unknown"


@pytest.mark.parametrize(
    "sent, arn, preview",
    [
        (output_value(ROLE), ROLE, False),
        (output_value(), Unknown(), True),
        (UNKNOWN, Unknown(), True),
    ],
    ids=["known", "unknown", "plain and unknown"],
)
def test_the_plugin_creates_the_pipeline_that_a_python_program_creates(plugin, sent, arn, preview):
    response, engine = plugin.construct("movies", inputs(importRoleArn=sent), preview=preview)

    def program():
        args = parse(inputs(importRoleArn=pulumi.Output.from_input(arn)))
        RetrainingPipeline("movies", args)

    expected = run(program, preview=preview)
    assert resources(engine) == resources(expected)
    assert plugin.logged == []
    (urn,) = (urn for urn, resource in engine.registered.items() if resource.type == COMPONENT)
    assert response.urn == urn
    state = rpc.deserialize_properties(response.state, keep_unknowns=True)
    assert set(state) == set(json.loads(plugin.schema())["resources"][COMPONENT]["properties"])
    assert preview or state["importRoleArn"] == ROLE


def test_all_problems_are_reported_at_once_with_the_keys_of_the_config(plugin):
    broken = inputs(
        datasets={"interactions": {"datasetArn": DATASET}},
        retrainigRate="7 days",
        paused=output_value(value=False),
        logRetentionDays=output_value(),
        limits={"maxTrainingsPerMonth": 1.5},
        tags=output_value({"team": "discovery"}),
    )
    header, *lines = plugin.error_of("my movies", broken, preview=True).splitlines()

    assert header == f"{ERROR}7 problems in the retraining pipeline 'my movies':"
    assert [line.split(":")[0].strip() for line in lines] == [
        "name",
        "datasets.interactions.dataLocation",
        "limits.maxTrainingsPerMonth",
        "logRetentionDays",
        "paused",
        "retrainigRate",
        "tags",
    ]
    assert lines[3] == f"  logRetentionDays: {IS_OUTPUT}"


def test_an_error_that_follows_an_answer_of_aws_is_reported_without_a_traceback(plugin):
    error = plugin.error_of("movies", inputs(), region="us-east-1")
    assert error.startswith(f"{ERROR}1 problem in the retraining pipeline 'movies':\n  region: ")


def test_another_resource_is_refused(plugin):
    error = plugin.error_of("movies", inputs(), type_="personalize-retraining:index:Pipeline")
    assert error == (
        "Unexpected <class 'pulumi.errors.RunError'>: personalize-retraining:index:Pipeline: "
        f"unknown; the package has {COMPONENT}"
    )
