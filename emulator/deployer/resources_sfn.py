"""Step Functions: state machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import Created, Row, Rows
from emulator.deployer.translation import Request, block, pairs

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws


def _state_machine(request: Request, aws: Aws) -> Created:
    created = aws.call("stepfunctions", "CreateStateMachine", request)
    arn = created["stateMachineArn"]
    machine = aws.call("stepfunctions", "DescribeStateMachine", {"stateMachineArn": arn})
    return Created(
        arn,
        {
            "arn": arn,
            "creationDate": machine["creationDate"].isoformat(),
            "revisionId": machine.get("revisionId", ""),
            "stateMachineVersionArn": created.get("stateMachineVersionArn", ""),
            "status": machine["status"],
            "type": machine["type"],
            "description": "",
            "versionDescription": "",
        },
    )


def _log_destination(value: object, _path: str) -> object:
    return [{"cloudWatchLogsLogGroup": {"logGroupArn": value}}]


ROWS: Rows = {
    "aws:sfn/stateMachine:StateMachine": Row(
        name=naming.STATE_MACHINE,
        shape={
            "name": "name",
            "definition": "definition",
            "roleArn": "roleArn",
            "type": "type",
            "publish": "publish",
            "loggingConfiguration": (
                "loggingConfiguration",
                block(
                    {
                        "level": "level",
                        "includeExecutionData": "includeExecutionData",
                        "logDestination": ("destinations", _log_destination),
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
        create=_state_machine,
    ),
}
