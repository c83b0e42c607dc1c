"""Plots metrics, outcomes, model ages and training hours, for `history` and `status`."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time, resource_name
from functions.rules.campaigns import CampaignState
from retrain.account.libraries import require_libraries
from retrain.account.output import print_message
from retrain.look.pipeline_status import StatusReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from functions.report.model import Report
    from retrain.account.target import Target
    from retrain.look.pipeline_status import SolutionStatus
    from retrain.look.version_metrics import MeasuredVersion

PLOTTED_VERSIONS = 100
"""How many of a solution's newest versions are plotted. Each takes a request."""
NO_VERDICT = "NO_VERDICT"
MARKERS = {
    "DEPLOYED": ("o", "#2e7d32"),
    "AWAITING_APPROVAL": ("D", "#0288d1"),
    "REJECTED": ("X", "#f9a825"),
    "ROLLED_BACK": ("v", "#c62828"),
    "FAILED": ("P", "#c62828"),
    "TRAINED": ("s", "#757575"),
    NO_VERDICT: (".", "#757575"),
}
"""Outcome of a version -> its marker and colour, in the order of the legend."""
STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "date.converter": "concise",
    "figure.constrained_layout.use": True,
    "figure.figsize": (9, 7),
    "grid.alpha": 0.3,
    # Otherwise the IDs in the file would be random, so the same data would give another file.
    "svg.hashsalt": "retrain",
}
DAY = timedelta(days=1)
ServedModels: TypeAlias = dict[str, list[tuple[datetime, datetime]]]
"""Campaign name -> for each run, its end, and the creation time of the model served then."""


def write_plot(target: Target, reports: Sequence[Report], file: Path) -> None:
    """Plot a pipeline's versions and runs as an SVG file. `reports` are sorted, newest first."""
    require_libraries(["matplotlib"], "plot")
    # The library takes half a second to import, and isn't installed without the extra.
    from matplotlib import rc_context  # noqa: PLC0415

    solutions = StatusReader(target).read_solutions(PLOTTED_VERSIONS)
    now = clock.now()
    with rc_context(STYLE):
        figure = draw_figure(solutions, reports[::-1], now)
        figure.suptitle(f"{target.name}, {format_time(now)} UTC")
        # With a date in it, the same data wouldn't always give the same file.
        figure.savefig(file, format="svg", metadata={"Date": None})

    print_message(f"{file} has the plot")


