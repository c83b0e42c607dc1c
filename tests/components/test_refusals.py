"""Proves what the component refuses, and that no resource is created before all checks.

`tests/program/golden/config.yaml` has the messages about settings.
"""

import pulumi
import pulumi_aws as aws
import pytest

from components import InvalidPipelineError, NotificationsArgs, RetrainingPipeline
from tests.components.recording import STACK, run
from tests.components.sample import EMAIL, NAME, USERS_TOPIC, complete, minimal

SLOW = 0.5
"""Seconds until AWS responds. A resource that does not wait is registered earlier."""


def refused(make_args, name=NAME, **options):
    """Return the problems of a pipeline, and the types of the resources before the error.

    The CLI shows nothing but the error.
    """
    engines = []

    def program():
        engines.append(pulumi.runtime.settings.get_monitor())
        RetrainingPipeline(name, make_args())

    with pytest.raises(InvalidPipelineError) as error:
        run(program, **options)
    header, *lines = str(error.value).splitlines()
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    assert header == f"{count} in the retraining pipeline '{name}':"
    assert engines[0].messages == []
    types = {resource.type for resource in engines[0].registered.values()}
    resources = [type_ for type_ in types if type_.startswith("aws:")]
    return [line.removeprefix("  ") for line in lines], resources


def test_all_problems_are_reported_at_once_and_nothing_is_registered():
    name = "a" * 41
    lines, types = refused(
        lambda: minimal(
            retraining_rate="weekly",
            tags={"retraining-pipeline": "mine"},
            paused=pulumi.Output.from_input(False),
        ),
        name,
    )

    assert lines[0] == (
        f"name: '{name}' is 41 characters long; choose one of at most 40, because the names of "
        "roles and functions begin with it and have at most 64 characters"
    )
    assert [line.split(":")[0] for line in lines[1:]] == [
        "paused",
        "retrainingRate",
        "tags.retraining-pipeline",
    ]
    assert types == []


@pytest.mark.parametrize("name", ["retraining-dev.eu", "-dev", ""])
def test_a_name_that_no_lambda_function_can_have_is_refused(name):
    (line,), _ = refused(minimal, name)
    assert line == (
        f"name: '{name}' cannot begin the name of a Lambda function; start with a letter or digit, "
        "and use only letters, digits, - and _, for example 'retraining-dev'"
    )


@pytest.mark.parametrize("preview", [True, False])
def test_an_output_is_checked_once_its_value_is_known(preview):
    def with_wrong_boundary():
        return complete(permissions_boundary_arn=pulumi.Output.from_input("x"))

    (line,), _ = refused(with_wrong_boundary, preview=preview)
    assert line.startswith("permissionsBoundaryArn: 'x' is not the ARN of a policy")


def test_the_preview_refuses_a_provider_in_another_region_before_any_resource():
    line = (
        "region: the ARNs are in 'eu-west-1', but the AWS provider uses 'us-east-1'; "
        f"run 'pulumi config set aws:region eu-west-1 -s {STACK}'"
    )
    options = {"preview": True, "region": "us-east-1", "answers_after": SLOW}
    assert refused(complete, **options) == ([line], [])


def test_a_deployment_refuses_credentials_of_another_account_before_any_resource():
    def with_outputs_and_the_users_topic():
        notifications = NotificationsArgs(emails=[EMAIL], topic_arn=USERS_TOPIC)
        return complete(pulumi.Output.from_input, notifications=notifications)

    line = (
        "account: the ARNs are in account '123456789012', but the current credentials belong to "
        "account '999999999999'; use credentials of '123456789012', for example with AWS_PROFILE "
        "or aws:profile"
    )
    options = {"account": "999999999999", "answers_after": SLOW}
    assert refused(with_outputs_and_the_users_topic, **options) == ([line], [])


def test_no_resource_is_registered_before_the_arn_of_another_resource_is_checked():
    def with_the_arn_of_a_role():
        role = aws.iam.Role("reader", assume_role_policy="{}")
        return minimal(permissions_boundary_arn=role.arn)

    (line,), types = refused(with_the_arn_of_a_role, answers_after=SLOW)
    assert line.startswith("permissionsBoundaryArn: ")
    assert types == ["aws:iam/role:Role"], "the role of the program itself"
