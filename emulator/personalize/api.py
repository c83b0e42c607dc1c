"""The emulated service: it checks each API call, catches up on due jobs, and runs the operation.

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
from botocore.model import ListShape, Shape, StructureShape

from emulator.personalize import (
    batch_jobs,
    campaigns,
    datasets,
    deletion_jobs,
    events,
    filters,
    import_jobs,
    lifecycle,
    recommenders,
    runtime,
    solution_versions,
    solutions,
)
from emulator.personalize.authorization import Caller, list_required_permissions
from emulator.personalize.auto_training import train_now
from emulator.personalize.describe_list import describe, list_page
from emulator.personalize.faults import Faults
from emulator.personalize.operation_models import (
    find_error_status,
    find_operation_model,
    validate_request,
)
from emulator.personalize.resources import RESOURCE_CLASSES, Resource, Solution
from emulator.personalize.s3_files import S3Objects
from emulator.personalize.store import (
    Request,
    ResourceT,
    Response,
    Store,
    Switches,
)
from emulator.personalize.timeline import FixedTimings, Timings
from emulator.protocol import wire
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import list_members

Operation = Callable[[Store, Request], Resource | Response | None]
"""The implementation of an API operation. It can rely on what `validate_request` has checked.

A Create or Update operation may return its resource, whose ARN is then in the response."""

OPERATIONS: Mapping[str, Operation] = {
    "CreateSchema": datasets.create_schema,
    "CreateDatasetGroup": datasets.create_dataset_group,
    "CreateDataset": datasets.create_dataset,
    "CreateEventTracker": datasets.create_event_tracker,
    "CreateDatasetImportJob": import_jobs.create_dataset_import_job,
    "CreateDataDeletionJob": deletion_jobs.create_data_deletion_job,
    "CreateSolution": solutions.create_solution,
    "UpdateSolution": solutions.update_solution,
    "CreateSolutionVersion": solution_versions.create_solution_version,
    "StopSolutionVersionCreation": solution_versions.stop_solution_version_creation,
    "GetSolutionMetrics": solution_versions.get_solution_metrics,
    "PutEvents": events.put_events,
    "CreateBatchInferenceJob": batch_jobs.create_batch_inference_job,
    "CreateBatchSegmentJob": batch_jobs.create_batch_segment_job,
    "CreateFilter": filters.create_filter,
    "CreateCampaign": campaigns.create_campaign,
    "UpdateCampaign": campaigns.update_campaign,
    "CreateRecommender": recommenders.create_recommender,
    "StopRecommender": recommenders.stop_recommender,
    "StartRecommender": recommenders.start_recommender,
    "TagResource": lifecycle.tag_resource,
    "UntagResource": lifecycle.untag_resource,
    "ListTagsForResource": lifecycle.list_tags_for_resource,
    **{
        name: partial(runtime.recommend, name) for name in runtime.OPERATION_BY_RECIPE_TYPE.values()
    },
    **{f"Describe{noun}": partial(describe, cls) for noun, cls in RESOURCE_CLASSES.items()},
    **{f"List{noun}s": partial(list_page, cls) for noun, cls in RESOURCE_CLASSES.items()},
    **{
        f"Delete{noun}": partial(lifecycle.delete_resource, cls)
        for noun, cls in RESOURCE_CLASSES.items()
    },
}

SYSTEM_CLOCK = partial(datetime.now, UTC)
DEFAULT_TIMINGS = FixedTimings()
DEFAULT_SWITCHES = Switches()


def _allow_everything(_caller: Caller, _action: str, _resources: list[str], /) -> None:
    """Allow every call, as in an account where everybody is an administrator."""


class Call(NamedTuple):
    """An API call that was received, whether or not it succeeded."""

    operation: str
    caller: str
    request: Request


class Personalize:
    """An in-memory Amazon Personalize with any number of accounts and regions.

    It's thread-safe, because calls are performed one at a time. The actual work of an import or a
    training happens during the first call after it should have ended.

    Args:
        objects: The S3 objects that jobs read and write.
        clock: Returns the current UTC time, by default that of the system. It must not go
            backwards. Jobs take their time on this clock, so a test can skip the waiting.
        timings: Returns how long each job takes.
        authorize: Is called before each operation, with the caller, an IAM action and its
            resources. It raises ApiError (AccessDeniedException) if the caller isn't allowed to.
            If a request contains a role, it's also called for `iam:PassRole`. By default,
            everything is allowed.
        switches: Select behaviours that AWS doesn't document.

    Attributes:
        faults: The injected faults.
        calls: The most recent calls, oldest first.
    """

    def __init__(
        self,
        *,
        objects: S3Objects,
        clock: Callable[[], datetime] = SYSTEM_CLOCK,
        timings: Timings = DEFAULT_TIMINGS,
        authorize: Callable[[Caller, str, list[str]], None] = _allow_everything,
        switches: Switches = DEFAULT_SWITCHES,
    ) -> None:
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=10_000)

        self._clock = clock
        self._skipped = timedelta()
        self._authorize = authorize
        self._lock = RLock()

        self._stores: dict[tuple[str, str], Store] = {}
        self._new_store = partial(
            Store, objects=objects, timings=timings, switches=switches, faults=self.faults
        )

    def call(self, operation_name: str, request: Request, caller: Caller) -> Response:
        """Perform an API call, and return the response, with timestamps as datetimes.

        Raises:
            ApiError: The service rejects the call.
            NoResponse: An injected fault loses the response.
        """
        # Resources keep parts of their request, so it must not change when the caller reuses it.
        fields = deepcopy(dict(request))
        request = {name: value for name, value in fields.items() if value is not None}

        with self._lock:
            self.calls.append(Call(operation_name, caller.arn, request))
            try:
                response = self._perform(operation_name, request, caller)
            except ApiError as error:
                error.status = find_error_status(operation_name, error)
                raise

            # Resources offer all their fields, so drop those that this operation doesn't return.
            output_shape = find_operation_model(operation_name).output_shape
            return cast("Response", _select_fields(output_shape, response))

    def _perform(self, operation_name: str, request: Request, caller: Caller) -> Response:
        """Check a call and run its operation, unless an injected fault interferes."""
        fault = self.faults.take_for_call(operation_name, request)
        fault.raise_before_operation()

        validate_request(operation_name, request)
        if operation_name not in OPERATIONS:
            raise ApiError(
                "UnknownOperationException",
                f"{operation_name} is not supported by this emulator of Personalize.",
            )

        store = self._advance_store(caller)
        for action, arns in list_required_permissions(operation_name, request, store).items():
            self._authorize(caller, action, arns)

        # A stale response shows the past, but only a read can be stale.
        if operation_name.startswith(("Describe", "List")):
            store.now -= timedelta(seconds=fault.stale_seconds)

        result = OPERATIONS[operation_name](store, request)
        response = fault.change_response(_build_response(result))
        fault.raise_after_operation()
        return response

    def skip(self, seconds: float) -> None:
        """Move the clock of all accounts and regions forward, so that nobody waits for jobs."""
        with self._lock:
            self._skipped += timedelta(seconds=seconds)

    def train_automatically(self, solution_arn: str) -> bool:
        """Start the next automatic training of a solution at once.

        Return False if no interactions are new, or if the training can't start now.

        Raises:
            ValueError: automatic training of the solution is off.
            ApiError: ResourceNotFoundException if there is no such solution.
        """
        region, account = solution_arn.split(":")[3:5]
        with self._lock:
            store = self._advance_store(Caller(account, region, arn=""))
            return train_now(store, store.get(Solution, solution_arn))

    def resources(self, resource_class: type[ResourceT], caller: Caller) -> dict[str, ResourceT]:
        """Return the caller's resources of a class by ARN, oldest first.

        Tests use this for what the API doesn't show, such as the rows of a dataset.
        """
        with self._lock:
            resources = self._advance_store(caller).list_resources(resource_class)
            return {resource.arn: resource for resource in resources}

    def _advance_store(self, caller: Caller) -> Store:
        """Return the store of the caller's account and region, after all due jobs have run."""
        key = (caller.account, caller.region)
        if key not in self._stores:
            self._stores[key] = self._new_store(*key, self._clock() + self._skipped)

        store = self._stores[key]
        store.advance(max(self._clock() + self._skipped, store.now))
        return store


def _build_response(result: Resource | Response | None) -> Response:
    """Turn the return value of an operation into a response."""
    if isinstance(result, Resource):
        return result.details
    return result or {}


def _select_fields(shape: Shape | None, value: object) -> object:
    """Drop all fields that are None or that the response shape doesn't have, at every depth.

    List operations return fewer fields of a resource than Describe operations. Because of this
    function, a resource can offer the same fields to both.
    """
    if isinstance(value, dict) and (shape is None or isinstance(shape, StructureShape)):
        return {
            name: _select_fields(member, value[name])
            for name, member in list_members(shape).items()
            if value.get(name) is not None
        }

    if isinstance(value, list) and isinstance(shape, ListShape):
        return [_select_fields(shape.member, item) for item in value]

    return value


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Redirect a boto3 client of this process to `personalize`, so that it no longer calls AWS."""
    wire.intercept(client, lambda operation, request: personalize.call(operation, request, caller))
