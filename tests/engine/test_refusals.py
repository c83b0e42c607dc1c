"""Proves that a pipeline with ARNs of another account or region creates no resource.

GetCallerIdentity responds five seconds late. By then, the engine has created each resource that
does not wait for the check of the ARNs.
"""

import sys
from typing import NamedTuple

import pytest

from tests.engine.late import late_identity
from tests.engine.stacks import ROOT, CommandError, Stack, environment

OTHER_ACCOUNT = "arn:aws:personalize:eu-west-1:210987654321"
OTHER_REGION = "arn:aws:personalize:eu-central-1:123456789012"
ACCOUNT = (
    "account: the ARNs are in account '210987654321', but the current credentials belong to "
    "account '123456789012'; use credentials of '210987654321', for example with AWS_PROFILE or "
    "aws:profile"
)
REGION = (
    "region: the ARNs are in 'eu-central-1', but the AWS provider uses 'eu-west-1'; "
    "run 'pulumi config set aws:region eu-central-1 -s dev'"
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


@pytest.fixture(scope="module")
def endpoint(emulator):
    """Return the address of the emulator where GetCallerIdentity responds late."""
    with late_identity(emulator.endpoint, seconds=5) as address:
        yield address


class Failure(NamedTuple):
    """The result of an `up` that failed."""

    message: str
    created: list[str]
    """The types of the AWS resources that were created."""


@pytest.fixture
def failed_up(endpoint, tmp_path):
    """Return a function that deploys a program, which must fail, and returns the failure."""

    def deploy(*, arn_prefix, solution=None, statements="", options=""):
        (tmp_path / "Pulumi.yaml").write_text(PROJECT)
        (tmp_path / ".venv").symlink_to(sys.prefix)
        (tmp_path / "__main__.py").write_text(
            PROGRAM.format(
                root=str(ROOT),
                arn_prefix=arn_prefix,
                solution=solution or repr(f"{arn_prefix}:solution/movies"),
                statements=statements,
                options=options,
            )
        )
        stack = Stack(tmp_path, "dev", environment(tmp_path, endpoint))
        stack.pulumi("stack", "init")
        stack.pulumi("config", "set", "aws:region", "eu-west-1")
        with pytest.raises(CommandError) as error:
            stack.up()
        types = [resource["type"] for resource in stack.state()]
        return Failure(str(error.value), [name for name in types if name.startswith("aws:")])

    return deploy


@pytest.mark.parametrize(
    ("arn_prefix", "message"),
    [(OTHER_ACCOUNT, ACCOUNT), (OTHER_REGION, REGION)],
    ids=["account", "region"],
)
@pytest.mark.parametrize(
    ("statements", "options"),
    [("", ""), (PROVIDER, "pulumi.ResourceOptions(provider=provider)")],
    ids=["default provider", "explicit provider"],
)
def test_another_account_or_region_is_refused_before_anything_is_created(
    failed_up, arn_prefix, message, statements, options
):
    failure = failed_up(arn_prefix=arn_prefix, statements=statements, options=options)
    text = f"1 problem in the retraining pipeline 'movies':\n  {message}"
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
