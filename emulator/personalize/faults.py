"""Injected faults: calls that fail, and jobs that do not end as planned."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import count
from random import Random
from threading import Lock
from typing import Any

from emulator.personalize.errors import ApiError, JobFailed, NoResponse
from emulator.personalize.service_model import RUNTIME, operation_names, service_model
from emulator.personalize.timeline import JobPlan

FaultKind = tuple[Mapping[str, object], str]
"""The parameters of a fault with their defaults, and its effect in words."""

# emulator/README.md shows these tables.
CALL_FAULTS: Mapping[str, FaultKind] = {
    "throttle": ({}, "ThrottlingException"),
    "server-error": ({"status": 500}, "InternalServerError, or ServiceUnavailable for 503"),
    "deny": ({}, "AccessDeniedException"),
    "limit-exceeded": (
        {"message": ""},
        "LimitExceededException, by default with the message of a quota",
    ),
    "resource-in-use": (
        {"message": "Resource is in use."},
        "ResourceInUseException, which means: not now",
    ),
    "too-many-tags": ({}, "TooManyTagsException"),
    "error": (
        {"code": "InvalidInputException", "message": "The input is not valid.", "status": 400},
        "any other error",
    ),
    "lost-answer": (
        {"status": None},
        "the operation is performed, but the response is lost, or is an error with this status",
    ),
    "stale": ({"seconds": 30}, "a Describe or List shows the resources as they were before"),
    "no-item-list": (
        {},
        "a response of the runtime without itemList, actionList or personalizedRanking",
    ),
    "metrics": (
        {"values": {}},
        "GetSolutionMetrics with these values, for example NaN; null removes one",
    ),
}
JOB_FAULTS: Mapping[str, FaultKind] = {
    "fail": ({"reason": "Internal service error"}, "CREATE FAILED at the end"),
    "stop": ({}, "CREATE STOPPING at the planned end, then CREATE STOPPED"),
    "hang": ({}, "CREATE IN_PROGRESS without an end"),
    "unknown-status": ({"status": "CREATE PAUSED"}, "this status instead of CREATE IN_PROGRESS"),
    "take": ({"seconds": 60}, "this time in CREATE IN_PROGRESS"),
    "no-results": (
        {},
        "a version that is trained as planned, but never has a result for a request",
    ),
}
FAULTS = {**CALL_FAULTS, **JOB_FAULTS}
ERRORS: Mapping[str, tuple[str, str]] = {
    "throttle": ("ThrottlingException", "Rate exceeded"),
    "server-error": ("InternalServerError", "We encountered an internal error. Please try again."),
    "deny": ("AccessDeniedException", "User: {caller} is not authorized to perform: {action}"),
    "limit-exceeded": (
        "LimitExceededException",
        "More than {quota} resources with PENDING or IN_PROGRESS status",
    ),
    "resource-in-use": ("ResourceInUseException", ""),
    "too-many-tags": ("TooManyTagsException", "A resource can have at most 50 tags"),
    "error": ("", ""),
}
"""The code and the message of each fault that prevents an operation. Parameters replace them."""
OPERATIONS: Mapping[str, Sequence[str]] = {
    "no-item-list": service_model(RUNTIME).operation_names,
    "metrics": ["GetSolutionMetrics"],
}
"""The operations of the faults that are not for every operation."""
RESULT_FIELDS = ("itemList", "actionList", "personalizedRanking")
JOB_KINDS = (
    *("dataset-import-job", "solution-version", "campaign", "campaign-update", "solution-update"),
    *("dataset-group", "dataset", "solution", "event-tracker"),
)
COMMON_DEFAULTS = {"of": None, "times": 1, "rate": 1}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)  # a bool is an int


CHECKS: Mapping[object, tuple[str, Callable[[Any], bool]]] = {
    str: ("a text", lambda value: isinstance(value, str)),
    dict: ("a JSON object", lambda value: isinstance(value, dict)),
    int: ("a number, 0 or more", lambda value: _is_number(value) and 0 <= value < math.inf),
    type(None): ("a number, or null", lambda value: value is None or _is_number(value)),
    "of": ("a text, or null", lambda value: value is None or isinstance(value, str)),
    "times": (
        "a whole number from 1 on, or null for always",
        lambda value: value is None or (isinstance(value, int) and value >= 1),
    ),
    "rate": ("a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1),
}
"""A field of every fault, or the type of a parameter's default -> the values that it can have."""


