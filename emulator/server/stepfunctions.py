"""AWS Step Functions: moto's interpreter, with the role of every state machine enforced.

MiniStack authenticates and authorises each call before it arrives here (`states:StartExecution` on
the machine, `states:DescribeExecution` on the execution, ...). A machine's tasks call AWS with a
session of the machine's role, opened only if its trust policy lets Step Functions assume it. What
moto answers otherwise than AWS is put right in `moto_answers.py` and `moto_seams.py`.
Not there: RedriveExecution, Express machines, ValidateStateMachineDefinition, versions of a
machine, the executions of a Map Run, and what an execution's log group would hold.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Protocol, TypedDict

from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id, get_region

from emulator import moto_seams
from emulator.server import authorization, http, ministack_seams, moto_answers

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from emulator.clients import Clients

SERVICE = "states.amazonaws.com"


# What the guide wants of a role whose machine logs; which of them a creation needs is not told.
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
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
    """How a state machine logs."""

    level: str


class Machine(TypedDict, total=False):
    """What of a request to make or change a state machine tells whether its role will do."""

    name: str
    stateMachineArn: str
    roleArn: str
    loggingConfiguration: Logging


class StateCredentials(Protocol):
    """Moto's note of which role a task runs as."""

    role_arn: str


class StepFunctions:
    """Answers `AWSStepFunctions.*`; its machines call AWS through `clients`, as their roles."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def mount(self) -> None:
        """Take over Step Functions in this process."""
        moto_seams.interpret_state_machines()
        moto_seams.install(moto_seams.parse_once())
        moto_seams.install(moto_seams.stop_without_waiting())
        moto_seams.install(moto_seams.end_once())
        moto_seams.install(moto_seams.end_executions_of_deleted_machines())
        moto_seams.install(moto_seams.task_clients(self.client_for))
        moto_answers.name_errors()
        ministack_seams.serve_states(self.respond)

    async def respond(
        self,
        _method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        _query: dict[str, list[str]],
    ) -> http.Answer:
        """Answer one call that MiniStack has let through."""
        operation = headers.get("x-amz-target", "").partition(".")[2]
        account, region = get_account_id(), get_region()
        if operation in {"CreateStateMachine", "UpdateStateMachine"}:
            refusal = await asyncio.to_thread(_refuse_role, json.loads(body), account, region)
            if refusal is not None:
                return refusal
        try:
            return await asyncio.to_thread(moto_answers.respond, path, headers, body, account)
        except NotImplementedError:
            return http.error(
                "UnknownOperationException", f"the emulator's Step Functions has no {operation}"
            )

    def client_for(
        self, region: str, service: str, state_credentials: StateCredentials
    ) -> BaseClient:
        """Make the client for one task: `service` as the machine's role.

        Raises ClientError (AccessDeniedException) where the role no longer trusts Step Functions.
        """
        role_arn = state_credentials.role_arn
        account = role_arn.split(":")[4]
        # Moto says here which role a task runs as, not which machine; machines rarely share one.
        machine = next(
            iter(moto_seams.state_machine_arns(role_arn, account, region)),
            f"arn:aws:states:{region}:{account}:stateMachine:unknown",
        )
        try:
            credentials = authorization.assume_role(
                role_arn,
                service=SERVICE,
                source_arn=machine,
                session_name=machine.rsplit(":", 1)[-1][:64],
            )
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


def _refuse_role(request: Machine, account: str, region: str) -> http.Answer | None:
    """AWS's refusal of a machine whose role cannot be assumed, or cannot set its logging up."""
    arn = f"arn:aws:states:{region}:{account}:stateMachine:{request.get('name')}"
    arn = request.get("stateMachineArn", arn)
    role = request.get("roleArn")
    if role is None:
        return None
    try:
        session = authorization.assume_role(
            role, service=SERVICE, source_arn=arn, session_name=arn.rsplit(":", 1)[-1][:64]
        )
    except authorization.AccessDeniedError:
        return http.error(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is"
            f" authorized to assume the provided role: {role}",
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