def draw_figure(
    solutions: Sequence[SolutionStatus], reports: Sequence[Report], now: datetime
) -> Figure:
    """Draw three plots with a common time axis: metrics, model ages and training hours.

    `reports` are sorted, oldest first.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # as in write_plot()

    figure = Figure()
    metric_axes, age_axes, hour_axes = figure.subplots(3, sharex=True, height_ratios=(3, 1, 1))
    _draw_metrics(metric_axes, solutions, find_outcomes(reports, solutions))
    _draw_ages(age_axes, _list_served_models(reports, solutions), now)
    _draw_training_hours(hour_axes, reports)

    for axes in (metric_axes, age_axes):
        # A new pipeline has nothing to draw yet, and an empty legend would make matplotlib warn.
        if axes.lines:
            # Beside the axes, the legend hides no line.
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def find_outcomes(
    reports: Iterable[Report], solutions: Iterable[SolutionStatus]
) -> dict[str | None, str]:
    """Map the ARN of each version to its outcome, as far as one is known.

    `reports` are sorted, oldest first, so that later outcomes replace earlier ones.
    """
    outcomes: dict[str | None, str] = {}
    for report in reports:
        for trial in report["trials"]:
            outcomes[trial["versionArn"]] = trial["outcome"]
        for solution in report["solutions"]:
            # If a later run skipped the version, its outcome is still that of the earlier run.
            if solution["outcome"] != "SKIPPED":
                outcomes[solution["solutionVersionArn"]] = solution["outcome"]

    # A rollback by a person isn't in any report, but in the campaign's tags.
    for status in solutions:
        outcomes.update(dict.fromkeys(_list_blocked_arns(status), "ROLLED_BACK"))
    return outcomes


def _list_blocked_arns(solution: SolutionStatus) -> list[str | None]:
    """List the version that was last rolled back at each campaign, or None without a rollback."""
    return [
        campaign.record.blocked_version_arn
        for campaign in solution.campaigns.values()
        if isinstance(campaign, CampaignState)
    ]


def _draw_metrics(
    axes: Axes, solutions: Iterable[SolutionStatus], outcomes: Mapping[str | None, str]
) -> None:
    """Draw the metric of each solution as a line, with a marker for the outcome of each version."""
    axes.set_ylabel("metric")
    all_versions: list[MeasuredVersion] = []
    for solution in solutions:
        versions = [version for version in solution.versions if version.value is not None]
        name = f"{resource_name(solution.arn)} {format_metric_name(solution.metric)}"
        axes.plot(*_list_points(versions), linewidth=1, label=name)
        all_versions += versions
    _mark_outcomes(axes, all_versions, outcomes)


def _mark_outcomes(
    axes: Axes, all_versions: Iterable[MeasuredVersion], outcomes: Mapping[str | None, str]
) -> None:
    """Draw the markers of each outcome with one call, because each call adds a legend entry."""
    for outcome, (marker, color) in MARKERS.items():
        versions = [
            version for version in all_versions if outcomes.get(version.arn, NO_VERDICT) == outcome
        ]
        if versions:
            label = outcome.lower().replace("_", " ")
            points = _list_points(versions)
            axes.scatter(*points, marker=marker, color=color, label=label, zorder=2)


def _list_points(versions: Sequence[MeasuredVersion]) -> tuple[Any, Any]:
    """Return creation times and values, typed as Any because matplotlib's types lack datetime."""
    return [version.created_at for version in versions], [version.value for version in versions]


def _list_served_models(
    reports: Iterable[Report], solutions: Iterable[SolutionStatus]
) -> ServedModels:
    """List which models each campaign served. `reports` are sorted, oldest first."""
    creation_times: dict[str | None, datetime] = {}
    for solution in solutions:
        creation_times.update(solution.creation_times)

    models: ServedModels = defaultdict(list)
    for report in reports:
        ended_at = datetime.fromisoformat(report["endedAt"])
        for serving in report["serving"]:
            # If the solution was removed from the stack's file, it isn't read, and the creation
            # times of its models are unknown.
            created_at = creation_times.get(serving["servedVersionArn"])
            if created_at is not None:
                models[resource_name(serving["campaignArn"])].append((ended_at, created_at))
    return models


def _draw_ages(axes: Axes, served_models: ServedModels, now: datetime) -> None:
    """Draw the age of each campaign's model, which grows until a newer one is deployed."""
    axes.set_ylabel("model age in days")
    for campaign_name, models in served_models.items():
        axes.plot(*_list_ages([*models, (now, now)]), label=campaign_name)


def _list_ages(models: Sequence[tuple[datetime, datetime]]) -> tuple[Any, Any]:
    """List the points of a campaign's line: times, and ages in days.

    The line rises from each run to the next, where it drops if a newer model is served from then
    on.
    """
    times = []
    ages = []
    for (begins_at, created_at), (ends_at, _) in pairwise(models):
        times += [begins_at, ends_at]
        ages += [(begins_at - created_at) / DAY, (ends_at - created_at) / DAY]
    return times, ages


def _draw_training_hours(axes: Axes, reports: Sequence[Report]) -> None:
    axes.set_ylabel("training hours")
    starts: Any = [datetime.fromisoformat(report["startedAt"]) for report in reports]
    hours = [report["trainingHours"] for report in reports]
    axes.vlines(starts, 0, hours, linewidth=3)
