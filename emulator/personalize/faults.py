"""Injected faults: calls that fail, and jobs that do not end as planned."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from threading import Lock
from typing import cast

from emulator.personalize.errors import ApiError, NoResponse, limit_exceeded
from emulator.personalize.service_model import operation_names

# Each fault with its parameters and their defaults.
CALL_FAULTS: Mapping[str, Mapping[str, object]] = {
    "throttle": {},
    "server-error": {"status": 500},
    "limit-exceeded": {"message": "More than 5 resources with PENDING or IN_PROGRESS status"},
    "lost-answer": {"status": None},
    "stale": {"seconds": 30},
}
JOB_FAULTS: Mapping[str, Mapping[str, object]] = {
    "fail": {"reason": "Internal service error"},
    "stop": {},
    "hang": {},
    "unknown-status": {"status": "CREATE PAUSED"},
    "take": {"seconds": 60},
}
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
    `job_kind` and a `target`. The target is the name or ARN of a job, the ARN of the resource that
    the job belongs to, or None for every job of this kind. `times` is the number of calls or jobs
    that the fault still waits for.
    """

    id: str
    name: str
    times: int
    parameters: Mapping[str, object]
    operation: str | None = None
    job_kind: str | None = None
    target: str | None = None

    def matches_call(self, operation: str) -> bool:
        """Return True if the fault is for calls of this operation."""
        return self.operation in ("*", operation)

    def matches_job(self, job_kind: str, names: Collection[str]) -> bool:
        """Return True if the fault is for a job of this kind that has one of these names."""
        return self.job_kind == job_kind and (self.target is None or self.target in names)

    def number(self, parameter: str) -> float:
        """Return a parameter that is a number. `Faults.inject` has checked it."""
        return cast("float", self.parameters[parameter])

    @property
    def stale_seconds(self) -> float:
        """The age of the data in the response. It is 0 unless the fault is `stale`."""
        return self.number("seconds") if self.name == "stale" else 0

    def raise_before_operation(self) -> None:
        """Raise the error of a fault that prevents the operation. Other faults raise nothing.

        Raises:
            ApiError: For `throttle`, `server-error` and `limit-exceeded`.
        """
        if self.name == "throttle":
            raise ApiError("ThrottlingException", "Rate exceeded")
        if self.name == "limit-exceeded":
            raise limit_exceeded(str(self.parameters["message"]))
        if self.name == "server-error":
            raise _server_error(int(self.number("status")))

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
        scope = {"operation": self.operation, "job": self.job_kind, "of": self.target}
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

    | fault | parameters | effect |
    | --- | --- | --- |
    | throttle | | ThrottlingException, 400 |
    | server-error | status: 500 | InternalServerError, or ServiceUnavailable for 503 |
    | limit-exceeded | message | LimitExceededException |
    | lost-answer | status: null | operation without a response, or with an error of this status |
    | stale | seconds: 30 | a Describe or List shows the resources as they were before |
    | fail | reason | CREATE FAILED at the end |
    | stop | | CREATE STOPPING at the planned end, then CREATE STOPPED |
    | hang | | CREATE IN_PROGRESS without an end |
    | unknown-status | status | this status instead of CREATE IN_PROGRESS |
    | take | seconds: 60 | this time in CREATE IN_PROGRESS |
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._lock = Lock()

    def inject(self, document: Mapping[str, object]) -> str:
        """Add a fault for `times` (default 1) calls or jobs, and return its id.

        Raises:
            ValueError: The fault, operation, kind of job or a parameter is unknown. The message
                lists the known ones.
        """
        fault = _fault_from_json(f"fault-{next(self._ids)}", document)
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

    def take_for_call(self, operation: str) -> Fault | None:
        """Return the oldest fault that matches a call, and reduce its `times` by one.

        Return None if no fault matches.
        """
        return self._take(lambda fault: fault.matches_call(operation))

    def take_for_job(self, job_kind: str, names: Collection[str]) -> Fault | None:
        """Return the oldest fault that matches a new job, and reduce its `times` by one.

        Return None if no fault matches. `names` are the name and the ARN of the job, and the ARNs
        of the resources that it belongs to.
        """
        return self._take(lambda fault: fault.matches_job(job_kind, names))

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        """Return the oldest matching fault. Remove it after its last time."""
        with self._lock:
            fault = next(filter(matches, self._faults), None)
            if fault is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault


def _fault_from_json(fault_id: str, document: Mapping[str, object]) -> Fault:
    """Return the fault that a JSON object describes.

    Raises:
        ValueError: A key or a value of the object is not valid.
    """
    name = _known_value(document, "fault", (*CALL_FAULTS, *JOB_FAULTS))
    is_for_calls = name in CALL_FAULTS
    defaults = CALL_FAULTS[name] if is_for_calls else JOB_FAULTS[name]
    scope_keys = ("operation",) if is_for_calls else ("job", "of")
    valid_keys = ("fault", *scope_keys, "times", *defaults)
    for key in document:
        if key not in valid_keys:
            raise ValueError(f"the fault {name} has no {key!r}; it has {', '.join(valid_keys)}")
    times = document.get("times", 1)
    if not isinstance(times, int) or times < 1:
        raise ValueError(f"times must be a whole number from 1 on: {times!r}")
    parameters = {key: _parameter(document, key, default) for key, default in defaults.items()}
    if is_for_calls:
        operation = _known_value(document, "operation", ("*", *operation_names()))
        return Fault(fault_id, name, times, parameters, operation=operation)
    job_kind = _known_value(document, "job", JOB_KINDS)
    target = None if document.get("of") is None else str(document["of"])
    return Fault(fault_id, name, times, parameters, job_kind=job_kind, target=target)


def _parameter(document: Mapping[str, object], key: str, default: object) -> object:
    """Return the value of a parameter, or `default` if the document does not have the parameter.

    Raises:
        ValueError: The value is no text although the default is one, or else it is no number.
    """
    value = document.get(key, default)
    expected_types: tuple[type, ...] = (str,) if isinstance(default, str) else (int, float)
    if value != default and (isinstance(value, bool) or not isinstance(value, expected_types)):
        noun = "a text" if isinstance(default, str) else "a number"
        raise ValueError(f"{key} of the fault {document['fault']} must be {noun}: {value!r}")
    return value


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
