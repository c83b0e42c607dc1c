"""The state machines of Step Functions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError, GoneError
from emulator.deployer.rows import Resource, Row, Rows

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws

DELETE_SECONDS = 300.0
"""The longest wait for a deletion if the program sets no `custom_timeouts`.
terraform-provider-aws, internal/service/sfn/state_machine.go: schema.DefaultTimeout."""
POLL_SECONDS = 0.5
"""The time between two requests while a deletion is under way."""


def _delete(machine: Resource, aws: Aws) -> None:
    """Delete a state machine, and wait until it does not exist any more.

    Its running executions end at their next state, and Step Functions waits for them. Raises
    DeploymentError if that takes too long.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    seconds = machine.delete_seconds or DELETE_SECONDS
    deadline = time.monotonic() + seconds
    aws.call("stepfunctions", "DeleteStateMachine", machine.values)
    while time.monotonic() < deadline:
        try:
            aws.call("stepfunctions", "DescribeStateMachine", machine.values)
        except GoneError:
            return
        time.sleep(POLL_SECONDS)
    raise DeploymentError(
        f"{machine.id} is still DELETING after {seconds:g} seconds, because executions of it are "
        "running and have not reached their next state; stop them, or give the state machine "
        "custom_timeouts with a longer delete"
    )


ROWS: Rows = {
    # terraform-provider-aws, internal/service/sfn/state_machine.go
    "aws:sfn/stateMachine:StateMachine": Row(
        service="stepfunctions",
        operation="CreateStateMachine",
        inputs="name definition roleArn type loggingConfiguration tracingConfiguration tags",
        api_names={
            "loggingConfiguration.logDestination": (
                "destinations.0.cloudWatchLogsLogGroup.logGroupArn"
            )
        },
        # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
        name_pattern=r'[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+',
        defaults={"type": "STANDARD"},
        id_parameter="stateMachineArn",
        read="DescribeStateMachine",
        outputs={"arn": "stateMachineArn"},
        update="UpdateStateMachine",
        replacing="name type",
        delete=_delete,
    ),
}
