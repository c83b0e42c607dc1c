"""AWS Step Functions: moto's interpreter, with the role of every state machine enforced.

MiniStack authenticates and authorises each call first (`states:StartExecution` on the machine,
`states:DescribeExecution` on the execution, ...). The Tasks of a machine call AWS with a session of
the machine's role. The session needs a trust policy that lets Step Functions assume the role.
`moto_responses.py` and `emulator/moto_patches.py` correct what moto does differently from AWS.

Not emulated: RedriveExecution, Express machines, ValidateStateMachineDefinition, versions of a
machine, the executions of a Map Run, and the content of an execution's log group.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Protocol, TypedDict

from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id, get_region

from emulator import moto_parsing, moto_patches
from emulator.server import authorization, http, ministack_internals, moto_responses

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from emulator.clients import Clients

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


class Logging(TypedDict, total=False):
    """The logging configuration of a state machine."""

    level: str


class MachineRequest(TypedDict, total=False):
    """The fields of CreateStateMachine and UpdateStateMachine that the check of the role needs."""

    name: str
    stateMachineArn: str
    roleArn: str
    loggingConfiguration: Logging


class StateCredentials(Protocol):
    """Moto's object that names the role with which a Task calls AWS."""

    role_arn: str


class StepFunctions:
    """The responder to `AWSStepFunctions.*`. The Tasks call AWS with `clients`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def mount(self) -> None:
        """Serve the calls to Step Functions instead of MiniStack from now on, in this process."""
        moto_patches.interpret_state_machines()
        moto_patches.install(moto_parsing.parse_once())
        moto_patches.install(moto_patches.stop_without_waiting())
        moto_patches.install(moto_patches.end_once())
        moto_patches.install(moto_patches.end_executions_of_deleted_machines())
        moto_patches.install(moto_patches.task_clients(self.client_for))
        moto_responses.set_error_codes()
        ministack_internals.serve_states(self.respond)

    async def respond(
        self,
        _method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        _query: dict[str, list[str]],
    ) -> http.Response:
        """Return the response to a call that MiniStack has authorised."""
        operation = headers.get("x-amz-target", "").partition(".")[2]
        account, region = get_account_id(), get_region()
        if operation in {"CreateStateMachine", "UpdateStateMachine"}:
            refusal = await asyncio.to_thread(_role_refusal, json.loads(body), account, region)
            if refusal is not None:
                return refusal
        try:
            return await asyncio.to_thread(moto_responses.respond, path, headers, body, account)
        except NotImplementedError:
            return http.error(
                "UnknownOperationException", f"the emulator's Step Functions has no {operation}"
            )

    def client_for(
        self, region: str, service: str, state_credentials: StateCredentials
    ) -> BaseClient:
        """Return a boto3 client for a Task, with credentials of the state machine's role.

        Raises:
            ClientError: AccessDeniedException if the role no longer trusts Step Functions.
        """
        role_arn = state_credentials.role_arn
        account = role_arn.split(":")[4]
        # Moto passes the role but not the state machine. Machines rarely share a role.
        machine_arns = moto_patches.state_machine_arns(role_arn, account, region)
        unknown_arn = f"arn:aws:states:{region}:{account}:stateMachine:unknown"
        machine_arn = machine_arns[0] if machine_arns else unknown_arn
        try:
            credentials = _assume_machine_role(role_arn, machine_arn)
        except authorization.AccessDeniedError as error:
            raise ClientError(
                {
                    "Error": {"Code": "AccessDeniedException", "Message": str(error)},
                    "ResponseMetadata": {
                        "HTTPStatusCode": 403,
                        "RequestId": "none",
                        "HostId": "",
                        "HTTPHeaders": {},
                        "RetryAttempts": 0,
                    },
                },
                "AssumeRole",
            ) from error
        return self._clients.get(service, region, credentials)


def _assume_machine_role(role_arn: str, machine_arn: str) -> authorization.Credentials:
    """Return the credentials of a state machine's role.

    Raises:
        AccessDeniedError: The role is missing or does not trust Step Functions.
    """
    return authorization.assume_role(
        role_arn,
        service=SERVICE,
        source_arn=machine_arn,
        session_name=machine_arn.rsplit(":", 1)[-1][:64],
    )


def _role_refusal(request: MachineRequest, account: str, region: str) -> http.Response | None:
    """Return AWS's error if Step Functions cannot use the role of a request, else None.

    Step Functions must be allowed to assume the role. If the state machine writes logs, the role
    must also allow all of LOGGING_ACTIONS.
    """
    new_arn = f"arn:aws:states:{region}:{account}:stateMachine:{request.get('name')}"
    machine_arn = request.get("stateMachineArn", new_arn)
    role_arn = request.get("roleArn")
    if role_arn is None:
        return None
    try:
        session = _assume_machine_role(role_arn, machine_arn)
    except authorization.AccessDeniedError:
        return http.error(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is"
            f" authorized to assume the provided role: {role_arn}",
        )
    if request.get("loggingConfiguration", {}).get("level", "OFF") == "OFF":
        return None
    try:
        for action in LOGGING_ACTIONS:
            authorization.authorize(session["aws_access_key_id"], region, action, "*")
    except authorization.AccessDeniedError as error:
        return http.error(
            "AccessDeniedException",
            f"The state machine IAM Role is not authorized to access the Log Destination. {error}",
        )
    return None
