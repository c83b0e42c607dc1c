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
from typing import NamedTuple, cast

from botocore.client import BaseClient

from emulator.personalize import (
    batch_jobs,
    campaigns,
    datasets,
    deletion_jobs,
    filters,
    import_jobs,
    lifecycle,
    runtime,
    solutions,
)
from emulator.personalize.authorization import Caller, list_required_permissions
from emulator.personalize.describe_list import describe, list_page
from emulator.personalize.faults import Faults
from emulator.personalize.operation_models import find_operation_model, validate
from emulator.personalize.resources import RESOURCE_CLASSES, Resource
from emulator.personalize.store import (
    Objects,
    R,
    Request,
    Response,
    Store,
    Switches,
)
from emulator.personalize.timeline import FixedTimings, Timings
from emulator.protocol import wire
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import select_fields

Operation = Callable[[Store, Request], Resource | Response | None]
"""`validate` has checked the request. A resource stands for the fields that describe it."""

OPERATIONS: Mapping[str, Operation] = {
    "CreateSchema": datasets.create_schema,
    "CreateDatasetGroup": datasets.create_dataset_group,
    "CreateDataset": datasets.create_dataset,
    "CreateEventTracker": datasets.create_event_tracker,
    "CreateDatasetImportJob": import_jobs.create_dataset_import_job,
    "CreateDataDeletionJob": deletion_jobs.create_data_deletion_job,
    "CreateSolution": solutions.create_solution,
    "UpdateSolution": solutions.update_solution,
    "CreateSolutionVersion": solutions.create_solution_version,
    "StopSolutionVersionCreation": solutions.stop_solution_version_creation,
    "GetSolutionMetrics": solutions.get_solution_metrics,
    "CreateBatchInferenceJob": batch_jobs.create_batch_inference_job,
    "CreateBatchSegmentJob": batch_jobs.create_batch_segment_job,
    "CreateFilter": filters.create_filter,
    "CreateCampaign": campaigns.create_campaign,
    "UpdateCampaign": campaigns.update_campaign,
    "TagResource": lifecycle.tag_resource,
    "UntagResource": lifecycle.untag_resource,
    "ListTagsForResource": lifecycle.list_tags_for_resource,
    **{name: partial(runtime.recommend, name) for name in runtime.OPERATIONS.values()},
    **{f"Describe{noun}": partial(describe, kind) for noun, kind in RESOURCE_CLASSES.items()},
    **{f"List{noun}s": partial(list_page, kind) for noun, kind in RESOURCE_CLASSES.items()},
    **{f"Delete{noun}": partial(lifecycle.delete, kind) for noun, kind in RESOURCE_CLASSES.items()},
}

REAL_CLOCK = partial(datetime.now, UTC)
DEFAULT_TIMINGS = FixedTimings()
DEFAULT_SWITCHES = Switches()


def _allow_everything(_caller: Caller, _action: str, _resources: list[str], /) -> None:
    """Authorize every call, like an account whose users are all administrators."""


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
            ApiError (AccessDeniedException) if the caller lacks the permission. `iam:PassRole` is
            the action for a role in the request. By default every caller may do everything.
        switches: The choices where the behaviour of the service is not documented.

    Attributes:
        faults: The injected faults.
        calls: The last calls, oldest first.
    """

    def __init__(
        self,
        *,
        objects: Objects,
        clock: Callable[[], datetime] = REAL_CLOCK,
        timings: Timings = DEFAULT_TIMINGS,
        authorize: Callable[[Caller, str, list[str]], None] = _allow_everything,
        switches: Switches = DEFAULT_SWITCHES,
    ) -> None:
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=10_000)

        self._clock = clock
        self._authorize = authorize
        self._lock = RLock()

        self._stores: dict[tuple[str, str], Store] = {}
        self._new_store = partial(
            Store, objects=objects, timings=timings, switches=switches, faults=self.faults
        )

    def call(self, operation_name: str, request: Request, caller: Caller) -> Response:
        """Perform an operation of one of the services. Times in the response are datetimes.

        Raises:
            ApiError: The service refuses the call.
            NoResponse: An injected fault loses the response.
        """
        # The caller may change its request later, so keep a copy.
        fields = deepcopy(dict(request))
        request = {name: value for name, value in fields.items() if value is not None}

        with self._lock:
            self.calls.append(Call(operation_name, caller.arn, request))
            response = self._perform(operation_name, request, caller)
            output_shape = find_operation_model(operation_name).output_shape
            return cast("Response", select_fields(output_shape, response))

    def _perform(self, operation_name: str, request: Request, caller: Caller) -> Response:
        """Perform an operation, or let an injected fault happen to it."""
        fault = self.faults.take_for_call(operation_name, request)
        fault.raise_before_operation()

        validate(operation_name, request)
        operation = _find_operation(operation_name)
        store = self._advance_store(caller)
        self._check_permissions(operation_name, request, caller, store)

        if operation_name.startswith(("Describe", "List")):
            store.now -= timedelta(seconds=fault.stale_seconds)

        response = fault.change_response(_build_response(operation(store, request)))
        fault.raise_after_operation()
        return response

    def resources(self, kind: type[R], caller: Caller) -> dict[str, R]:
        """Return the resources of a kind by ARN, oldest first, with all that they store.

        The API shows only a part of it, for example not what a version has learned.
        """
        with self._lock:
            resources = self._advance_store(caller).list_resources(kind)
            return {resource.arn: resource for resource in resources}

    def _advance_store(self, caller: Caller) -> Store:
        """Return the store of the caller's account and region, after everything that is due now."""
        key = (caller.account, caller.region)
        if key not in self._stores:
            self._stores[key] = self._new_store(*key, self._clock())

        store = self._stores[key]
        store.advance(max(self._clock(), store.now))
        return store

    def _check_permissions(
        self, operation_name: str, request: Request, caller: Caller, store: Store
    ) -> None:
        """Refuse a call for which the caller lacks a permission."""
        permissions = list_required_permissions(operation_name, request, store)
        for action, resources in permissions.items():
            self._authorize(caller, action, resources)


def _find_operation(name: str) -> Operation:
    """Find the function for an operation of the services, which may have more than the emulator."""
    if name not in OPERATIONS:
        message = f"{name} is not supported by this emulator of Personalize."
        raise ApiError("UnknownOperationException", message)
    return OPERATIONS[name]


def _build_response(result: Resource | Response | None) -> Response:
    """Build the response from what an operation returns."""
    if result is None:
        return {}
    if isinstance(result, Resource):
        return result.details

    return result


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Let `personalize` respond to the requests of a boto3 client in this process."""
    wire.intercept(client, lambda operation, request: personalize.call(operation, request, caller))