@dataclass
class Fault:
    """One injected fault, for calls or for jobs.

    The `scope` of a fault for calls is their operation, or "*" for all. The scope of a fault for
    jobs is their kind. `of` is a name or an ARN. A call matches if its request has this text as a
    value, and a job matches if it is its name or ARN, or the ARN of the resource that it belongs
    to. If `of` is None, every call of the operation or every job of the kind matches. `times`
    is the number of calls or jobs that the fault still waits for, or None for all. `rate` is the
    share of the matching calls or jobs that the fault happens to.
    """

    id: str
    name: str
    scope: str
    of: str | None
    times: int | None
    rate: float
    parameters: Mapping[str, Any]

    @property
    def stale_seconds(self) -> float:
        """The age of the data in the response. It is 0 unless the fault is `stale`."""
        return self.parameters["seconds"] if self.name == "stale" else 0

    def raise_before_operation(self, action: str, caller_arn: str) -> None:
        """Raise the error of a fault that prevents the operation. Other faults raise nothing.

        `action` is the IAM action, for example "personalize:ListSchemas".

        Raises:
            ApiError: The error of the fault.
        """
        if self.name not in ERRORS:
            return
        code, message = ERRORS[self.name]
        quota = 20 if action == "personalize:CreateSolutionVersion" else 5
        message = message.format(caller=caller_arn, action=action, quota=quota)
        status = int(self.parameters.get("status", HTTPStatus.BAD_REQUEST))
        if self.name == "server-error" and status == HTTPStatus.SERVICE_UNAVAILABLE:
            code = "ServiceUnavailable"
        code, message = self.parameters.get("code", code), self.parameters.get("message") or message
        raise ApiError(code, message, status)

    def raise_after_operation(self) -> None:
        """Raise the error of a fault that loses the response. Other faults raise nothing.

        Raises:
            NoResponse: For `lost-answer`.
            ApiError: For `lost-answer` with a status.
        """
        if self.name == "lost-answer":
            if self.parameters["status"] is None:
                raise NoResponse
            replace(self, name="server-error").raise_before_operation("", "")

    def change_response(self, response: Mapping[str, Any]) -> dict[str, object]:
        """Return the response with the change of the faults `no-item-list` and `metrics`.

        Other faults do not change the response.
        """
        if self.name == "no-item-list":
            return {key: value for key, value in response.items() if key not in RESULT_FIELDS}
        if self.name == "metrics":
            metrics = {**response["metrics"], **self.parameters["values"]}
            present = {name: value for name, value in metrics.items() if value is not None}
            return {**response, "metrics": present}
        return dict(response)

    def change_plan(self, plan: JobPlan) -> JobPlan:
        """Return the plan of a job with the change of the fault."""
        match self.name:
            case "fail":
                return replace(plan, on_end=self._fail)
            case "stop":
                return replace(plan, stops_at_end=True)
            case "unknown-status":
                return replace(plan, status_in_progress=self.parameters["status"])
            case "hang" | "take":
                seconds = self.parameters.get("seconds", math.inf)
                return replace(plan, duration=plan.duration._replace(in_progress=seconds))
        return replace(plan, gives_results=False)

    def _fail(self) -> None:
        raise JobFailed(self.parameters["reason"])

    def as_json(self) -> dict[str, object]:
        """Return the fault as a JSON object with id, remaining times and parameters."""
        scope_key = "operation" if self.name in CALL_FAULTS else "job"
        optional = {"of": self.of, "rate": None if self.rate == 1 else self.rate}
        return {
            "id": self.id,
            "fault": self.name,
            scope_key: self.scope,
            **{key: value for key, value in optional.items() if value is not None},
            "times": self.times,
            **self.parameters,
        }


