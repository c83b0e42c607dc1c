"""The emulated service: it checks a call, lets time pass, and calls the operation.

To add an operation, write a function in the module of its resource, and add it to `OPERATIONS`.
Describe, List and Delete operations need only the class of the resource in `resources.py`.
"""

from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import RLock
from typing import Any, NamedTuple, cast

from emulator.personalize import (
    campaigns,
    datasets,
    describe_list,
    import_jobs,
    lifecycle,
    runtime,
    solutions,
)
from emulator.personalize.authorization import Caller, required_permissions
from emulator.personalize.errors import ApiError
from emulator.personalize.faults import Faults
from emulator.personalize.resources import RESOURCE_CLASSES, Solution
from emulator.personalize.service_model import operation_model, select_fields, validate
from emulator.personalize.store import (
    Objects,
    R,
    Request,
    Response,
    ServiceOptions,
    Store,
    Switches,
)
from emulator.personalize.timeline import FixedTimings, Timings

# The second argument is the request, as a TypedDict. `validate` has checked it.
Operation = Callable[[Store, Any], dict[str, object] | None]

OPERATIONS: Mapping[str, Operation] = {
    "CreateSchema": datasets.create_schema,
    "CreateDatasetGroup": datasets.create_dataset_group,
    "CreateDataset": datasets.create_dataset,
    "CreateEventTracker": datasets.create_event_tracker,
    "CreateDatasetImportJob": import_jobs.create_dataset_import_job,
    "CreateSolution": solutions.create_solution,
    "UpdateSolution": solutions.update_solution,
    "CreateSolutionVersion": solutions.create_solution_version,
    "StopSolutionVersionCreation": solutions.stop_solution_version_creation,
    "GetSolutionMetrics": solutions.get_solution_metrics,
    "CreateCampaign": campaigns.create_campaign,
    "UpdateCampaign": campaigns.update_campaign,
    "TagResource": lifecycle.tag_resource,
    "UntagResource": lifecycle.untag_resource,
    "ListTagsForResource": lifecycle.list_tags_for_resource,
    "GetRecommendations": runtime.get_recommendations,
    "GetActionRecommendations": runtime.get_action_recommendations,
    "GetPersonalizedRanking": runtime.get_personalized_ranking,
}

KEPT_CALLS = 10_000


class Call(NamedTuple):
    """A call that arrived, successful or not."""

    operation: str
    caller: str
    request: Request


class Personalize:
    """Amazon Personalize for any number of accounts and regions, in memory.

    Threads can share it, and it performs their calls one after the other. Import jobs and
    trainings do their work in the first call after their end.

    Args:
        objects: The S3 objects that import jobs read.
        clock: Returns the time in UTC, by default the real time. It must not go backwards.
            Everything that takes time in the service takes time on this clock.
        timings: How long jobs take.
        authorize: Called before an operation with each action and its resources. It raises
            ApiError (AccessDeniedException) if the caller lacks the permission. Without this
            function every caller may do everything.
        pass_role: Called with the ARN of each role that a request passes to the service. It raises
            ApiError if the caller may not pass the role.
        switches: The choices where the behaviour of the service is not documented.

    Attributes:
        faults: The injected faults.
        calls: The last calls, oldest first.
    """

    def __init__(
        self,
        *,
        objects: Objects,
        clock: Callable[[], datetime] | None = None,
        timings: Timings | None = None,
        authorize: Callable[[Caller, str, list[str]], None] | None = None,
        pass_role: Callable[[Caller, str], None] | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self._clock = clock or partial(datetime.now, UTC)
        self._options = ServiceOptions(
            objects, timings or FixedTimings(), switches or Switches(), self.faults
        )
        self._authorize = authorize
        self._pass_role = pass_role
        self._stores: dict[tuple[str, str], Store] = {}
        self._lock = RLock()

    def call(self, operation_name: str, request: Request, caller: Caller) -> Response:
        """Perform an operation of one of the services. Times in the response are datetimes.

        Raises:
            ApiError: The service refuses the call.
            NoResponse: An injected fault loses the response.
        """
        request = {
            key: value for key, value in deepcopy(dict(request)).items() if value is not None
        }
        with self._lock:
            self.calls.append(Call(operation_name, caller.arn, request))
            fault = self.faults.take_for_call(operation_name, request)
            if fault is not None:
                fault.raise_before_operation()
            validate(operation_name, request)
            store = self._advanced_store(caller)
            self._check_permissions(operation_name, request, caller, store)
            if fault is not None and operation_name.startswith(("Describe", "List")):
                store.now -= timedelta(seconds=fault.stale_seconds)
            response: Mapping[str, object] = _perform(store, operation_name, request) or {}
            if fault is not None:
                fault.raise_after_operation()
                response = fault.change_response(response)
            output_shape = operation_model(operation_name).output_shape
            return cast("dict[str, object]", select_fields(output_shape, response))

    def train_automatically(self, solution_arn: str, caller: Caller) -> str:
        """Start an automatic training now and return the ARN of the new version.

        The service does this on a schedule.

        Raises:
            ApiError: The rules of CreateSolutionVersion do not allow it.
        """
        with self._lock:
            store = self._advanced_store(caller)
            solution = store.get(Solution, solution_arn)
            version = solutions.start_training(store, solution, {}, training_type="AUTOMATIC")
            return version.arn

    def resources(self, kind: type[R], caller: Caller) -> dict[str, R]:
        """Return the resources of a kind by ARN, oldest first, with all that they store.

        The API shows only a part of it, for example not what a version has learned.
        """
        with self._lock:
            return {item.arn: item for item in self._advanced_store(caller).all(kind)}

    def _advanced_store(self, caller: Caller) -> Store:
        """Return the store of the caller's account and region, after everything that is due now.

        The first call of a caller from there creates it.
        """
        key = (caller.account, caller.region)
        if key not in self._stores:
            self._stores[key] = Store(*key, self._options, self._clock())
        store = self._stores[key]
        store.advance(max(self._clock(), store.now))
        return store

    def _check_permissions(
        self, operation_name: str, request: Request, caller: Caller, store: Store
    ) -> None:
        """Raise ApiError if the caller may not perform the operation or pass the role."""
        permissions = required_permissions(operation_name, request, store)
        for action, resources in permissions.items():
            if self._authorize is not None:
                self._authorize(caller, action, resources)
        if self._pass_role is not None and "roleArn" in request:
            self._pass_role(caller, str(request["roleArn"]))


def _perform(store: Store, operation_name: str, request: Request) -> Response | None:
    """Return the response of an operation.

    Raises:
        ApiError: The operation refuses the request, or the emulator lacks the operation.
    """
    if operation_name in OPERATIONS:
        return OPERATIONS[operation_name](store, request)
    if operation_name.removeprefix("Describe") in RESOURCE_CLASSES:
        return describe_list.describe(store, operation_name, request)
    if operation_name.removeprefix("List").removesuffix("s") in RESOURCE_CLASSES:
        return describe_list.list_page(store, operation_name, request)
    if operation_name.removeprefix("Delete") in RESOURCE_CLASSES:
        lifecycle.delete(store, operation_name, request)
        return None
    raise ApiError(
        "UnknownOperationException",
        f"{operation_name} is not supported by this emulator of Personalize.",
    )
