"""The emulated service: it checks a call, lets time pass, and hands over to the operation."""

from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any, NamedTuple

from emulator.personalize import (
    campaigns,
    containers,
    imports,
    reading,
    runtime,
    solutions,
    tagging,
)
from emulator.personalize.authorization import Caller, needs
from emulator.personalize.errors import ApiError
from emulator.personalize.faults import Faults
from emulator.personalize.model import only_modelled, operation, validate
from emulator.personalize.resources import Dataset, Solution
from emulator.personalize.store import Objects, Store, Surroundings, Switches
from emulator.personalize.tables import Row
from emulator.personalize.timeline import FixedTimings, Timings

# An operation takes its own request type; `validate` has held the request against the model.
Operation = Callable[[Store, Any], dict[str, object]]

OPERATIONS: Mapping[str, Operation] = {
    "CreateSchema": containers.create_schema,
    "DeleteSchema": containers.delete_schema,
    "CreateDatasetGroup": containers.create_dataset_group,
    "DeleteDatasetGroup": containers.delete_dataset_group,
    "CreateDataset": containers.create_dataset,
    "DeleteDataset": containers.delete_dataset,
    "CreateEventTracker": containers.create_event_tracker,
    "DeleteEventTracker": containers.delete_event_tracker,
    "CreateDatasetImportJob": imports.create_dataset_import_job,
    "CreateSolution": solutions.create_solution,
    "UpdateSolution": solutions.update_solution,
    "DeleteSolution": solutions.delete_solution,
    "CreateSolutionVersion": solutions.create_solution_version,
    "StopSolutionVersionCreation": solutions.stop_solution_version_creation,
    "GetSolutionMetrics": solutions.get_solution_metrics,
    "CreateCampaign": campaigns.create_campaign,
    "UpdateCampaign": campaigns.update_campaign,
    "DeleteCampaign": campaigns.delete_campaign,
    "TagResource": tagging.tag_resource,
    "UntagResource": tagging.untag_resource,
    "ListTagsForResource": tagging.list_tags_for_resource,
    "GetRecommendations": runtime.get_recommendations,
    "GetActionRecommendations": runtime.get_action_recommendations,
    "GetPersonalizedRanking": runtime.get_personalized_ranking,
}

REMEMBERED_CALLS = 10_000


class Call(NamedTuple):
    """A call that arrived, whatever came of it."""

    operation: str
    caller: str
    request: Mapping[str, object]


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class Personalize:
    """Amazon Personalize for any number of accounts and regions, in memory.

    Args:
        objects: Where import jobs read their files.
        clock: Gives the time, in UTC; it must not go backwards. Everything that takes time in the
            service takes time by this clock.
        timings: How long jobs take.
        authorize: Called with every action and its resources before an operation; raises ApiError
            AccessDeniedException to refuse. Without it everything is allowed.
        pass_role: Called where a request hands a role to the service; raises likewise.
        switches: Which of two possible behaviours to show where the real one is not known.

    Attributes:
        faults: Faults on order.
        calls: The last calls, the oldest first.

    Calls from several threads are answered one after the other. Imports and trainings are really
    done, by the first call that comes after their end.
    """

    def __init__(
        self,
        *,
        objects: Objects,
        clock: Callable[[], datetime] = utc_now,
        timings: Timings | None = None,
        authorize: Callable[[Caller, str, list[str]], None] | None = None,
        pass_role: Callable[[Caller, str], None] | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self._clock = clock
        self._around = Surroundings(
            objects, timings or FixedTimings(), switches or Switches(), self.faults
        )
        self._authorize = authorize
        self._pass_role = pass_role
        self._stores: dict[tuple[str, str], Store] = {}
        self._lock = RLock()

    def call(
        self, operation_name: str, request: Mapping[str, object], caller: Caller
    ) -> dict[str, object]:
        """Perform an operation of either service; times in the answer are datetimes.

        Raises:
            ApiError: The service refuses.
            NoAnswer: A fault was ordered that loses the answer.
        """
        request = {
            key: value for key, value in deepcopy(dict(request)).items() if value is not None
        }
        with self._lock:
            self.calls.append(Call(operation_name, caller.arn, request))
            fault = self.faults.for_call(operation_name)
            if fault is not None:
                fault.refuse()
            model = operation(operation_name)
            validate(operation_name, request)
            self._check_permissions(self._store(caller), operation_name, request, caller)
            store = self._present(caller)
            ago = fault.number("seconds") if fault is not None and fault.fault == "stale" else 0
            answer = self._perform(
                store, operation_name, request, store.now - timedelta(seconds=ago)
            )
            if fault is not None:
                fault.lose()
            output = model.output_shape
            return {} if output is None else only_modelled(output, answer)

    def train_automatically(self, solution_arn: str, caller: Caller) -> str:
        """Start a training as the service does by itself, and give the version's ARN.

        Automatic trainings never begin on their own here.

        Raises:
            ApiError: The rules of CreateSolutionVersion do not allow it.
        """
        with self._lock:
            store = self._present(caller)
            solution = store.get(Solution, solution_arn)
            return solutions.start_training(store, solution, automatic=True).arn

    def rows(self, dataset_arn: str, caller: Caller) -> list[Row]:
        """The rows of a dataset, each in the order of its schema; no operation of the API tells.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        with self._lock:
            store = self._present(caller)
            return list(store.get(Dataset, dataset_arn).table.rows.values())

    def _store(self, caller: Caller) -> Store:
        key = (caller.account, caller.region)
        if key not in self._stores:
            self._stores[key] = Store(*key, self._around, self._clock())
        return self._stores[key]

    def _present(self, caller: Caller) -> Store:
        store = self._store(caller)
        store.advance(max(self._clock(), store.now))
        return store

    def _check_permissions(
        self, store: Store, name: str, request: Mapping[str, object], caller: Caller
    ) -> None:
        if self._authorize is not None:
            for need in needs(name, request, store):
                self._authorize(caller, need.action, need.resources)
        if self._pass_role is not None and "roleArn" in request:
            self._pass_role(caller, str(request["roleArn"]))

    def _perform(
        self, store: Store, name: str, request: Mapping[str, object], at: datetime
    ) -> dict[str, object]:
        if name in OPERATIONS:
            return OPERATIONS[name](store, request)
        if name in reading.KINDS:
            read = reading.describe if name.startswith("Describe") else reading.list_page
            return read(store, name, request, at)
        raise ApiError(
            "UnknownOperationException", f"{name} is not supported by this emulator of Personalize."
        )
