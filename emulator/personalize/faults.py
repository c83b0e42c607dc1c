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
    """One injected fault, with the calls or jobs that it is for. `times` is what remains."""

    id: str
    fault: str
    times: int
    parameters: dict[str, object]
    operation: str | None = None
    job: str | None = None
    of: str | None = None

    def number(self, parameter: str) -> float:
        """Return a parameter that is a number. `Faults.inject` has checked it."""
        return cast("float", self.parameters[parameter])

    def raise_before_operation(self) -> None:
        """Raise the error of a fault that prevents the operation. Other faults raise nothing.

        Raises:
            ApiError: For `throttle`, `server-error` and `limit-exceeded`.
        """
        if self.fault == "throttle":
            raise ApiError("ThrottlingException", "Rate exceeded")
        if self.fault == "limit-exceeded":
            raise limit_exceeded(str(self.parameters["message"]))
        if self.fault == "server-error":
            raise _server_error(int(self.number("status")))

    def raise_after_operation(self) -> None:
        """Raise the error of a fault that loses the response. Other faults raise nothing.

        Raises:
            NoResponse: For `lost-answer`.
            ApiError: For `lost-answer` with a status.
        """
        if self.fault == "lost-answer":
            if self.parameters["status"] is None:
                raise NoResponse
            raise _server_error(int(self.number("status")))


class Faults:
    """The faults that are waiting for a call or job. The oldest one that matches is used.

    A fault is a JSON object. `{"fault": "throttle", "operation": "ListSolutions", "times": 2}` is
    for calls, and the operation `"*"` matches all. `{"fault": "fail", "job": "dataset-import-job",
    "of": "<ARN or name>", "reason": "..."}` is for the next jobs of a kind. `of` is the name or
    ARN of the job, or the ARN of the resource that it belongs to. Without `of`, any job matches.

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
        fault = _parse(document, f"fault-{next(self._ids)}")
        with self._lock:
            self._faults.append(fault)
        return fault.id

    def list(self) -> list[dict[str, object]]:
        """Return the waiting faults, oldest first, with their `id` and the remaining `times`."""
        with self._lock:
            return [_document(fault) for fault in self._faults]

    def clear(self, fault_id: str | None = None) -> None:
        """Remove one fault, or all.

        Raises:
            ValueError: No waiting fault has this id.
        """
        with self._lock:
            if fault_id is not None and all(fault.id != fault_id for fault in self._faults):
                raise ValueError(f"there is no open fault {fault_id!r}")
            self._faults = [fault for fault in self._faults if fault_id not in (None, fault.id)]

    def for_call(self, operation: str) -> Fault | None:
        """Return the oldest fault for this call, and count it down."""
        return self._take(lambda fault: fault.operation in ("*", operation))

    def for_job(self, kind: str, names: Collection[str]) -> Fault | None:
        """Return the oldest fault for this job, and count it down.

        `names` are the names and ARNs that the fault's `of` may have.
        """
        return self._take(
            lambda fault: fault.job == kind and (fault.of is None or fault.of in names)
        )

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            fault = next(filter(matches, self._faults), None)
            if fault is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault


def _parse(document: Mapping[str, object], fault_id: str) -> Fault:
    name = _known_value(document, "fault", (*CALL_FAULTS, *JOB_FAULTS))
    scope = ("operation",) if name in CALL_FAULTS else ("job", "of")
    defaults = {**CALL_FAULTS, **JOB_FAULTS}[name]
    allowed = ("fault", *scope, "times", *defaults)
    for key in document:
        if key not in allowed:
            raise ValueError(f"the fault {name} has no {key!r}; it has {', '.join(allowed)}")
    times = document.get("times", 1)
    if not isinstance(times, int) or times < 1:
        raise ValueError(f"times must be a whole number from 1 on: {times!r}")
    parameters = {key: _parameter(document, key, default) for key, default in defaults.items()}
    fault = Fault(fault_id, name, times, parameters)
    if name in CALL_FAULTS:
        fault.operation = _known_value(document, "operation", ("*", *operation_names()))
    else:
        fault.job = _known_value(document, "job", JOB_KINDS)
        fault.of = None if document.get("of") is None else str(document["of"])
    return fault


def _parameter(document: Mapping[str, object], key: str, default: object) -> object:
    """Return a parameter. It must have its default's type, or be a number if that is null."""
    value = document.get(key, default)
    expected: tuple[type, ...] = (str,) if isinstance(default, str) else (int, float)
    if value != default and (isinstance(value, bool) or not isinstance(value, expected)):
        noun = "a text" if isinstance(default, str) else "a number"
        raise ValueError(f"{key} of the fault {document['fault']} must be {noun}: {value!r}")
    return value


def _known_value(document: Mapping[str, object], key: str, known: Sequence[str]) -> str:
    value = document.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")
    return value


def _document(fault: Fault) -> dict[str, object]:
    scope = {"operation": fault.operation, "job": fault.job, "of": fault.of}
    return {
        "id": fault.id,
        "fault": fault.fault,
        **{key: value for key, value in scope.items() if value is not None},
        "times": fault.times,
        **fault.parameters,
    }


def _server_error(status: int) -> ApiError:
    is_unavailable = status == HTTPStatus.SERVICE_UNAVAILABLE
    code = "ServiceUnavailable" if is_unavailable else "InternalServerError"
    return ApiError(code, "We encountered an internal error. Please try again.", status)
