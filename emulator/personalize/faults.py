"""Faults that can be injected into API calls and jobs.

A fault waits until a call or a job matches it. Then the call fails or returns something unusual,
or the job takes another course.
"""

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


def _build_error_parameters(code: str, message: str, status: int = 400) -> dict[str, object]:
    """Return the default parameters of a fault that makes a call fail with this error."""
    return {"code": code, "message": message, "status": status}


CALL_FAULTS: Mapping[str, Mapping[str, object]] = {
    "throttle": _build_error_parameters("ThrottlingException", "Rate exceeded"),
    "server-error": _build_error_parameters(
        "InternalServerError", "We encountered an internal error. Please try again.", 500
    ),
    "deny": _build_error_parameters(
        "AccessDeniedException", "You are not authorized to perform this operation."
    ),
    "limit-exceeded": _build_error_parameters(
        "LimitExceededException", "More than 5 resources with PENDING or IN_PROGRESS status"
    ),
    "resource-in-use": _build_error_parameters("ResourceInUseException", "Resource is in use."),
    "too-many-tags": _build_error_parameters(
        "TooManyTagsException", "A resource can have at most 50 tags"
    ),
    "error": _build_error_parameters("InvalidInputException", "The input is not valid."),
    # The operation succeeds, but its response is lost, or replaced by an error with this status.
    "lost-answer": {"status": None},
    # A Describe or List returns the resources as they were this many seconds ago.
    "stale": {"seconds": 30},
    # A response of the runtime service lacks its list of results.
    "no-item-list": {},
    # GetSolutionMetrics returns these values instead of the real ones. A null removes a metric.
    "metrics": {"values": {}},
}
"""Kind of fault in a call -> its parameters with their defaults.

emulator/README.md documents them."""

JOB_FAULTS: Mapping[str, Mapping[str, object]] = {
    "fail": {"reason": "Internal service error"},
    # The job is STOPPING when it should have ended, and then STOPPED.
    "stop": {},
    # The job stays IN_PROGRESS forever.
    "hang": {},
    # The job shows this status instead of IN_PROGRESS.
    "unknown-status": {"status": "CREATE PAUSED"},
    # The job stays IN_PROGRESS for this many seconds.
    "take": {"seconds": 60},
    # The trained version never returns any results.
    "no-results": {},
    # The trained version only knows which items are popular.
    "only-popularity": {},
}
"""Kind of fault in a job -> its parameters with their defaults.

emulator/README.md documents them."""

FAULTS = {**CALL_FAULTS, **JOB_FAULTS}
JOB_KINDS = (
    *(cls.resource_type for cls in RESOURCE_CLASSES.values()),
    "campaign-update",
    "solution-update",
)
COMMON_DEFAULTS = {"of": None, "times": 1, "rate": 1}
"""The parameters that all faults have, besides `fault`, and `operation` or `job`."""


@dataclass(frozen=True)
class Fault:
    """A fault that was injected into calls or jobs."""

    id: str

    kind: str
    """A key of `FAULTS`."""

    parameters: dict[str, Any]
    """All parameters, including those that had to be filled in with defaults."""

    @property
    def stale_seconds(self) -> float:
        """How old the data in the response should be, which is 0 unless the fault is `stale`."""
        # Of the faults in calls, only `stale` has this parameter.
        return float(self.parameters.get("seconds", 0))

    def raise_before_operation(self) -> None:
        """Raise an error if the fault makes the call fail before it has any effect."""
        if "code" in self.parameters:
            raise ApiError(
                self.parameters["code"], self.parameters["message"], self.parameters["status"]
            )

    def raise_after_operation(self) -> None:
        """Raise an error if the fault loses the response of a call that has already succeeded."""
        if self.kind != "lost-answer":
            return

        status = self.parameters["status"]
        if status is None:
            raise NoResponse

        raise ApiError("InternalServerError", "The response is lost.", status)

    def change_response(self, response: dict[str, Any]) -> dict[str, object]:
        """Apply the faults `no-item-list` and `metrics` to a response, and return the result."""
        if self.kind == "no-item-list":
            return {key: value for key, value in response.items() if key not in RESULT_FIELDS}

        if self.kind == "metrics" and "metrics" in response:
            metrics = {**response["metrics"], **self.parameters["values"]}
            remaining = {name: value for name, value in metrics.items() if value is not None}
            return {**response, "metrics": remaining}

        return response

    def change_timeline(self, timeline: Timeline, stopping_seconds: float) -> None:
        """Record the fault in the timeline of a new job, and change its planned transitions."""
        _pending, progress, end = timeline.transitions
        timeline.fault = self.kind

        match self.kind:
            case "fail":
                timeline.fail(end, self.parameters["reason"])
            case "stop":
                timeline.stop(end.time, stopping_seconds)
            case "hang":
                timeline.transitions.remove(end)
            case "unknown-status":
                progress.status = self.parameters["status"]
            case "take":
                end.time = progress.time + timedelta(seconds=self.parameters["seconds"])


