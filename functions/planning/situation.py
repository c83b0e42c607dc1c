"""Combines what a run is planned from: its settings, its request and the state of the services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..executions import DATE, export_day
from ..personalize.imports import seen_export
from ..rules.imports import SeenDataset
from ..workflow_settings import DatasetSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract import Run
    from ..exports import Export
    from ..rules.imports import Import
    from ..rules.trainings import SeenSolution
    from ..workflow_settings import Settings, SolutionSettings
    from .world import SchemaField, World


class DatasetOfRun(DatasetSettings):
    """The settings of a dataset that a run imports, with the date in its locations filled in."""

    day: str | None
    """The day that has replaced `{date}` in the location, or None without `{date}`."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The settings, the run and the state of the services, from which the run is planned.

    A guard or a planning function that is about one dataset or one solution gets a situation in
    which this dataset or solution is selected.
    """

    settings: Settings
    run: Run
    world: World
    datasets: Sequence[DatasetOfRun]
    """The datasets that the run imports."""
    solutions: Sequence[SolutionSettings]
    """The solutions that the run trains."""
    selected_dataset: DatasetOfRun | None = None
    selected_solution: SolutionSettings | None = None

    @property
    def dataset(self) -> DatasetOfRun:
        """The settings of the selected dataset."""
        assert self.selected_dataset is not None, "no dataset is selected"
        return self.selected_dataset

    @property
    def solution(self) -> SolutionSettings:
        """The settings of the selected solution."""
        assert self.selected_solution is not None, "no solution is selected"
        return self.selected_solution

    @property
    def seen_solution(self) -> SeenSolution | None:
        """The selected solution with its versions, or None if it does not exist."""
        return self.world.seen_solutions.get(self.solution["solutionArn"])

    @property
    def export(self) -> Export:
        """The export of the selected dataset."""
        return self.world.exports[self.dataset["datasetArn"]]

    @property
    def imports(self) -> Sequence[Import]:
        """The imports of the selected dataset."""
        return self.world.imports.get(self.dataset["datasetArn"], ())

    @property
    def seen(self) -> SeenDataset:
        """The selected dataset and its export, as the rules of an import see them.

        The ARN of the schema is empty if the dataset does not exist.
        """
        described = self.world.datasets.get(self.dataset["datasetArn"])
        schema_arn = described["schemaArn"] if described else ""
        export = seen_export(self.export, self.dataset["importMode"], schema_arn)
        return SeenDataset(imports=self.imports, export=export)

    @property
    def fields(self) -> Sequence[SchemaField]:
        """The fields of the selected dataset's schema. Without a schema there are none."""
        return self.world.schemas.get(self.dataset["datasetArn"], [])

    def with_dataset(self, dataset: DatasetOfRun) -> Situation:
        """Return the situation with this dataset selected."""
        return replace(self, selected_dataset=dataset)

    def with_solution(self, solution: SolutionSettings) -> Situation:
        """Return the situation with this solution selected."""
        return replace(self, selected_solution=solution)


def datasets_to_import(settings: Settings, run: Run) -> list[DatasetOfRun]:
    """Return the datasets that the run imports, with the date in their locations filled in.

    Without a choice in the request these are all configured datasets. A run that only deploys
    imports nothing.
    """
    if run["request"].get("skipImport") or "only" in run["request"]:
        return []
    chosen_types = run["request"].get("datasets")
    return [
        _with_date(dataset, export_day(run))
        for dataset in settings["datasets"]
        if chosen_types is None or dataset["type"] in chosen_types
    ]


def _with_date(dataset: DatasetSettings, day: str) -> DatasetOfRun:
    """Return the settings of a dataset, in which the day replaces `{date}`."""
    marker = dataset["readyMarker"]
    return {
        **dataset,
        "day": day if DATE in dataset["dataLocation"] else None,
        "dataLocation": dataset["dataLocation"].replace(DATE, day),
        "readyMarker": None if marker is None else marker.replace(DATE, day),
    }


def solutions_to_train(settings: Settings, run: Run) -> list[SolutionSettings]:
    """Return the solutions that the run trains.

    Without a choice in the request these are all configured solutions.
    """
    chosen_arns = run["request"].get("solutions")
    return [
        solution
        for solution in settings["solutions"]
        if chosen_arns is None or solution["solutionArn"] in chosen_arns
    ]


def situation_of(settings: Settings, run: Run, world: World) -> Situation:
    """Return the situation of a run, in which no dataset and no solution is selected."""
    return Situation(
        settings=settings,
        run=run,
        world=world,
        datasets=datasets_to_import(settings, run),
        solutions=solutions_to_train(settings, run),
    )
