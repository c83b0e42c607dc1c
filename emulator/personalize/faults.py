"""Injected faults: calls that fail, and jobs that do not end as planned."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from random import Random
from threading import Lock
from typing import NamedTuple, cast

from emulator.personalize.errors import ApiError, NoResponse, in_use, limit_exceeded
from emulator.personalize.service_model import RUNTIME, operation_names, service_model


class FaultKind(NamedTuple):
    """The parameters of a fault with their defaults, and its effect in words.

    A parameter whose default is a text is a text, and one whose default is {} is a JSON object.
    Every other parameter is a number.
    """

    parameters: Mapping[str, object]
    effect: str


# emulator/README.md shows these tables.
CALL_FAULTS: Mapping[str, FaultKind] = {
    "throttle": FaultKind({}, "ThrottlingException"),
    "server-error": FaultKind(
        {"status": 500}, "InternalServerError, or ServiceUnavailable for 503"
    ),
    "deny": FaultKind({}, "AccessDeniedException"),
    "limit-exceeded": FaultKind(
        {"message": ""}, "LimitExceededException, by default with the message of a quota"
    ),
    "resource-in-use": FaultKind(
        {"message": "Resource is in use."}, "ResourceInUseException, which means: not now"
    ),
    "too-many-tags": FaultKind({}, "TooManyTagsException"),
    "error": FaultKind(
        {"code": "InvalidInputException", "message": "The input is not valid.", "status": 400},
        "any other error",
    ),
    "lost-answer": FaultKind(
        {"status": None},
        "the operation is performed, but the response is lost, or is an error with this status",
    ),
    "stale": FaultKind(
        {"seconds": 30}, "a Describe or List shows the resources as they were before"
    ),
    "no-item-list": FaultKind(
        {}, "a response of the runtime without itemList, actionList or personalizedRanking"
    ),
    "metrics": FaultKind(
        {"values": {}}, "GetSolutionMetrics with these values, for example NaN; null removes one"
    ),
}
JOB_FAULTS: Mapping[str, FaultKind] = {
    "fail": FaultKind({"reason": "Internal service error"}, "CREATE FAILED at the end"),
    "stop": FaultKind({}, "CREATE STOPPING at the planned end, then CREATE STOPPED"),
    "hang": FaultKind({}, "CREATE IN_PROGRESS without an end"),
    "unknown-status": FaultKind(
        {"status": "CREATE PAUSED"}, "this status instead of CREATE IN_PROGRESS"
    ),
    "take": FaultKind({"seconds": 60}, "this time in CREATE IN_PROGRESS"),
    "no-results": FaultKind(
        {}, "a version that is trained as planned, but never has a result for a request"
    ),
}
FAULT_OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "no-item-list": tuple(service_model(RUNTIME).operation_names),
    "metrics": ("GetSolutionMetrics",),
}
"""The operations of the faults that are not for every operation."""
RESULT_FIELDS = ("itemList", "actionList", "personalizedRanking")
QUOTA_MESSAGES = {
    "personalize:CreateSolutionVersion": "More than 20 resources with PENDING or IN_PROGRESS status"
}
OTHER_QUOTA_MESSAGE = "More than 5 resources with PENDING or IN_PROGRESS status"
JOB_KINDS = (
    "dataset-import-job",
    "solution-version",
    "campaign",
    "campaign-update",
    "solution-update",
    "dataset-group",
    "dataset",
    "solution",
    "event-tracker",
)


@dataclass
class Fault:
    """One injected fault, for calls or for jobs.

    A fault for calls has an `operation`, which can be "*" for all. A fault for jobs has a
    `job_kind`. The `target` is a name or an ARN. A call matches if its request has this text as a
    value, and a job matches if it is its name or ARN, or the ARN of the resource that it belongs
    to. If `target` is None, every call of the operation or every job of the kind matches. `times`
    is the number of calls or jobs that the fault still waits for, or None for all. `rate` is the
    share of the matching calls or jobs that the fault happens to.
    """

    id: str
    name: str
    times: int | None
    rate: float
    parameters: Mapping[str, object]
    operation: str | None = None
    job_kind: str | None = None
    target: str | None = None

    def matches_call(self, operation: str, request: Mapping[str, object]) -> bool:
        """Return True if the fault is for this call."""
        is_for_request = self.target is None or self.target in request.values()
        return self.operation in ("*", operation) and is_for_request

    def matches_job(self, job_kind: str, names: Collection[str]) -> bool:
        """Return True if the fault is for a job of this kind that has one of these names."""
        return self.job_kind == job_kind and (self.target is None or self.target in names)

    def number(self, parameter: str) -> float:
        """Return a parameter that is a number. `Faults.inject` has checked it."""
        return cast("float", self.parameters[parameter])

    def text(self, parameter: str) -> str:
        """Return a parameter that is a text. `Faults.inject` has checked it."""
        return cast("str", self.parameters[parameter])

    @property
    def stale_seconds(self) -> float:
        """The age of the data in the response. It is 0 unless the fault is `stale`."""
        return self.number("seconds") if self.name == "stale" else 0

    def raise_before_operation(self, action: str, caller_arn: str) -> None:
        """Raise the error of a fault that prevents the operation. Other faults raise nothing.

        `action` is the IAM action, for example "personalize:ListSchemas".

        Raises:
            ApiError: The error of the fault.
        """
        match self.name:
            case "throttle":
                raise ApiError("ThrottlingException", "Rate exceeded")
            case "server-error":
                raise _server_error(int(self.number("status")))
            case "deny":
                message = f"User: {caller_arn} is not authorized to perform: {action}"
                raise ApiError("AccessDeniedException", message)
            case "limit-exceeded":
                message = QUOTA_MESSAGES.get(action, OTHER_QUOTA_MESSAGE)
                raise limit_exceeded(self.text("message") or message)
            case "resource-in-use":
                raise in_use(self.text("message"))
            case "too-many-tags":
                raise ApiError("TooManyTagsException", "A resource can have at most 50 tags")
            case "error":
                status = int(self.number("status"))
                raise ApiError(self.text("code"), self.text("message"), status)

    def change_response(self, response: Mapping[str, object]) -> dict[str, object]:
        """Return the response with the change of the faults `no-item-list` and `metrics`.

        Other faults do not change the response.
        """
        if self.name == "no-item-list":
            return {key: value for key, value in response.items() if key not in RESULT_FIELDS}
        if self.name == "metrics":
            metrics = cast("Mapping[str, object]", response["metrics"])
            values = cast("Mapping[str, object]", self.parameters["values"])
            changed = {**metrics, **values}
            present = {name: value for name, value in changed.items() if value is not None}
            return {**response, "metrics": present}
        return dict(response)

    def raise_after_operation(self) -> None:
        """Raise the error of a fault that loses the response. Other faults raise nothing.

        Raises:
            NoResponse: For `lost-answer`.
            ApiError: For `lost-answer` with a status.
        """
        if self.name == "lost-answer":
            if self.parameters["status"] is None:
                raise NoResponse
            raise _server_error(int(self.number("status")))

    def as_json(self) -> dict[str, object]:
        """Return the fault as a JSON object with id, remaining times and parameters."""
        scope = {
            "operation": self.operation,
            "job": self.job_kind,
            "of": self.target,
            "rate": None if self.rate == 1 else self.rate,
        }
        return {
            "id": self.id,
            "fault": self.name,
            **{key: value for key, value in scope.items() if value is not None},
            "times": self.times,
            **self.parameters,
        }


class Faults:
    """The faults that are waiting for a call or job. The oldest one that matches is used.

    A fault is injected as a JSON object. This fault is for the next two calls of ListSolutions. The
    operation "*" matches every call.

        {"fault": "throttle", "operation": "ListSolutions", "times": 2}

    This fault is for the next job of a kind. `of` is the name or ARN of the job, or the ARN of the
    resource that the job belongs to. Without `of`, every job of the kind matches.

        {"fault": "fail", "job": "dataset-import-job", "of": "<ARN or name>", "reason": "..."}

    This fault happens to every tenth call on average, for as long as it is not removed (`times` is
    null). `of` is a value in the request. The same calls always meet the same faults.

        {"fault": "deny", "operation": "TagResource", "of": "<ARN>", "times": null, "rate": 0.1}

    `CALL_FAULTS` and `JOB_FAULTS` have all faults with their parameters.

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
        return self._take(lambda fault: fault.matches_call(operation, request))

    def take_for_job(self, job_kind: str, names: Collection[str]) -> Fault | None:
        """Return the oldest fault that happens to a new job, and reduce its `times` by one.

        Return None if no fault does. `names` are the name and the ARN of the job, and the ARNs
        of the resources that it belongs to.
        """
        return self._take(lambda fault: fault.matches_job(job_kind, names))

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        """Return the oldest matching fault that its rate selects. Remove it after its last time."""
        with self._lock:
            matching = filter(matches, self._faults)
            happens = (fault for fault in matching if self._random.random() < fault.rate)
            fault = next(happens, None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault


def _fault_from_json(
    fault_id: str, document: Mapping[str, object], operations: Sequence[str]
) -> Fault:
    """Return the fault that a JSON object describes.

    Raises:
        ValueError: A key or a value of the object is not valid.
    """
    name = _known_value(document, "fault", (*CALL_FAULTS, *JOB_FAULTS))
    is_for_calls = name in CALL_FAULTS
    defaults = {**CALL_FAULTS, **JOB_FAULTS}[name].parameters
    scope_key = "operation" if is_for_calls else "job"
    valid_keys = ("fault", scope_key, "of", "times", "rate", *defaults)
    for key in document:
        if key not in valid_keys:
            raise ValueError(f"the fault {name} has no {key!r}; it has {', '.join(valid_keys)}")
    fault = Fault(
        fault_id,
        name,
        times=_times(document),
        rate=_rate(document),
        parameters={key: _parameter(document, key, default) for key, default in defaults.items()},
        target=None if document.get("of") is None else str(document["of"]),
    )
    if is_for_calls:
        known = FAULT_OPERATIONS.get(name, ("*", *operations))
        fault.operation = _known_value(document, "operation", known)
    else:
        fault.job_kind = _known_value(document, "job", JOB_KINDS)
    return fault


def _times(document: Mapping[str, object]) -> int | None:
    """Return the number of calls or jobs of a fault, or None for all of them."""
    times = document.get("times", 1)
    if times is None or (isinstance(times, int) and times >= 1):
        return times
    raise ValueError(f"times must be a whole number from 1 on, or null for always: {times!r}")


def _rate(document: Mapping[str, object]) -> float:
    """Return the share of the matching calls or jobs that a fault happens to."""
    rate = document.get("rate", 1)
    if isinstance(rate, int | float) and 0 < rate <= 1:
        return rate
    raise ValueError(f"rate must be a number above 0 and at most 1: {rate!r}")


def _parameter(document: Mapping[str, object], key: str, default: object) -> object:
    """Return the value of a parameter, or `default` if the document does not have the parameter.

    Raises:
        ValueError: The value has another type than `FaultKind` says, or is a number below 0.
    """
    value = document.get(key, default)
    noun, expected_types = _expected_types(default)
    if value != default and (isinstance(value, bool) or not isinstance(value, expected_types)):
        raise ValueError(f"{key} of the fault {document['fault']} must be {noun}: {value!r}")
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        raise ValueError(f"{key} of the fault {document['fault']} must be 0 or more: {value!r}")
    return value


def _expected_types(default: object) -> tuple[str, tuple[type, ...]]:
    """Return the types of a parameter with this default, and their name in a message."""
    if isinstance(default, str):
        return "a text", (str,)
    if isinstance(default, Mapping):
        return "a JSON object", (dict,)
    return "a number", (int, float)


def _known_value(document: Mapping[str, object], key: str, known: Sequence[str]) -> str:
    """Return the text below a key. Raise ValueError if it is missing or not one of `known`."""
    value = document.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")
    return value


def _server_error(status: int) -> ApiError:
    """Return a server error of AWS with an HTTP status, which is 500 or more."""
    is_unavailable = status == HTTPStatus.SERVICE_UNAVAILABLE
    code = "ServiceUnavailable" if is_unavailable else "InternalServerError"
    return ApiError(code, "We encountered an internal error. Please try again.", status)
