"""Step Functions: state machines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError
from emulator.deployer.rows import Change, Found, Patience, Place, Row, Rows, Tagging
from emulator.deployer.translation import Convert, Request, block, pairs

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws

DELETE_SECONDS = 300.0
"""How long the provider waits for a deletion unless the program says otherwise.
terraform-provider-aws, internal/service/sfn/state_machine.go: schema.DefaultTimeout."""
POLL_SECONDS = 0.5


def _create(request: Request, aws: Aws) -> str:
    return str(aws.call("stepfunctions", "CreateStateMachine", request)["stateMachineArn"])


def _read(place: Place, aws: Aws) -> Found:
    arn = place.id
    machine = aws.call("stepfunctions", "DescribeStateMachine", {"stateMachineArn": arn})
    tags = aws.call("stepfunctions", "ListTagsForResource", {"resourceArn": arn})["tags"]
    return Found(
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
    aws.call(
        "stepfunctions",
        "UpdateStateMachine",
        {
            "stateMachineArn": change.place.id,
            "definition": change.new["definition"],
            "roleArn": change.new["roleArn"],
            **change.of("loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"),
        },
    )


def _delete(place: Place, aws: Aws, patience: Patience) -> None:
    """Delete a state machine, and wait until its executions are over and it is gone.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    machine = {"stateMachineArn": place.id}
    limit = patience.seconds or DELETE_SECONDS
    give_up = time.monotonic() + limit
    aws.call("stepfunctions", "DeleteStateMachine", machine)
    while time.monotonic() < give_up:
        try:
            aws.call("stepfunctions", "DescribeStateMachine", machine)
        except ClientError as error:
            if error.response["Error"]["Code"] == "StateMachineDoesNotExist":
                return
            raise
        if patience.cancelled.wait(POLL_SECONDS):
            raise DeploymentError(f"{place.id} is still DELETING, and waiting for it was cancelled")
    raise DeploymentError(
        f"{place.id} is still DELETING after {limit:g} seconds, because executions of it are "
        "running and have not reached their next state; stop them, or give the state machine "
        "custom_timeouts with a longer delete"
    )


_LOG_DESTINATION = Convert(
    lambda value, _path: [{"cloudWatchLogsLogGroup": {"logGroupArn": value}}],
    lambda found, _declared: (
        found[0]["cloudWatchLogsLogGroup"]["logGroupArn"] if isinstance(found, list) else found
    ),
)

ROWS: Rows = {
    # terraform-provider-aws, internal/service/sfn/state_machine.go: ForceNew on name and type.
    "aws:sfn/stateMachine:StateMachine": Row(
        name=naming.STATE_MACHINE,
        shape={
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
                        "logDestination": ("destinations", _LOG_DESTINATION),
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
        defaults={"type": "STANDARD"},
        replaces=frozenset({"name", "type"}),
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        tagging=Tagging("stepfunctions", "resourceArn", tags="tags", keys="tagKeys"),
        decided=frozenset({"arn", "creationDate", "revisionId", "stateMachineVersionArn"}),
    ),
}
