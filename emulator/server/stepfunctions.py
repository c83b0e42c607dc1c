"""Adds Step Functions to MiniStack: executions in real time, with the state machine's role.

MiniStack authenticates and authorizes each call, for example `states:StartExecution` on the state
machine or `states:DescribeExecution` on the execution. Tasks invoke functions with the state
machine's execution role, which must trust Step Functions.

The API and the interpreter are in `emulator/states`. They leave the clock, the threads and the
function calls to a *host*, which this module implements.
"""

import datetime as dt
import json
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge

from emulator.protocol.errors import ApiError
from emulator.protocol.wire import respond
from emulator.server import http, iam, ministack
from emulator.server.clients import get_client
from emulator.states.documents import StateFailed
from emulator.states.execution import Execution, build_invoke_failure
from emulator.states.service import StepFunctions as Service

SERVICE_PRINCIPAL = "states.amazonaws.com"

LOG_DELIVERY_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
"""The actions that a state machine's execution role needs if the state machine writes logs:
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html"""


class StepFunctions:
    """Handles calls to Step Functions and runs the executions as their host."""

    def __init__(self) -> None:
        self._service = Service(self)
        # For these two methods of a host, Python already has the implementation.
        self.event = threading.Event
        self.uniform = random.uniform

    def mount(self) -> None:
        """Make this object MiniStack's handler for Step Functions."""
        ministack.handle("states", self._respond)

    def _respond(self, call: ministack.Call) -> http.Response:
        """Respond to a call that MiniStack has already authorized."""
        region = get_region()
        scope = f"{region}:{get_account_id()}"

        def perform(request: Mapping[str, Any]) -> Mapping[str, Any]:
            if call.operation in {"CreateStateMachine", "UpdateStateMachine"}:
                _check_execution_role(request, region, scope)
            return self._service.call(call.operation, request, scope)

        return respond(perform, call.body)

    # The methods of a host

    def now(self) -> dt.datetime:
        """Return the current time in UTC."""
        return dt.datetime.now(dt.UTC)

    def start(self, work: Callable[[], None], execution_arn: str) -> None:
        """Run some work of an execution in a new thread."""
        threading.Thread(target=work, name=execution_arn, daemon=True).start()

    def call(self, execution: Execution, resource: str, payload: str) -> object:
        """Invoke a function with the state machine's role and return the function's result.

        Raises:
            StateFailed: the function fails or can't be invoked.
        """
        try:
            response = _invoke(execution, resource, payload)
            result = response["Payload"].read().decode()
        except ClientError as error:
            raise _build_failure(error) from error
        except BotoCoreError as error:
            raise StateFailed("Lambda.SdkClientException", str(error)) from error

        if "FunctionError" in response:
            error_type = json.loads(result).get("errorType", "Exception")
            raise StateFailed(error_type, result)
        return json.loads(result)

    def status_changed(self, execution: Execution) -> None:
        """Send EventBridge the event for the start or end of an execution.

        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        event = {
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Resources": [execution.arn],
            "Detail": json.dumps(_build_event_detail(execution)),
        }

        region, account = execution.arn.split(":")[3:5]
        with request_scope(account, region):  # The API would reject this source.
            eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)  # noqa: SLF001


def _invoke(execution: Execution, resource: str, payload: str) -> dict[str, Any]:
    """Invoke a function with the credentials of the state machine's role."""
    credentials = _assume_role(execution.role, execution.state_machine.arn)
    region = execution.arn.split(":")[3]
    lambda_client = get_client("lambda", region, credentials)
    response: dict[str, Any] = lambda_client.invoke(FunctionName=resource, Payload=payload.encode())
    return response


def _build_failure(error: ClientError) -> StateFailed:
    """Turn Lambda's error response for a rejected invocation into the failure of a Task."""
    metadata = error.response["ResponseMetadata"]
    return build_invoke_failure(
        error.response["Error"]["Code"],
        error.response["Error"]["Message"],
        metadata["HTTPStatusCode"],
        metadata["RequestId"],
    )


def _build_event_detail(execution: Execution) -> dict[str, object]:
    """Build the `detail` of an execution's event.

    All fields are always present, even if they're None. Times are in milliseconds.
    """
    output_details = None
    if execution.output_text is not None:
        output_details = {"included": True}

    return {
        "executionArn": execution.arn,
        "stateMachineArn": execution.state_machine.arn,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": execution.name,
        "status": execution.status,
        "startDate": _to_milliseconds(execution.start_date),
        "stopDate": _to_milliseconds(execution.stop_date),
        "input": execution.input,
        "inputDetails": {"included": True},
        "output": execution.output_text,
        "outputDetails": output_details,
        "error": execution.error,
        "cause": execution.cause,
    }


def _to_milliseconds(time: dt.datetime | None) -> int | None:
    """Convert a time as in the events of Step Functions. None stands for "not yet"."""
    if time is None:
        return None
    return int(time.timestamp() * 1000)


def _assume_role(role_arn: str, machine_arn: str) -> iam.Credentials:
    """Assume a state machine's role, or raise AccessDeniedError if the role doesn't allow it."""
    session_name = machine_arn.rpartition(":")[2][:64]  # STS accepts at most 64 characters.
    return iam.assume_role(
        role_arn, service=SERVICE_PRINCIPAL, source_arn=machine_arn, session_name=session_name
    )


def _check_execution_role(request: Mapping[str, Any], region: str, scope: str) -> None:
    """Reject a new or changed state machine whose execution role lacks permissions.

    `scope` is REGION:ACCOUNT, as in an ARN.
    """
    role_arn = request.get("roleArn")
    if role_arn is None:
        return  # An update without a role keeps the current one.

    # The role's trust policy may have a condition on aws:SourceArn, but a new state machine doesn't
    # have an ARN yet. So predict the ARN.
    future_arn = f"arn:aws:states:{scope}:stateMachine:{request.get('name')}"
    state_machine_arn = request.get("stateMachineArn", future_arn)
    if not iam.trusts(role_arn, service=SERVICE_PRINCIPAL, source_arn=state_machine_arn):
        raise ApiError(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is"
            f" authorized to assume the provided role: {role_arn}",
        )

    log_level = request.get("loggingConfiguration", {}).get("level", "OFF")
    if log_level != "OFF":
        _check_log_delivery(role_arn, state_machine_arn, region)


def _check_log_delivery(role_arn: str, state_machine_arn: str, region: str) -> None:
    """Reject an execution role that doesn't allow all of LOG_DELIVERY_ACTIONS.

    AWS doesn't document which of these actions it checks when a state machine is created, so the
    emulator requires all of them.
    """
    access_key = _assume_role(role_arn, state_machine_arn)["aws_access_key_id"]

    for action in LOG_DELIVERY_ACTIONS:
        if not iam.is_allowed(access_key, region, action, "*"):
            raise ApiError(
                "AccessDeniedException",
                "The state machine IAM Role is not authorized to access the Log Destination."
                f" It may not do {action}.",
            )
