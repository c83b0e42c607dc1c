"""What moto's Step Functions answers otherwise than AWS, and what it answers here.

Tried against moto 5.2.5; a test tells when a method that is replaced has moved. How the state
machines run is `moto_seams.py`' subject.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, cast

from moto.core.exceptions import AWSError
from moto.core.request import Request
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidToken, ValidationException
from moto.stepfunctions.parser import api
from moto.stepfunctions.responses import StepFunctionResponse

from emulator import moto_seams

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from emulator.server.http import Answer

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html,
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
PAGE, LARGEST_PAGE = 100, 1000


def respond(path: str, headers: Mapping[str, str], body: bytes, account: str) -> Answer:
    """Let moto answer one request, in `account` and the region that it was signed for."""
    url = f"http://{headers.get('host', 'localhost')}{path}"
    request = Request.from_primitives("POST", url, {**headers, "x-moto-account-id": account}, body)
    status, answer_headers, answer = Answers.dispatch(request, url, headers)
    content = answer.encode() if isinstance(answer, str) else answer
    return int(status), {str(k): str(v) for k, v in answer_headers.items()}, content


def name_errors() -> None:
    """Let the interpreter's errors have a code; they keep it where moto does not look for it."""
    for error in vars(api).values():
        if isinstance(error, type) and issubclass(error, AWSError) and error.TYPE is None:
            error.TYPE = vars(error).get("code")


class StateMachineDeletingError(AWSError):
    """A state machine is being deleted. The code is the API's: StateMachineDeleting."""

    TYPE = "StateMachineDeleting"
    STATUS = 400


