"""Plans a run: checks the guards, and decides which jobs the run has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RunRefused
from ..words import list_text, name_of
from . import (
    export_content,
    export_files,
    export_guards,
    export_insights,
    recipe_guards,
    resource_guards,
)
from .datasets import DatasetView, dataset_views
from .guards import Guard, Verdict
from .snapshot import Snapshot, read_snapshot, solutions_to_train
from .solutions import SolutionView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Plan, Run, Settings

GUARDS = tuple(
    found
    for module in (
        resource_guards,
        recipe_guards,
        export_files,
        export_guards,
        export_content,
        export_insights,
    )
    for found in vars(module).values()
    if isinstance(found, Guard)
)
"""The guards in the order in which they are checked. `docs/guards.md` shows them."""


@dataclass(frozen=True)
class RunView:
    """A run, and the state of the services from which it is planned."""

    settings: Settings
    run: Run
    snapshot: Snapshot
    datasets: Sequence[DatasetView]
    """The datasets that the run may import."""
    solutions: Sequence[SolutionView]
    """The solutions that the run may train."""

    @property
    def trained_solutions(self) -> list[SolutionView]:
        """The solutions that the run trains."""
        return [solution for solution in self.solutions if solution.decision.action == "train"]


def read_view(client: PersonalizeClient, settings: Settings, run: Run) -> RunView:
    """Read the state of the services for a run."""
    return view_of(settings, run, read_snapshot(client, settings, run))


def view_of(settings: Settings, run: Run, snapshot: Snapshot) -> RunView:
    """Return a run with its datasets and solutions in this state of the services."""
    datasets = dataset_views(settings, run, snapshot)
    imports_anything = any(dataset.needs_import for dataset in datasets)
    solutions = [
        SolutionView(settings, run, snapshot, solution, imports_anything=imports_anything)
        for solution in solutions_to_train(settings, run)
    ]
    return RunView(settings, run, snapshot, datasets, solutions)


def plan_run(view: RunView) -> Plan:
    """Return the plan of a run: its imports and trainings, or why it is skipped.

    Raises:
        RunRefused: one or more guards refuse the run. The exception has all their messages.
    """
    if refusals := _messages("REFUSE", view):
        raise RunRefused(refusals)

    imports = [dataset.planned() for dataset in view.datasets if dataset.needs_import]
    solutions = [planned for solution in view.solutions if (planned := solution.planned())]
    reason = None if imports or solutions else _why_skipped(view)
    users = view.solutions[0].user_ids if view.solutions else None
    deletions = [item.deletion for item in view.trained_solutions if item.deletion]
    held_back = [
        f"{solution.arn}: {solution.limit_message}"
        for solution in view.solutions
        if solution.limit_message and not reason
    ]

    return {
        "todo": "NOTHING" if reason else "WORK",
        "seconds": 0,
        "reason": reason,
        "imports": imports,
        "solutions": solutions,
        "users": len(users) if users else None,
        "dataDeletionJobArn": deletions[0].arn if deletions else None,
        "warnings": [*held_back, *_messages("WARN", view)],
    }


def _messages(verdict: Verdict, view: RunView) -> list[str]:
    guards = [guard for guard in GUARDS if guard.verdict == verdict]
    return [message for guard in guards for message in messages_of(guard, view)]


def messages_of(guard: Guard, view: RunView) -> Iterator[str]:
    """Yield a guard's messages. A message about a dataset begins with the dataset's config key."""
    if guard.scope == "run":
        yield from guard.check(view)
    if guard.scope == "solution":
        for solution in view.solutions:
            yield from guard.check(solution)
    for dataset_view in view.datasets:
        is_new = dataset_view.needs_import and not dataset_view.is_being_imported
        if guard.scope == "dataset" or (guard.scope == "export" and is_new):
            for message in guard.check(dataset_view):
                yield f"datasets.{dataset_view.dataset['type']}: {message}"


def _why_skipped(view: RunView) -> str:
    names: dict[str, list[str]] = {}
    for dataset in view.datasets:
        names.setdefault(dataset.decision.reason, []).append(dataset.dataset["type"])
    for solution in view.solutions:
        names.setdefault(solution.decision.reason, []).append(name_of(solution.arn))
    if "only" in view.run["request"] or not names:
        return "no campaign waits for a version"
    facts = "; ".join(f"{list_text(found)}: {reason}" for reason, found in names.items())
    if any(solution.limit_message for solution in view.solutions):
        return facts
    work = "train" if view.settings["solutions"] else "import"
    return f"nothing is new: {facts}; to {work} anyway, use retrain start --force"
