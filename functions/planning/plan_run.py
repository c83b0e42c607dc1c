"""Plans a run: checks the guards, and collects the jobs for its datasets and solutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..common.errors import RunRefused
from ..common.formatting import format_list, resource_name
from ..common.messages import Message, Reason, add_subject, as_message
from . import (
    export_content,
    export_files,
    export_guards,
    export_insights,
    recipe_guards,
    resource_guards,
)
from .datasets import DatasetView
from .export_search import resolve_datasets
from .guards import Effect, Guard
from .snapshot import (
    DataSnapshot,
    SolutionSnapshot,
    find_group_of_solutions,
    read_data_snapshot,
    read_solution_snapshot,
)
from .solutions import SolutionView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Plan, Run, Settings, SolutionSettings

GUARDS = tuple(
    member
    for module in (
        resource_guards,
        recipe_guards,
        export_files,
        export_guards,
        export_content,
        export_insights,
    )
    for member in vars(module).values()
    if isinstance(member, Guard)
)
"""All guards, in the order of their checks and of `docs/guards.md`."""


@dataclass(frozen=True)
class RunView:
    """A run, with its settings, its snapshot, and the views of its datasets and solutions."""

    settings: Settings
    run: Run
    data_snapshot: DataSnapshot
    datasets: Sequence[DatasetView]
    """The datasets that the run may import."""
    solutions: Sequence[SolutionView]
    """The solutions that the run may train."""

    @property
    def solutions_to_train(self) -> list[SolutionView]:
        """The solutions that the run trains."""
        return [solution for solution in self.solutions if solution.decision.action == "train"]

    @property
    def can_import(self) -> bool:
        """True if a manual run may import. A guard refuses it while a ready marker is missing."""
        return bool(self.datasets) and not any(dataset.awaits_marker for dataset in self.datasets)

    @property
    def user_count(self) -> int | None:
        """The number of users with interactions, or None if it's unknown."""
        for solution in self.solutions:
            # All solutions share a dataset group, so they have the same users.
            if solution.user_ids:
                return len(solution.user_ids)
        return None

    @property
    def deletion_job_arn(self) -> str | None:
        """The data deletion job that makes the run train a solution, or None."""
        for solution in self.solutions_to_train:
            if solution.later_deletion:
                return solution.later_deletion.arn
        return None


def read_view(client: PersonalizeClient, settings: Settings, run: Run) -> RunView:
    """Read everything that planning needs, and build the view of the run from it."""
    group_arn = None
    if not settings["datasets"]:
        group_arn = find_group_of_solutions(client, settings)

    data_snapshot = read_data_snapshot(client, settings, resolve_datasets(settings, run), group_arn)
    snapshots = [
        read_solution_snapshot(client, settings, solution_settings, run, data_snapshot)
        for solution_settings in select_solutions(settings, run)
    ]
    return build_view(settings, run, data_snapshot, snapshots)


def build_view(
    settings: Settings, run: Run, data_snapshot: DataSnapshot, snapshots: Sequence[SolutionSnapshot]
) -> RunView:
    """Build the view of a run from the snapshots of its data and its solutions."""
    datasets = [
        DatasetView(settings, run, data_snapshot, dataset_settings)
        for dataset_settings in data_snapshot.chosen_datasets
    ]
    # If the run imports anything, no version has been trained on all of its data yet.
    imports_anything = any(dataset.needs_import for dataset in datasets)

    solutions = [
        SolutionView(settings, run, data_snapshot, snapshot, imports_anything)
        for snapshot in snapshots
    ]
    return RunView(settings, run, data_snapshot, datasets, solutions)


def select_solutions(settings: Settings, run: Run) -> list[SolutionSettings]:
    """Select the solutions that the run may train: the ones in the request, or all by default."""
    chosen_arns = run["request"].get("solutions")
    return [
        solution
        for solution in settings["solutions"]
        if chosen_arns is None or solution["solutionArn"] in chosen_arns
    ]


