"""Proves that a refused pipeline creates no resource, and what the CLI prints about it.

`tests/components/test_refusals.py` has all that is refused, and the order of the checks.
"""

from typing import NamedTuple

import pytest

from tests.engine.stacks import ROOT, CommandError, create_stack

OTHER_ACCOUNT = "arn:aws:personalize:eu-west-1:210987654321"
ACCOUNT = (
    "account: the ARNs are in account '210987654321', but the current credentials belong to "
    "account '123456789012'; use credentials of '210987654321', for example with AWS_PROFILE or "
    "aws:profile"
)
PROJECT = "name: refusals\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n"
PROGRAM = """\
import sys

import pulumi
import pulumi_aws as aws

sys.path.append({root!r})
from components import *

{statements}
RetrainingPipeline(
    "movies",
    RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            interactions=DatasetArgs(
                dataset_arn="{arn_prefix}:dataset/movies/INTERACTIONS",
                data_location="s3://movies-exports/interactions.csv",
            )
        ),
        solutions=[SolutionArgs(solution_arn={solution})],
    ),
    {options}
)
"""
PROVIDER = 'provider = aws.Provider("mine", region="eu-west-1")'


class Failure(NamedTuple):
    """The result of an `up` that failed."""

    message: str
    created: list[str]
    """The types of the AWS resources that were created."""


@pytest.fixture
def failed_up(emulator, warm, tmp_path):
    """Return a function that deploys a program, which must fail, and returns the failure."""

    def deploy(*, arn_prefix, solution=None, statements="", options=""):
        (tmp_path / "Pulumi.yaml").write_text(PROJECT)
        (tmp_path / ".venv").symlink_to(warm)
        (tmp_path / "__main__.py").write_text(
            PROGRAM.format(
                root=str(ROOT),
                arn_prefix=arn_prefix,
                solution=solution or repr(f"{arn_prefix}:solution/movies"),
                statements=statements,
                options=options,
            )
        )
        stack = create_stack(tmp_path, "dev", emulator.endpoint)
        stack.pulumi("config", "set", "aws:region", "eu-west-1")
        with pytest.raises(CommandError) as error:
            stack.up()
        types = [resource["type"] for resource in stack.state()]
        return Failure(str(error.value), [name for name in types if name.startswith("aws:")])

    return deploy


def test_another_account_is_refused_before_anything_is_created(failed_up):
    failure = failed_up(
        arn_prefix=OTHER_ACCOUNT,
        statements=PROVIDER,
        options="pulumi.ResourceOptions(provider=provider)",
    )
    text = f"1 problem in the retraining pipeline 'movies':\n  {ACCOUNT}"
    assert text in _unindented(failure.message)
    assert failure.created == []


def test_a_wrong_arn_that_is_unknown_in_the_preview_is_refused_before_the_pipeline(failed_up):
    failure = failed_up(
        arn_prefix="arn:aws:personalize:eu-west-1:123456789012",
        statements='group = aws.scheduler.ScheduleGroup("mine")',
        solution="group.arn",
    )
    assert "solutions[0].solutionArn: 'arn:aws:scheduler:eu-west-1:123456789012:" in failure.message
    assert failure.created == ["aws:scheduler/scheduleGroup:ScheduleGroup"], "not the pipeline's"


def _unindented(text):
    """Return the output of the CLI without the indentation before each line of a message."""
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())
