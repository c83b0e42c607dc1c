"""Proves that a refused pipeline creates no resource, and what the CLI prints about it.

`tests/components/test_refusals.py` has all that is refused, and the order of the checks.
"""

import pytest

from tests.engine.stacks import ROOT, CommandError, create_stack

OTHER_ACCOUNT = "arn:aws:personalize:eu-west-1:210987654321"
ACCOUNT = """\
    error: 1 problem in the retraining pipeline 'movies':
      account: the ARNs are in account '210987654321', but the current credentials belong to \
account '123456789012'; use credentials of '210987654321', for example with AWS_PROFILE or \
aws:profile
"""
PROJECT = "name: refusals\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n"
PROGRAM = """\
import sys

import pulumi
import pulumi_aws as aws

sys.path.append({root!r})
from components import *

group = aws.scheduler.ScheduleGroup("mine")
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
    pulumi.ResourceOptions(provider=aws.Provider("mine", region="eu-west-1")),
)
"""


@pytest.fixture
def stack(emulator, warm, tmp_path):
    """Create a stack of a project that has no program yet."""
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / ".venv").symlink_to(warm)
    stack = create_stack(tmp_path, "dev", emulator.endpoint)
    stack.pulumi("config", "set", "aws:region", "eu-west-1")
    return stack


@pytest.mark.parametrize(
    ("arn_prefix", "solution", "message"),
    [
        (OTHER_ACCOUNT, repr(f"{OTHER_ACCOUNT}:solution/movies"), ACCOUNT),
        (
            "arn:aws:personalize:eu-west-1:123456789012",
            "group.arn",
            "solutions[0].solutionArn: 'arn:aws:scheduler:eu-west-1:123456789012:",
        ),
    ],
    ids=["another account", "a wrong ARN that is unknown in the preview"],
)
def test_a_pipeline_is_refused_before_a_resource_of_it_is_created(
    stack, arn_prefix, solution, message
):
    program = PROGRAM.format(root=str(ROOT), arn_prefix=arn_prefix, solution=solution)
    (stack.folder / "__main__.py").write_text(program)
    with pytest.raises(CommandError) as error:
        stack.up()
    assert message in str(error.value)
    types = [resource["type"] for resource in stack.state()]
    assert [name for name in types if name.startswith("aws:")] == [
        "aws:scheduler/scheduleGroup:ScheduleGroup"
    ], "only the group, which is not the pipeline's"
