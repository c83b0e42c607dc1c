"""Proves what the component refuses, and that no resource is created before all checks."""

from datetime import UTC, datetime

import pulumi
import pulumi_aws as aws
import pytest

from components import InvalidPipelineError, NotificationsArgs, RetrainingPipeline
from tests.components.documents import FUNCTION, ROLE, TOPIC
from tests.components.recording import STACK, STACK_TYPE, run
from tests.components.sample import EMAIL, NAME, complete, minimal

SLOW = 0.5
"""Seconds until AWS responds. A resource that does not wait is registered earlier."""


def error_of(make_args, name=NAME, **options):
    """Return the message of the error about a pipeline."""

    def program():
        RetrainingPipeline(name, make_args())

    with pytest.raises(InvalidPipelineError) as error:
        run(program, **options)
    return str(error.value)


def test_a_name_of_30_characters_is_the_longest():
    def program():
        RetrainingPipeline("a" * 30, minimal())

    longest = max(
        (name for type_ in (ROLE, FUNCTION) for name in run(program).all_of(type_)),
        key=len,
    )
    assert len(longest) + len("-1234567") == 64


def test_rules_that_need_the_day_and_reserved_tags_are_checked():
    tags = {"retraining-pipeline": "mine"}
    error = error_of(lambda: minimal(retraining_rate="cron(0 3 ? * MON 2020)", tags=tags))
    today = datetime.now(tz=UTC).date()
    assert error == (
        f"2 problems in the retraining pipeline '{NAME}':\n"
        "  retrainingRate: 'cron(0 3 ? * MON 2020)' does not fire again after "
        f"{today}; write a year in the future, or * for every year\n"
        "  tags.retraining-pipeline: 'mine' has a key that begins with retraining-, "
        "which the pipeline reserves; choose another key"
    )


def test_a_longer_name_is_refused():
    name = "a" * 31
    assert error_of(minimal, name) == (
        f"1 problem in the retraining pipeline '{name}':\n"
        f"  name: '{name}' is 31 characters long; expected at most 30, because the names of roles "
        "and functions begin with it and have at most 64 characters; choose a shorter name"
    )


@pytest.mark.parametrize("name", ["retraining-dev.eu", "-dev", "", "retraining dev"])
def test_a_name_that_no_lambda_function_can_have_is_refused(name):
    assert error_of(minimal, name) == (
        f"1 problem in the retraining pipeline '{name}':\n"
        f"  name: '{name}' cannot begin the name of a Lambda function; use letters, digits, - and "
        f"_ after a first letter or digit, for example 'retraining-dev'"
    )


def test_all_problems_are_reported_at_once_and_nothing_is_registered():
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
    types = {resource.type for resource in engines[0].registered.values()}
    assert types == {STACK_TYPE}


def test_an_output_in_place_of_a_plain_value_is_refused():
    assert error_of(lambda: minimal(paused=pulumi.Output.from_input(False))) == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  paused: is an Output; give a plain value, because the program needs it before it "
        "creates resources"
    )


@pytest.mark.parametrize("preview", [True, False])
def test_an_output_is_checked_once_its_value_is_known(preview):
    def with_wrong_boundary():
        return complete(permissions_boundary_arn=pulumi.Output.from_input("x"))

    assert error_of(with_wrong_boundary, preview=preview) == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  permissionsBoundaryArn: 'x' is not an ARN; expected the ARN of a policy, for example "
        "'arn:aws:iam::123456789012:policy/boundary'"
    )


@pytest.mark.parametrize("wrap", [lambda value: value, pulumi.Output.from_input])
def test_the_preview_refuses_credentials_of_another_account(wrap):
    assert error_of(lambda: complete(wrap), preview=True, account="999999999999") == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  account: the ARNs are in account '123456789012', but the current credentials belong to "
        "account '999999999999'; use credentials of '123456789012', for example with AWS_PROFILE "
        "or "
        "aws:profile"
    )


def test_the_preview_refuses_a_provider_in_another_region():
    assert error_of(minimal, preview=True, region="us-east-1") == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  region: the ARNs are in 'eu-west-1', but the AWS provider uses 'us-east-1'; "
        f"run 'pulumi config set aws:region eu-west-1 -s {STACK}'"
    )


# --- no resource before the check has passed -----------------------------------------------------


def with_default_provider():
    RetrainingPipeline(NAME, complete())


def with_a_provider():
    provider = aws.Provider("somewhere", region="eu-west-1")
    RetrainingPipeline(NAME, complete(), pulumi.ResourceOptions(provider=provider))


def with_outputs():
    RetrainingPipeline(NAME, complete(pulumi.Output.from_input))


def with_a_topic_of_the_user():
    notifications = NotificationsArgs(emails=[EMAIL], topic_arn=TOPIC)
    RetrainingPipeline(NAME, complete(notifications=notifications))


def registered_before_error(program, **options):
    """Return the types of the AWS resources that were registered before the error."""
    engines = []

    def recorded():
        engines.append(pulumi.runtime.settings.get_monitor())
        program()

    with pytest.raises(InvalidPipelineError):
        run(recorded, answers_after=SLOW, **options)
    assert engines[0].messages == [], "the CLI shows nothing but the error"
    return sorted(
        resource.type
        for resource in engines[0].registered.values()
        if resource.type.startswith("aws:")
    )


@pytest.mark.parametrize("caller", [{"account": "999999999999"}, {"region": "us-east-1"}])
@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    "program",
    [with_default_provider, with_a_provider, with_outputs, with_a_topic_of_the_user],
)
def test_in_another_account_or_region_no_resource_is_registered(program, preview, caller):
    assert registered_before_error(program, preview=preview, **caller) == []


def test_no_resource_is_registered_before_the_arn_of_another_resource_is_checked():
    def program():
        role = aws.iam.Role("reader", assume_role_policy="{}")
        RetrainingPipeline(NAME, minimal(permissions_boundary_arn=role.arn))

    assert registered_before_error(program) == [ROLE], "the role of the program itself"