def plan_run(view: RunView) -> Plan:
    """Plan the imports, trainings and deployments of a run, or explain why there's nothing to do.

    Raises:
        RunRefused: one or more guards refuse the run. The exception has all their messages.
    """
    if refusals := _collect_messages("REFUSE", view):
        raise RunRefused(refusals)

    imports = [dataset.plan_import() for dataset in view.datasets if dataset.needs_import]
    planned_work = [solution.plan_work() for solution in view.solutions]
    solutions = [work for work in planned_work if work is not None]
    warnings = _collect_messages("WARN", view)
    if not imports and not solutions:
        return {**plan_without_jobs(*_explain_skip(view)), "warnings": warnings}

    # If the run does nothing, its reasons already mention the monthly limit.
    limit_messages = [
        add_subject(solution.arn, solution.limit_message)
        for solution in view.solutions
        if solution.limit_message
    ]
    return {
        "todo": "WORK",
        "seconds": 0,
        "reasons": [],
        "imports": imports,
        "solutions": solutions,
        "users": view.user_count,
        "dataDeletionJobArn": view.deletion_job_arn,
        "warnings": [*limit_messages, *warnings],
    }


def plan_without_jobs(*reasons: Reason, seconds: int = 0) -> Plan:
    """Return the plan of a run that waits for some seconds, or ends if `seconds` is 0."""
    return {
        "todo": "WAIT" if seconds else "NOTHING",
        "seconds": seconds,
        "reasons": [as_message(reason) for reason in reasons],
        "imports": [],
        "solutions": [],
        "warnings": [],
    }


def _collect_messages(effect: Effect, view: RunView) -> list[Message]:
    """Collect the messages of all guards with this effect."""
    guards = [guard for guard in GUARDS if guard.effect == effect]
    return [message for guard in guards for message in find_problems(guard, view)]


def find_problems(guard: Guard, view: RunView) -> Iterator[Message]:
    """Yield the messages of a guard about everything in the run that it checks."""
    if guard.scope == "run":
        yield from map(as_message, guard.check(view))
    elif guard.scope == "solution":
        for solution in view.solutions:
            yield from map(as_message, guard.check(solution))
    else:
        for dataset in view.datasets:
            will_import = dataset.needs_import and not dataset.is_being_imported
            if guard.scope == "dataset" or will_import:
                yield from _find_dataset_problems(guard, dataset)


def _find_dataset_problems(guard: Guard, view: DatasetView) -> Iterator[Message]:
    """Yield the messages of a guard about a dataset, with the dataset's config key in front."""
    for reason in guard.check(view):
        yield add_subject(f"datasets.{view.dataset_settings['type']}", reason)


def find_export_problems(
    client: PersonalizeClient, settings: Settings, run: Run, dataset_type: str
) -> list[Message]:
    """List the problems for which the export of a dataset must not be imported.

    This repeats the checks of planning, because the export has changed since then.
    """
    datasets_by_type = {dataset["type"]: dataset for dataset in resolve_datasets(settings, run)}
    dataset_settings = datasets_by_type[dataset_type]
    data_snapshot = read_data_snapshot(client, settings, [dataset_settings])

    view = DatasetView(settings, run, data_snapshot, dataset_settings)
    return [
        message
        for guard in GUARDS
        if guard.effect == "REFUSE" and guard.scope in ("dataset", "export")
        for message in _find_dataset_problems(guard, view)
    ]


def _explain_skip(view: RunView) -> list[Message]:
    """Explain why a run has nothing to do, for each of its datasets and solutions."""
    # Datasets and solutions with the same reason share a message.
    names_by_reason: dict[str, list[str]] = {}
    for dataset in view.datasets:
        names_by_reason.setdefault(dataset.decision.reason, []).append(
            dataset.dataset_settings["type"]
        )
    for solution in view.solutions:
        name = resource_name(solution.arn)
        names_by_reason.setdefault(solution.decision.reason, []).append(name)

    if "only" in view.run["request"] or not names_by_reason:
        return [Message(text="no campaign waits for a version")]

    reasons = [add_subject(format_list(names), reason) for reason, names in names_by_reason.items()]
    return [_advise_after_skip(view), *reasons]


def _advise_after_skip(view: RunView) -> Message:
    """Say how to start a run that trains or imports although nothing is new."""
    command = "retrain start --skip-import --force"
    trainable = [solution for solution in view.solutions if not solution.is_trained_by_personalize]

    if not trainable and not view.datasets:
        return Message(text="no campaign waits for a version")

    if any(solution.limit_message for solution in trainable):
        text = "the monthly limit is reached; force a training beyond it"
    elif any(solution.was_training_stopped for solution in trainable):
        text = "no run repeats a training that was stopped; force one on the same data"
    elif trainable and not view.can_import:
        text = "nothing is new; force a training on the same data"
    else:
        command = "retrain start --force"
        work = "imports and trains on" if trainable else "imports"
        # The same data may be why the last version was rejected, so waiting comes first.
        text = f"nothing is new; wait for new exports, or force a run that {work} the same data"

    return Message(text=text, command=command)