class Faults:
    """The faults that are waiting for a call or job. The oldest one that matches is used.

    A fault is injected as a JSON object, for example for the next two calls of an operation, or
    for the next job of a kind. `Fault` explains `of`, `times` and `rate`, and the tables
    `CALL_FAULTS` and `JOB_FAULTS` have all faults with their parameters.

        {"fault": "throttle", "operation": "ListSolutions", "times": 2}
        {"fault": "fail", "job": "dataset-import-job", "of": "<ARN or name>", "reason": "..."}

    The same calls always meet the same faults, also if they have a `rate`.

    Args:
        operations: The operations that calls can have, by default those of Personalize.
    """

    def __init__(self, operations: Sequence[str] | None = None) -> None:
        self._operations = operation_names() if operations is None else operations
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._lock = Lock()
        self._random = Random(0)  # noqa: S311  # the same calls meet the same faults

    def inject(self, document: Mapping[str, object]) -> str:
        """Add a fault for `times` (default 1) calls or jobs, and return its id.

        Raises:
            ValueError: The fault, operation, kind of job or a parameter is unknown. The message
                lists the known ones.
        """
        fault = _fault_from_json(f"fault-{next(self._ids)}", document, self._operations)
        with self._lock:
            self._faults.append(fault)
        return fault.id

    def list(self) -> list[dict[str, object]]:
        """Return the waiting faults, oldest first, with their `id` and the remaining `times`."""
        with self._lock:
            return [fault.as_json() for fault in self._faults]

    def clear(self, fault_id: str | None = None) -> None:
        """Remove the fault with this id, or every fault if the id is None.

        Raises:
            ValueError: No waiting fault has this id.
        """
        with self._lock:
            if fault_id is not None and all(fault.id != fault_id for fault in self._faults):
                raise ValueError(f"there is no open fault {fault_id!r}")
            self._faults = [fault for fault in self._faults if fault_id not in (None, fault.id)]

    def take_for_call(self, operation: str, request: Mapping[str, object]) -> Fault | None:
        """Return the oldest fault that happens to a call, and reduce its `times` by one.

        Return None if no fault does.
        """
        return self._take(CALL_FAULTS, ("*", operation), request.values())

    def take_for_job(self, job_kind: str, names: Collection[str]) -> Fault | None:
        """Return the oldest fault that happens to a new job, and reduce its `times` by one.

        Return None if no fault does. `names` are the name and the ARN of the job, and the ARNs
        of the resources that it belongs to.
        """
        return self._take(JOB_FAULTS, (job_kind,), names)

    def _take(
        self, kinds: Collection[str], scopes: Collection[str], values: Collection[object]
    ) -> Fault | None:
        """Return the oldest matching fault that its rate selects. Remove it after its last time."""
        with self._lock:
            for fault in self._faults:
                is_for = fault.of is None or fault.of in values
                matches = fault.name in kinds and fault.scope in scopes and is_for
                if matches and self._random.random() < fault.rate:
                    if fault.times is not None:
                        fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return None


def _fault_from_json(
    fault_id: str, document: Mapping[str, Any], operations: Sequence[str]
) -> Fault:
    """Return the fault that a JSON object describes. Raise ValueError if it is not valid."""
    name = _known_value(document, "fault", tuple(FAULTS))
    parameters, _ = FAULTS[name]
    is_for_calls = name in CALL_FAULTS
    scope_key = "operation" if is_for_calls else "job"
    valid_keys = ("fault", scope_key, *COMMON_DEFAULTS, *parameters)
    if unknown := [key for key in document if key not in valid_keys]:
        raise ValueError(f"the fault {name} has no {unknown[0]!r}; it has {', '.join(valid_keys)}")
    known = OPERATIONS.get(name, ("*", *operations)) if is_for_calls else JOB_KINDS
    scope = _known_value(document, scope_key, known)
    values: dict[str, Any] = {**COMMON_DEFAULTS, **parameters, **document}
    for key in (*COMMON_DEFAULTS, *parameters):
        words, is_valid = CHECKS.get(key) or CHECKS[type(parameters[key])]
        if not is_valid(values[key]):
            raise ValueError(f"{key} of the fault {name} must be {words}: {values[key]!r}")
    own_values = {key: values[key] for key in parameters}
    return Fault(fault_id, name, scope, values["of"], values["times"], values["rate"], own_values)


def _known_value(document: Mapping[str, object], key: str, known: Sequence[str]) -> str:
    """Return the text below a key. Raise ValueError if it is missing or not one of `known`."""
    value = document.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")
    return value
