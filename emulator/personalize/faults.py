"""Injected faults: calls that fail, and jobs that do not end as planned."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from emulator.personalize.errors import ApiError, JobFailed, NoResponse
from emulator.personalize.service_model import operation_names
from emulator.personalize.timeline import Timeline

FaultKind = tuple[Mapping[str, object], str]
"""The parameters of a fault with their defaults, and its effect in words."""


def _refusal(code: str, message: str, status: int = 400) -> FaultKind:
    return {"code": code, "message": message, "status": status}, "the call is refused"


# emulator/README.md shows these tables.
CALL_FAULTS: Mapping[str, FaultKind] = {
    "throttle": _refusal("ThrottlingException", "Rate exceeded"),
    "server-error": _refusal(
        "InternalServerError", "We encountered an internal error. Please try again.", 500
    ),
    "deny": _refusal("AccessDeniedException", "You are not authorized to perform this operation."),
    "limit-exceeded": _refusal(
        "LimitExceededException", "More than 5 resources with PENDING or IN_PROGRESS status"
    ),
    "resource-in-use": _refusal("ResourceInUseException", "Resource is in use."),
    "too-many-tags": _refusal("TooManyTagsException", "A resource can have at most 50 tags"),
    "error": _refusal("InvalidInputException", "The input is not valid."),
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
RESULT_FIELDS = ("itemList", "actionList", "personalizedRanking")
JOB_KINDS = (
    *("dataset-import-job", "solution-version", "campaign", "campaign-update", "solution-update"),
    *("dataset-group", "dataset", "solution", "event-tracker"),
)
COMMON_DEFAULTS = {"of": None, "times": 1, "rate": 1}
NULLABLE = ("of", "times", "status")


@dataclass
class Fault:
    """One injected fault, for calls or for jobs.

    The `scope` of a fault for calls is their operation, or "*" for all. The scope of a fault for
    jobs is their kind. `of` is a name or an ARN. A call matches if its request has this text as a
    value, and a job matches if it is its name or ARN, or the ARN of the resource that it belongs
    to. If `of` is None, every call of the operation or every job of the kind matches. `times`
    is the number of calls or jobs that the fault still waits for, or None for all. `rate` is the
    share of the matching calls or jobs that the fault happens to. `document` is the fault as it
    was injected.
    """

    id: str
    document: Mapping[str, object]
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

    def raise_before_operation(self) -> None:
        """Raise the ApiError of a fault that prevents the operation. Other faults raise nothing."""
        if "code" in self.parameters:
            raise ApiError(**self.parameters)

    def raise_after_operation(self) -> None:
        """Raise the error of a fault that loses the response. Other faults raise nothing.

        Raises:
            NoResponse: For `lost-answer`.
            ApiError: For `lost-answer` with a status.
        """
        if self.name == "lost-answer" and self.parameters["status"] is None:
            raise NoResponse
        if self.name == "lost-answer":
            error, _ = CALL_FAULTS["server-error"]
            raise ApiError(**{**error, **self.parameters})

    def change_response(self, response: Mapping[str, Any]) -> Mapping[str, object]:
        """Return the response with the change of the faults `no-item-list` and `metrics`.

        Other faults do not change the response.
        """
        if self.name == "no-item-list":
            return {key: value for key, value in response.items() if key not in RESULT_FIELDS}
        if self.name == "metrics" and "metrics" in response:
            metrics = {**response["metrics"], **self.parameters["values"]}
            present = {name: value for name, value in metrics.items() if value is not None}
            return {**response, "metrics": present}
        return response

    def change_course(self, timeline: Timeline, stop_seconds: float) -> None:
        """Change the timeline of a new job. Its moments are PENDING, IN_PROGRESS and the end."""
        _, progress, end = timeline.moments
        match self.name:
            case "fail":
                end.effect = self._fail
            case "stop":
                timeline.stop(end.time, stop_seconds)
            case "hang":
                timeline.moments.remove(end)
            case "unknown-status":
                progress.status = self.parameters["status"]
            case "take":
                end.time = progress.time + timedelta(seconds=self.parameters["seconds"])
            case "no-results":
                timeline.gives_results = False

    def _fail(self) -> None:
        raise JobFailed(self.parameters["reason"])


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
        self._random = Random(0)  # noqa: S311  # the same calls meet the same faults

    def inject(self, document: Mapping[str, object]) -> str:
        """Add a fault for `times` (default 1) calls or jobs, and return its id.

        Raises:
            ValueError: The fault, operation, kind of job or a parameter is unknown. The message
                lists the known ones.
        """
        fault = _fault_from_json(f"fault-{next(self._ids)}", document, self._operations)
        self._faults.append(fault)
        return fault.id

    def list(self) -> list[dict[str, object]]:
        """Return the waiting faults, oldest first, with their `id` and the remaining `times`."""
        return [{**fault.document, "id": fault.id, "times": fault.times} for fault in self._faults]

    def clear(self, fault_id: str | None = None) -> None:
        """Remove the fault with this id, or every fault if the id is None."""
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
        for fault in self._faults:
            is_for = fault.of is None or fault.of in values
            matches = fault.name in kinds and fault.scope in scopes and is_for
            if matches and self._random.random() < fault.rate:
                if fault.times is not None:
                    fault.times -= 1
                if fault.times == 0:
                    self.clear(fault.id)
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
    scope = _known_value(document, scope_key, ("*", *operations) if is_for_calls else JOB_KINDS)
    defaults = {**COMMON_DEFAULTS, **parameters}
    given = {key: document[key] for key in document if key not in ("fault", scope_key)}
    for key, value in given.items():
        if key not in defaults:
            known = ", ".join(("fault", scope_key, *defaults))
            raise ValueError(f"the fault {name} has no {key!r}; it has {known}")
        if not _is_valid(key, value, defaults[key]):
            raise ValueError(f"{key} of the fault {name} cannot be {value!r}")
    values: dict[str, Any] = {**defaults, **given}
    common = {key: values.pop(key) for key in COMMON_DEFAULTS}
    return Fault(fault_id, document, name, scope, **common, parameters=values)


def _is_valid(key: str, value: object, default: object) -> bool:
    """Return True if a value has the type of its default, and is above 0 if it is a number."""
    if value is None:
        return key in NULLABLE
    if isinstance(default, str | dict):
        return isinstance(value, type(default))
    if key == "of":
        return isinstance(value, str)
    return isinstance(value, int | float) and 0 < value < math.inf


def _known_value(document: Mapping[str, object], key: str, known: Sequence[str]) -> str:
    """Return the text below a key. Raise ValueError if it is missing or not one of `known`."""
    value = document.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")
    return value
