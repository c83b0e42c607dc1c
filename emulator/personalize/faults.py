"""Faults on order: calls that fail, and jobs that do not go as planned."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from threading import Lock
from typing import cast

from emulator.personalize.errors import ApiError, NoAnswer, limit_exceeded
from emulator.personalize.model import operation_names

# Every fault with its parameters and their defaults.
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
    """One order: what goes wrong, for which calls or jobs, and how many times more."""

    id: str
    fault: str
    times: int
    parameters: dict[str, object]
    operation: str | None = None
    job: str | None = None
    of: str | None = None

    def number(self, parameter: str) -> float:
        """A parameter that is a number, as `Faults.inject` has made sure."""
        return cast("float", self.parameters[parameter])

    def refuse(self) -> None:
        """Before the operation: raise the answer that this fault gives instead of performing it.

        Raises:
            ApiError: For `throttle`, `server-error` and `limit-exceeded`.
        """
        if self.fault == "throttle":
            raise ApiError("ThrottlingException", "Rate exceeded")
        if self.fault == "limit-exceeded":
            raise limit_exceeded(str(self.parameters["message"]))
        if self.fault == "server-error":
            raise _server_error(int(self.number("status")))

    def lose(self) -> None:
        """After the operation: lose its answer.

        Raises:
            NoAnswer: For `lost-answer`; with a status, ApiError.
        """
        if self.fault == "lost-answer":
            if self.parameters["status"] is None:
                raise NoAnswer
            raise _server_error(int(self.number("status")))


class Faults:
    """The orders that are still open, first come, first served.

    A fault is an object that JSON can hold: `{"fault": "throttle", "operation": "ListSolutions",
    "times": 2}` for calls (`"*"` is every operation), `{"fault": "fail", "job":
    "dataset-import-job", "of": "<ARN or name>", "reason": "..."}` for the next jobs of a kind.
    `of` is the job's name or ARN, or the ARN of what it belongs to; left out, any job.

    | fault | parameters | what happens |
    | --- | --- | --- |
    | throttle | | ThrottlingException, 400 |
    | server-error | status: 500 | InternalServerError, or ServiceUnavailable for 503 |
    | limit-exceeded | message | LimitExceededException |
    | lost-answer | status: null | performed, then no answer at all, or an error with this status |
    | stale | seconds: 30 | a Describe or List answers as of so many seconds ago |
    | fail | reason | CREATE FAILED at the end |
    | stop | | CREATE STOPPING where the end was planned, then CREATE STOPPED |
    | hang | | CREATE IN_PROGRESS for ever |
    | unknown-status | status | this instead of CREATE IN_PROGRESS |
    | take | seconds: 60 | so long in CREATE IN_PROGRESS |
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._lock = Lock()

    def inject(self, order: Mapping[str, object]) -> str:
        """Place an order, for `times` (1) calls or jobs, and give its id.

        Raises:
            ValueError: Unknown fault, operation, job kind or parameter; the text says which are
                known.
        """
        fault = _parse(order, f"fault-{next(self._ids)}")
        with self._lock:
            self._faults.append(fault)
        return fault.id

    def list(self) -> list[dict[str, object]]:
        """The open orders as they were placed, with `id` and the `times` that are left."""
        with self._lock:
            return [_order(fault) for fault in self._faults]

    def clear(self, fault_id: str | None = None) -> None:
        """Withdraw one order, or all.

        Raises:
            ValueError: No open order has this id.
        """
        with self._lock:
            if fault_id is not None and all(f.id != fault_id for f in self._faults):
                raise ValueError(f"there is no open fault {fault_id!r}")
            self._faults = [f for f in self._faults if fault_id not in (None, f.id)]

    def for_call(self, operation: str) -> Fault | None:
        """Take the first open order for this call, and count it down."""
        return self._take(lambda f: f.operation in ("*", operation))

    def for_job(self, kind: str, names: Collection[str]) -> Fault | None:
        """Take the first open order for this job, which goes by these names and ARNs."""
        return self._take(lambda f: f.job == kind and (f.of is None or f.of in names))

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            fault = next(filter(matches, self._faults), None)
            if fault is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault


def _parse(order: Mapping[str, object], fault_id: str) -> Fault:
    name = _one_of(order, "fault", (*CALL_FAULTS, *JOB_FAULTS))
    scope = ("operation",) if name in CALL_FAULTS else ("job", "of")
    defaults = {**CALL_FAULTS, **JOB_FAULTS}[name]
    allowed = ("fault", *scope, "times", *defaults)
    for key in order:
        if key not in allowed:
            raise ValueError(f"the fault {name} has no {key!r}; it has {', '.join(allowed)}")
    times = order.get("times", 1)
    if not isinstance(times, int) or times < 1:
        raise ValueError(f"times must be a whole number from 1 on: {times!r}")
    parameters = {key: _parameter(order, key, default) for key, default in defaults.items()}
    fault = Fault(fault_id, name, times, parameters)
    if name in CALL_FAULTS:
        fault.operation = _one_of(order, "operation", ("*", *operation_names()))
    else:
        fault.job = _one_of(order, "job", JOB_KINDS)
        fault.of = None if order.get("of") is None else str(order["of"])
    return fault


def _parameter(order: Mapping[str, object], key: str, default: object) -> object:
    """A parameter is of its default's type; a number may be given where the default is null."""
    value = order.get(key, default)
    expected: tuple[type, ...] = (str,) if isinstance(default, str) else (int, float)
    if value != default and (isinstance(value, bool) or not isinstance(value, expected)):
        noun = "a text" if isinstance(default, str) else "a number"
        raise ValueError(f"{key} of the fault {order['fault']} must be {noun}: {value!r}")
    return value


def _one_of(order: Mapping[str, object], key: str, known: Sequence[str]) -> str:
    value = order.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")
    return value


def _order(fault: Fault) -> dict[str, object]:
    scope = {"operation": fault.operation, "job": fault.job, "of": fault.of}
    return {
        "id": fault.id,
        "fault": fault.fault,
        **{key: value for key, value in scope.items() if value is not None},
        "times": fault.times,
        **fault.parameters,
    }


def _server_error(status: int) -> ApiError:
    code = (
        "ServiceUnavailable" if status == HTTPStatus.SERVICE_UNAVAILABLE else "InternalServerError"
    )
    return ApiError(code, "We encountered an internal error. Please try again.", status)
