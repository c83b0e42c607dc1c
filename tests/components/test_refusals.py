"""What the component refuses, and that AWS is not touched before everything has passed."""

from datetime import UTC, datetime

import pulumi
import pulumi_aws as aws
import pytest

from components import InvalidPipelineError, RetrainingPipeline
from tests.components.recording import STACK_TYPE, run
from tests.components.sample import NAME, complete, minimal

ROLE = "aws:iam/role:Role"
SLOW = 0.5
"""Seconds until AWS answers. A pipeline that does not wait is registered before that."""


def refused(make_args, name=NAME, **kwargs):
    """Return the message with which a pipeline is refused."""

    def program():
        RetrainingPipeline(name, make_args())

    with pytest.raises(InvalidPipelineError) as error:
        run(program, **kwargs)
    return str(error.value)


def test_a_name_of_30_characters_is_the_longest():
    def program():
        RetrainingPipeline("a" * 30, minimal())

    longest = max(
        (
            name
            for type_ in (ROLE, "aws:lambda/function:Function")
            for name in run(program).all_of(type_)
        ),
        key=len,
    )
    assert len(longest) + len("-1234567") == 64


def test_a_cron_that_does_not_come_again_and_tags_of_its_own_are_refused():
    tags = {"retraining-pipeline": "mine"}
    found = refused(lambda: minimal(retraining_rate="cron(0 3 ? * MON 2020)", tags=tags))
    today = datetime.now(tz=UTC).date()
    assert found == (
        f"2 problems in the retraining pipeline '{NAME}':\n"
        "  retrainingRate: 'cron(0 3 ? * MON 2020)' does not come again after "
        f"{today}; write a year in the future, or * for every year\n"
        "  tags.retraining-pipeline: 'mine' has a key that begins with retraining-, "
        "which the pipeline reserves; choose another key"
    )


def test_a_longer_name_is_refused_and_told_how_long_it_may_be():
    name = "a" * 31
    assert refused(minimal, name) == (
        f"1 problem in the retraining pipeline '{name}':\n"
        f"  name: '{name}' is 31 characters long; expected at most 30, because the names of roles "
        "and functions begin with it and have at most 64 characters; choose a shorter name"
    )


@pytest.mark.parametrize("name", ["retraining-dev.eu", "-dev", "", "retraining dev"])
def test_a_name_that_no_function_can_have_is_refused(name):
    assert refused(minimal, name) == (
        f"1 problem in the retraining pipeline '{name}':\n"
        f"  name: '{name}' cannot begin the name of a Lambda function; expected letters, "
        "digits, - and _, for example 'retraining-dev'"
    )


def test_all_problems_are_told_at_once_and_nothing_is_registered():
    engines = []

    def program():
        engines.append(pulumi.runtime.settings.get_monitor())
        RetrainingPipeline("a" * 31, minimal(retraining_rate="7 dayz", log_retention_days=91))

    with pytest.raises(InvalidPipelineError) as error:
        run(program)
    lines = str(error.value).splitlines()
    assert lines[0] == f"3 problems in the retraining pipeline '{'a' * 31}':"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "name",
        "logRetentionDays",
        "retrainingRate",
    ]
    assert {each.type for each in engines[0].registered.values()} == {STACK_TYPE}


def test_an_output_where_a_plain_value_is_needed_is_refused_by_name():
    assert refused(lambda: minimal(paused=pulumi.Output.from_input(False))) == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  paused: is an Output; the program needs this value when it runs, so give a plain value"
    )


@pytest.mark.parametrize("preview", [True, False])
def test_a_problem_in_an_output_fails_the_deployment_once_it_is_known(preview):

    def mistaken():
        return complete(permissions_boundary_arn=pulumi.Output.from_input("x"))

    assert refused(mistaken, preview=preview) == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  permissionsBoundaryArn: 'x' is not an ARN; expected the ARN of a policy, for example "
        "'arn:aws:iam::123456789012:policy/boundary'"
    )


@pytest.mark.parametrize("wrap", [lambda value: value, pulumi.Output.from_input])
def test_credentials_of_another_account_fail_the_preview(wrap):
    assert refused(lambda: complete(wrap), preview=True, account="999999999999") == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  account: the ARNs are in '123456789012', and the current credentials are of "
        "'999999999999'; use credentials of '123456789012', for example with AWS_PROFILE or "
        "aws:profile"
    )


def test_a_provider_in_another_region_fails_the_preview():
    assert refused(minimal, preview=True, region="us-east-1") == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  region: the ARNs are in 'eu-west-1', and the AWS provider is in 'us-east-1'; "
        "run 'pulumi config set aws:region eu-west-1'"
    )


# --- nothing is registered before the check has passed -------------------------------------------


def with_default_provider():
    RetrainingPipeline(NAME, complete())


def with_explicit_provider():
    provider = aws.Provider("somewhere", region="eu-west-1")
    RetrainingPipeline(NAME, complete(), pulumi.ResourceOptions(provider=provider))


def with_arns_that_are_outputs():
    RetrainingPipeline(NAME, complete(pulumi.Output.from_input))


def registered_before_refusal(program, **kwargs):
    """Return the types of the AWS resources that were registered before the refusal."""
    engines = []

    def recorded():
        engines.append(pulumi.runtime.settings.get_monitor())
        program()

    with pytest.raises(InvalidPipelineError):
        run(recorded, answers_after=SLOW, **kwargs)
    assert engines[0].messages == [], "the refusal is all that the CLI shows"
    return sorted(
        each.type for each in engines[0].registered.values() if each.type.startswith("aws:")
    )


@pytest.mark.parametrize("elsewhere", [{"account": "999999999999"}, {"region": "us-east-1"}])
@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    "program", [with_default_provider, with_explicit_provider, with_arns_that_are_outputs]
)
def test_in_a_wrong_account_or_region_no_resource_is_registered(program, preview, elsewhere):
    assert registered_before_refusal(program, preview=preview, **elsewhere) == []


def test_no_resource_is_registered_before_an_arn_of_another_resource_is_known_and_judged():
    def program():
        role = aws.iam.Role("reader", assume_role_policy="{}")
        RetrainingPipeline(NAME, minimal(permissions_boundary_arn=role.arn))

    assert registered_before_refusal(program) == [ROLE], "the host program's own"
