"""AWS Step Functions in real time, with the role of every state machine enforced.

MiniStack authenticates and authorises each call first (`states:StartExecution` on the machine,
`states:DescribeExecution` on the execution, ...). The Tasks of a machine call functions with a
session of the machine's role. The session needs a trust policy that lets Step Functions assume the
role. `emulator/states` has the API and the interpreter.
"""

import asyncio
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
from emulator.states.execution import Execution, explain_refused_invocation
from emulator.states.service import StepFunctions as Service

SERVICE = "states.amazonaws.com"

# The guide lists these actions for the role of a machine that logs. It does not say which of them
# are needed at creation. https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
LOGGING_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)


class StepFunctions:
    """The responder to `AWSStepFunctions.*`, and the host of the executions."""

    def __init__(self) -> None:
        self._service = Service(self)
        self.event = threading.Event
        self.uniform = random.uniform

    def mount(self) -> None:
        """Let MiniStack pass the calls of Step Functions to this object."""
        ministack.SERVICE_HANDLERS["states"] = self._respond

    async def _respond(self, *fields: Any) -> http.Response:  # noqa: ANN401  # the fields of a Call
        """Respond to a call that MiniStack has authorised."""
        call = ministack.Call(*fields)
        region = get_region()
        scope = f"{region}:{get_account_id()}"

        def perform(request: Mapping[str, Any]) -> Mapping[str, Any]:
            if call.operation in {"CreateStateMachine", "UpdateStateMachine"}:
                _check_execution_role(request, region, scope)
            return self._service.call(call.operation, request, scope)

        return await asyncio.to_thread(respond, perform, "stepfunctions", call.body)

    # The host of the executions

    def now(self) -> dt.datetime:
        """Tell the time in UTC."""
        return dt.datetime.now(dt.UTC)

    def start(self, work: Callable[[], None], execution_arn: str) -> None:
        """Start work of an execution in a thread."""
        threading.Thread(target=work, name=execution_arn, daemon=True).start()

    def call(self, execution: Execution, resource: str, payload: str) -> object:
        """Invoke a function with the role of the state machine, and return its result.

        Raises:
            StateFailed: the function fails, or is not invoked.
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
        """Publish the event that an execution has started or ended.

        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        event = {
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Resources": [execution.arn],
            "Detail": json.dumps(_build_event_detail(execution)),
        }

        region, account = execution.arn.split(":")[3:5]
        with request_scope(account, region):  # PutEvents refuses events of AWS's services
            eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)  # noqa: SLF001


def _invoke(execution: Execution, resource: str, payload: str) -> dict[str, Any]:
    """Invoke a function in a session of the state machine's role."""
    credentials = _assume_role(execution.role, execution.machine.arn)
    region = execution.arn.split(":")[3]
    lambda_client = get_client("lambda", region, credentials)
    response: dict[str, Any] = lambda_client.invoke(FunctionName=resource, Payload=payload.encode())
    return response


def _build_failure(error: ClientError) -> StateFailed:
    """Build the failure of a Task from the error with which Lambda refused the call."""
    metadata = error.response["ResponseMetadata"]
    return explain_refused_invocation(
        error.response["Error"]["Code"],
        error.response["Error"]["Message"],
        metadata["HTTPStatusCode"],
        metadata["RequestId"],
    )


def _build_event_detail(execution: Execution) -> dict[str, object]:
    """Describe an execution as its events do: with all keys, and times in milliseconds."""
    output_details = None
    if execution.output_text is not None:
        output_details = {"included": True}

    return {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine.arn,
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
    if time is None:
        return None
    return int(time.timestamp() * 1000)


def _assume_role(role_arn: str, machine_arn: str) -> iam.Credentials:
    """Open a session of a state machine's role. Raise AccessDeniedError."""
    # STS takes at most 64 characters.
    name = machine_arn.rpartition(":")[2][:64]
    return iam.assume_role(role_arn, service=SERVICE, source_arn=machine_arn, session_name=name)


def _check_execution_role(request: Mapping[str, Any], region: str, scope: str) -> None:
    """Reject a new or changed state machine whose execution role lacks permissions.

    `scope` is the region and the account, as in an ARN.
    """
    role_arn = request.get("roleArn")
    if role_arn is None:
        return  # An update without a role keeps the current one.

    # A new state machine has no ARN yet, but the role's trust policy may require one in a condition
    # on aws:SourceArn, so predict it.
    future_arn = f"arn:aws:states:{scope}:stateMachine:{request.get('name')}"
    state_machine_arn = request.get("stateMachineArn", future_arn)
    if not iam.trusts(role_arn, service=SERVICE, source_arn=state_machine_arn):
        raise ApiError(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is"
            f" authorized to assume the provided role: {role_arn}",
        )

    log_level = request.get("loggingConfiguration", {}).get("level", "OFF")
    if log_level != "OFF":
        _check_log_delivery(role_arn, state_machine_arn, region)


def _check_log_delivery(role_arn: str, state_machine_arn: str, region: str) -> None:
    """Reject an execution role that may not do all of LOGGING_ACTIONS.

    AWS does not document which of them it checks at creation, so the emulator insists on each.
    """
    access_key = _assume_role(role_arn, state_machine_arn)["aws_access_key_id"]
    for action in LOGGING_ACTIONS:
        if not iam.is_allowed(access_key, region, action, "*"):
            raise ApiError(
                "AccessDeniedException",
                "The state machine IAM Role is not authorized to access the Log Destination."
                f" It may not do {action}.",
            )