NO_FAULT = Fault("", "", {})
"""Stands for the absence of a fault, so that callers don't have to handle None."""


class Faults:
    """The injected faults that are still waiting for calls or jobs.

    If several faults match, the oldest one is applied. The same sequence of calls always meets the
    same faults, even if they have a `rate`.
    """

    def __init__(self, operations: Sequence[str] | None = None) -> None:
        """Allow faults in calls of the given operations, by default all those of Personalize."""
        if operations is None:
            operations = list_operation_names()

        self._operations = operations
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._random = Random(0)  # noqa: S311  # the fixed seed makes tests reproducible

    def inject(self, definition: Mapping[str, object]) -> str:
        """Add a fault, and return its id. By default, it's applied to a single call or job.

        Raises:
            ValueError: The kind of fault, the operation, the kind of job, or a parameter is
                unknown. The message lists the known ones.
        """
        parameters = _parse_definition(definition, self._operations)
        fault = Fault(f"fault-{next(self._ids)}", parameters["fault"], parameters)
        self._faults.append(fault)
        return fault.id

    def list(self) -> list[dict[str, object]]:
        """Return the waiting faults, oldest first, with their `id` and the remaining `times`."""
        return [{"id": fault.id, **fault.parameters} for fault in self._faults]

    def clear(self, fault_id: str | None = None) -> None:
        """Remove the fault with this id or, without an id, all faults."""
        self._faults = [fault for fault in self._faults if fault_id not in (None, fault.id)]

    def take_for_call(self, operation: str, request: Mapping[str, object]) -> Fault:
        """Use up one of the `times` of the oldest fault that matches a call, and return the fault.

        If none matches, return NO_FAULT.
        """
        return self._take("operation", ("*", operation), request.values())

    def take_for_job(self, job_kind: str, names: Collection[str]) -> Fault:
        """Use up one of the `times` of the oldest fault that matches a new job, and return it.

        The `of` parameter of a fault may be any of the `names`. If no fault matches, return
        NO_FAULT.
        """
        return self._take("job", (job_kind,), names)

    def _take(self, scope_key: str, scopes: Collection[str], names: Collection[object]) -> Fault:
        """Use up the oldest matching fault, and remove it after its last use.

        Its parameter `scope_key`, which is "operation" or "job", must be one of the `scopes`. If it
        has an `of`, that must be one of the `names`.
        """
        for fault in self._faults:
            parameters = fault.parameters
            matches = parameters.get(scope_key) in scopes and parameters["of"] in (None, *names)
            # A fault with a rate below 1 only affects some of the calls or jobs that it matches.
            if matches and self._random.random() < parameters["rate"]:
                if parameters["times"] is not None:  # None means that there's no limit.
                    parameters["times"] -= 1
                if parameters["times"] == 0:
                    self.clear(fault.id)

                return fault

        return NO_FAULT


def _parse_definition(definition: Mapping[str, Any], operations: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a fault with their defaults, or raise ValueError if one is unknown.

    Otherwise, a fault with a misspelt operation or job would silently wait forever.
    """
    fault_kind = _require_known_value(definition, "fault", tuple(FAULTS))
    if fault_kind in CALL_FAULTS:
        scope_key = "operation"
        _require_known_value(definition, scope_key, ("*", *operations))
    else:
        scope_key = "job"
        _require_known_value(definition, scope_key, JOB_KINDS)

    defaults = {"fault": "", scope_key: "", **COMMON_DEFAULTS, **FAULTS[fault_kind]}
    for key in definition:
        if key not in defaults:
            raise ValueError(f"the fault {fault_kind} has no {key!r}; it has {', '.join(defaults)}")

    return {**defaults, **definition}


def _require_known_value(
    definition: Mapping[str, object], key: str, known_values: Sequence[str]
) -> str:
    """Return the value of a parameter, or raise ValueError if it isn't a known one."""
    value = definition.get(key)
    if not isinstance(value, str) or value not in known_values:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known_values)}")

    return value
