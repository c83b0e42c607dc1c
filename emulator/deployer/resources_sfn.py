"""The state machines of Step Functions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError
from emulator.deployer.rows import Change, DeletionLimit, Identity, Row, Rows, Snapshot, Tagging
from emulator.deployer.translation import Converter, Request, block, pairs

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws

DELETE_SECONDS = 300.0
"""The longest wait for a deletion if the program sets no `custom_timeouts`.
terraform-provider-aws, internal/service/sfn/state_machine.go: schema.DefaultTimeout."""
POLL_SECONDS = 0.5
"""The time between two requests while a deletion is under way."""
NOT_FOUND_CODES = frozenset({"StateMachineDoesNotExist"})


def _create(request: Request, aws: Aws) -> str:
    return str(aws.call("stepfunctions", "CreateStateMachine", request)["stateMachineArn"])


def _read(identity: Identity, aws: Aws) -> Snapshot:
    arn = identity.id
    machine = aws.call("stepfunctions", "DescribeStateMachine", {"stateMachineArn": arn})
    tags = aws.call("stepfunctions", "ListTagsForResource", {"resourceArn": arn})["tags"]
    return Snapshot(
        {**machine, "tags": tags},
        {
            "arn": arn,
            "creationDate": machine["creationDate"].isoformat(),
            "revisionId": machine.get("revisionId", ""),
            "stateMachineVersionArn": "",
            "status": machine["status"],
            "description": "",
            "versionDescription": "",
        },
    )


def _update(change: Change, aws: Aws) -> None:
    """Set the definition and the role, and the other inputs if they have changed."""
    request = {
        "stateMachineArn": change.id,
        "definition": change.request["definition"],
        "roleArn": change.request["roleArn"],
        **change.changed_values(
            "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"
        ),
    }
    aws.call("stepfunctions", "UpdateStateMachine", request)


def _delete(identity: Identity, aws: Aws, limit: DeletionLimit) -> None:
    """Delete a state machine, and wait until it does not exist any more.

    Its running executions end at their next state, and Step Functions waits for them. Raises
    DeploymentError if that takes too long, or if the user cancels the deployment.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    seconds = limit.seconds or DELETE_SECONDS
    deadline = time.monotonic() + seconds
    aws.call("stepfunctions", "DeleteStateMachine", {"stateMachineArn": identity.id})
    while time.monotonic() < deadline:
        if not _exists(identity, aws):
            return
        if limit.cancelled.wait(POLL_SECONDS):
            message = "is still DELETING, and waiting for it was cancelled"
            raise DeploymentError(f"{identity.id} {message}")
    raise DeploymentError(
        f"{identity.id} is still DELETING after {seconds:g} seconds, because executions of it are "
        "running and have not reached their next state; stop them, or give the state machine "
        "custom_timeouts with a longer delete"
    )


def _exists(identity: Identity, aws: Aws) -> bool:
    """Return True if a state machine exists. A state machine that is being deleted exists."""
    try:
        aws.call("stepfunctions", "DescribeStateMachine", {"stateMachineArn": identity.id})
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND_CODES:
            return False
        raise
    return True


def _destinations(log_group_arn: object, _path: str) -> object:
    """Return the list of log destinations for the ARN of a log group."""
    return [{"cloudWatchLogsLogGroup": {"logGroupArn": log_group_arn}}]


def _log_group_arn(destinations: object, _declared: object) -> object:
    """Return the ARN of the log group in a list with one log destination."""
    assert isinstance(destinations, list), "the service returns a list"
    return destinations[0]["cloudWatchLogsLogGroup"]["logGroupArn"]


LOG_DESTINATION = Converter(_destinations, _log_group_arn)
"""Pulumi has the ARN of one log group. The API has a list with one destination."""

ROWS: Rows = {
    # terraform-provider-aws, internal/service/sfn/state_machine.go: ForceNew on name and type.
    "aws:sfn/stateMachine:StateMachine": Row(
        inputs={
            "name": "name",
            "definition": "definition",
            "roleArn": "roleArn",
            "type": "type",
            "loggingConfiguration": (
                "loggingConfiguration",
                block(
                    {
                        "level": "level",
                        "includeExecutionData": "includeExecutionData",
                        "logDestination": ("destinations", LOG_DESTINATION),
                    }
                ),
            ),
            "tracingConfiguration": ("tracingConfiguration", block({"enabled": "enabled"})),
            "encryptionConfiguration": (
                "encryptionConfiguration",
                block(
                    {
                        "type": "type",
                        "kmsKeyId": "kmsKeyId",
                        "kmsDataKeyReusePeriodSeconds": "kmsDataKeyReusePeriodSeconds",
                    }
                ),
            ),
            "tags": ("tags", pairs("key", "value")),
        },
        name_rule=naming.STATE_MACHINE,
        defaults={"type": "STANDARD"},
        create=_create,
        read=_read,
        not_found_codes=NOT_FOUND_CODES,
        computed_outputs=frozenset(
            {"arn", "creationDate", "revisionId", "stateMachineVersionArn", "status"}
            | {"description", "versionDescription"}
        ),
        update=_update,
        replacing_inputs=frozenset({"name", "type"}),
        tagging=Tagging(
            "stepfunctions", "resourceArn", tags_parameter="tags", keys_parameter="tagKeys"
        ),
        delete=_delete,
    ),
}