class Answers(StepFunctionResponse):
    """Moto's answers, except where AWS answers otherwise."""

    def create_state_machine(self) -> ActionResult:
        """Refuse the name of a state machine that is being deleted."""
        self._refuse_deleted(
            f"arn:aws:states:{self.region}:{self.current_account}:stateMachine:"
            f"{self._get_param('name')}"
        )
        return super().create_state_machine()

    def update_state_machine(self) -> ActionResult:
        """Refuse to change a state machine that is being deleted."""
        self._refuse_deleted(self._get_param("stateMachineArn"))
        return super().update_state_machine()

    def delete_state_machine(self) -> ActionResult:
        """Begin the deletion, which ends with the last execution."""
        machines = self.stepfunction_backend.state_machines
        for machine in machines:
            if machine.arn == self._get_param("stateMachineArn"):
                moto_seams.begin_deletion(machine)
        moto_seams.finish_deletions(machines)
        return EmptyResult()

    def describe_state_machine(self) -> ActionResult:
        """Describe a state machine. Its status is DELETING while it is being deleted."""
        answer = cast("dict[str, object]", super().describe_state_machine().result)
        deleted = self._is_being_deleted(self._get_param("stateMachineArn"))
        return ActionResult(answer | ({"status": "DELETING"} if deleted else {}))

    def describe_state_machine_for_execution(self) -> ActionResult:
        """Describe the state machine as it was when the execution began."""
        answer = cast("dict[str, object]", super().describe_state_machine_for_execution().result)
        machine = self._execution().state_machine
        began_with = {"definition": machine.definition, "roleArn": machine.roleArn}
        return ActionResult(answer | began_with)

    def _is_being_deleted(self, arn: str) -> bool:
        return any(
            machine.arn == arn and moto_seams.is_being_deleted(machine)
            for machine in self.stepfunction_backend.state_machines
        )

    def _refuse_deleted(self, arn: str) -> None:
        if self._is_being_deleted(arn):
            raise StateMachineDeletingError(f"State Machine is being deleted: '{arn}'")

    def start_execution(self) -> ActionResult:
        """Make up a name where none is given, and refuse one and an input that AWS refuses."""
        name = self._get_param("name") or str(uuid.uuid4())
        document = self._get_param("input", if_none="{}")
        self.stepfunction_backend._validate_name(name)  # noqa: SLF001  # a seam
        try:
            json.loads(document)
        except ValueError as error:
            message = f"Invalid State Machine Execution Input: '{error}'"
            raise InvalidExecutionInput(message) from None
        machine = self._get_param("stateMachineArn")
        self._refuse_deleted(machine)
        execution = self.stepfunction_backend.start_execution(machine, name, document)
        return ActionResult(
            {"executionArn": execution.execution_arn, "startDate": execution.start_date}
        )

    def stop_execution(self) -> ActionResult:
        """Pass the error and the cause on, which moto drops."""
        execution = self._execution()
        error, cause = self._get_param("error"), self._get_param("cause")
        execution.stop(stop_date=utcnow(), error=error, cause=cause)
        return ActionResult({"stopDate": execution.stop_date})

    def describe_execution(self) -> ActionResult:
        """Tell when an execution that timed out has ended, too."""
        with moto_seams.ending:
            answer = cast("dict[str, object]", super().describe_execution().result)
            return ActionResult({**answer, **_stop_date(self._execution())})

    def list_executions(self) -> ActionResult:
        """List the one that started or ended last first: by its end, once it has one."""
        arn, status = self._get_param("stateMachineArn"), self._get_param("statusFilter")
        if arn is None:
            raise ValidationException(
                "the emulator's Step Functions lists executions by their stateMachineArn only"
            )
        machine = self.stepfunction_backend.describe_state_machine(arn)
        with moto_seams.ending:
            executions = [
                execution
                for execution in cast("list[moto_seams.StateMachineRun]", machine.executions)
                if execution.exec_status is not None  # one is in the list before it has a status
                and status in {None, execution.status}
            ]
            executions.sort(key=lambda each: each.stop_date or each.start_date, reverse=True)
            rows = [
                {
                    "executionArn": execution.exec_arn,
                    "name": execution.name,
                    "startDate": execution.start_date,
                    "stateMachineArn": machine.arn,
                    "status": execution.status,
                    **_stop_date(execution),
                }
                for execution in executions
            ]
        page, token = self._page(rows, "executionArn")
        return ActionResult({"executions": page, "nextToken": token})

    def get_execution_history(self) -> ActionResult:
        """Keep to `reverseOrder`, `includeExecutionData` and the size of a page; moto does not."""
        events = self._execution().to_history_output()["events"]  # a copy
        if self._get_bool_param("reverseOrder"):
            events.reverse()
        page, token = self._page(events, "id")
        if not self._get_bool_param("includeExecutionData", if_none=True):
            page = [_without_data(event) for event in page]
        return ActionResult({"events": page, "nextToken": token})

    def _execution(self) -> moto_seams.StateMachineRun:
        """Give the execution that the request is about; raises what AWS answers otherwise."""
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        return cast("moto_seams.StateMachineRun", execution)

    def _page(
        self, rows: Sequence[dict[str, object]], identity: str
    ) -> tuple[Sequence[dict[str, object]], str | None]:
        """Give the rows that `maxResults` and `nextToken` ask for, and the next one's token."""
        size = self._get_int_param("maxResults") or PAGE
        if size > LARGEST_PAGE:
            raise ValidationException(
                f"1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy"
                f" constraint: Member must have value less than or equal to {LARGEST_PAGE}"
            )
        token = self._get_param("nextToken")
        tokens = [base64.b64encode(str(row[identity]).encode()).decode() for row in rows]
        if token is not None and token not in tokens:
            raise InvalidToken("'Invalid token'")
        first = 0 if token is None else tokens.index(token)
        end = first + size
        return rows[first:end], tokens[end] if end < len(rows) else None


def _stop_date(execution: moto_seams.StateMachineRun) -> dict[str, dt.datetime]:
    if execution.status == "RUNNING" or execution.stop_date is None:
        return {}
    return {"stopDate": execution.stop_date}


def _without_data(event: Mapping[str, object]) -> dict[str, object]:
    """Take inputs and outputs out of an event."""
    return {
        key: {k: v for k, v in value.items() if k not in {"input", "output"}}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }
