"""Injected faults: calls that fail, and jobs that do not end as planned."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from emulator.personalize.operation_models import RESULT_FIELDS, list_operation_names
from emulator.personalize.resources import RESOURCE_CLASSES
from emulator.personalize.timeline import Timeline
from emulator.protocol.errors import ApiError, NoResponse


def _refusal(code: str, message: str, status: int = 400) -> dict[str, object]:
    """Return the parameters of a fault that refuses a call with this error."""
    return {"code": code, "message": message, "status": status}


CALL_FAULTS: Mapping[str, Mapping[str, object]] = {
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
    # The operation is performed, but without a response, or with an error status.
    "lost-answer": {"status": None},
    # A Describe or List shows the resources as they were before.
    "stale": {"seconds": 30},
    # A response of the runtime lacks its list of results.
    "no-item-list": {},
    # GetSolutionMetrics has these values, without those that are null.
    "metrics": {"values": {}},
}
"""The faults of calls, with their parameters and their defaults, as emulator/README.md has them."""

JOB_FAULTS: Mapping[str, Mapping[str, object]] = {
    "fail": {"reason": "Internal service error"},
    # The job is STOPPING at its planned end.
    "stop": {},
    # The job is IN_PROGRESS without an end.
    "hang": {},
    # The job has this status instead of IN_PROGRESS.
    "unknown-status": {"status": "CREATE PAUSED"},
    # The job is IN_PROGRESS for this time.
    "take": {"seconds": 60},
    # A version never has a result for a request.
    "no-results": {},
    # A version only learns which items are popular.
    "only-popularity": {},
}
"""The faults of jobs, with their parameters and their defaults, as emulator/README.md has them."""

FAULTS = {**CALL_FAULTS, **JOB_FAULTS}
JOB_KINDS = (
    *(kind.resource_type for kind in RESOURCE_CLASSES.values()),
    "campaign-update",
    "solution-update",
)
COMMON_DEFAULTS = {"of": None, "times": 1, "rate": 1}
"""The parameters of every fault."""


@dataclass(frozen=True)
class Fault:
    """One injected fault, for calls or for jobs."""

    id: str

    kind: str
    """The name of the fault in `FAULTS`."""

    values: dict[str, Any]
    """The fields of its document (emulator/README.md), and the defaults of those that it lacks."""

    @property
    def stale_seconds(self) -> float:
        """The age of the data in the response. It is 0 unless the fault is `stale`."""
        if self.kind != "stale":
            return 0
        return float(self.values["seconds"])

    def raise_before_operation(self) -> None:
        """Refuse the call, if the fault prevents its operation."""
        if "code" in self.values:
            raise ApiError(self.values["code"], self.values["message"], self.values["status"])

    def raise_after_operation(self) -> None:
        """Lose the response, if the fault is `lost-answer`."""
        if self.kind != "lost-answer":
            return

        status = self.values["status"]
        if status is None:
            raise NoResponse

        raise ApiError("InternalServerError", "The response is lost.", status)

    def change_response(self, response: dict[str, Any]) -> dict[str, object]:
        """Change the response, if the fault is `no-item-list` or `metrics`."""
        if self.kind == "no-item-list":
            return {key: value for key, value in response.items() if key not in RESULT_FIELDS}

        if self.kind == "metrics" and "metrics" in response:
            metrics = {**response["metrics"], **self.values["values"]}
            present = {name: value for name, value in metrics.items() if value is not None}
            return {**response, "metrics": present}

        return response

    def change_course(self, timeline: Timeline, stop_seconds: float) -> None:
        """Let a new job take another course than planned."""
        _pending, progress, end = timeline.moments
        timeline.fault = self.kind

        match self.kind:
            case "fail":
                timeline.fail(end, self.values["reason"])
            case "stop":
                timeline.stop(end.time, stop_seconds)
            case "hang":
                timeline.moments.remove(end)
            case "unknown-status":
                progress.status = self.values["status"]
            case "take":
                end.time = progress.time + timedelta(seconds=self.values["seconds"])


NO_FAULT = Fault("", "", {})
"""What happens to most calls and jobs."""


class Faults:
    """The faults that wait for a call or job. Of those that match, the oldest one happens.

    The same calls always meet the same faults, even if these have a `rate`. `operations` are those
    that a fault can name, by default those of Personalize.
    """

    def __init__(self, operations: Sequence[str] | None = None) -> None:
        if operations is None:
            operations = list_operation_names()

        self._operations = operations
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._random = Random(0)  # noqa: S311  # the same calls meet the same faults

    def inject(self, document: Mapping[str, object]) -> str:
        """Add a fault for `times` (default 1) calls or jobs, and return its id.

        Raises:
            ValueError: The fault, operation, kind of job or a parameter is unknown. The message
                lists the known ones.
        """
        values = _complete_values(document, self._operations)
        fault = Fault(f"fault-{next(self._ids)}", values["fault"], values)
        self._faults.append(fault)
        return fault.id

    def list(self) -> list[dict[str, object]]:
        """Return the waiting faults, oldest first, with their `id` and the remaining `times`."""
        return [{"id": fault.id, **fault.values} for fault in self._faults]

    def clear(self, fault_id: str | None = None) -> None:
        """Remove the fault with this id, or every fault if the id is None."""
        self._faults = [fault for fault in self._faults if fault_id not in (None, fault.id)]

    def take_for_call(self, operation: str, request: Mapping[str, object]) -> Fault:
        """Take the oldest fault that happens to a call, or one that does nothing."""
        return self._take("operation", ("*", operation), request.values())

    def take_for_job(self, job_kind: str, names: Collection[str]) -> Fault:
        """Take the oldest fault that happens to a new job, or one that does nothing.

        `names` are the name and the ARN of the job, and the ARNs of the resources that it belongs
        to.
        """
        return self._take("job", (job_kind,), names)

    def _take(self, scope_key: str, scopes: Collection[str], names: Collection[object]) -> Fault:
        """Take the oldest fault with one of the scopes, and perhaps only `of` one of the names."""
        for fault in self._faults:
            values = fault.values
            matches = values.get(scope_key) in scopes and values["of"] in (None, *names)
            if matches and self._random.random() < values["rate"]:
                self._count_down(fault)
                return fault

        return NO_FAULT

    def _count_down(self, fault: Fault) -> None:
        """Remove a fault after its last time."""
        if fault.values["times"] is None:
            return  # It happens for ever.

        fault.values["times"] -= 1
        if fault.values["times"] == 0:
            self.clear(fault.id)


def _complete_values(document: Mapping[str, Any], operations: Sequence[str]) -> dict[str, Any]:
    """Check the document of a fault, and complete it with its defaults.

    Its names are checked, because a fault with a misspelt one would never happen.
    """
    fault_kind = _check_known(document, "fault", tuple(FAULTS))
    if fault_kind in CALL_FAULTS:
        scope_key = "operation"
        _check_known(document, scope_key, ("*", *operations))
    else:
        scope_key = "job"
        _check_known(document, scope_key, JOB_KINDS)

    defaults = {"fault": "", scope_key: "", **COMMON_DEFAULTS, **FAULTS[fault_kind]}
    for key in document:
        if key not in defaults:
            raise ValueError(f"the fault {fault_kind} has no {key!r}; it has {', '.join(defaults)}")

    return {**defaults, **document}


def _check_known(document: Mapping[str, object], key: str, known: Sequence[str]) -> str:
    """Return the text below a key, which must be one of the known ones."""
    value = document.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")

    return value
