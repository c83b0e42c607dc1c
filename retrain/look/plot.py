"""Plots metrics, outcomes, model ages and training hours, for `history` and `status`."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time, resource_name
from retrain.account.libraries import require_libraries
from retrain.account.output import print_message
from retrain.look.pipeline_status import StatusReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from functions.report.model import Report
    from retrain.account.target import Target
    from retrain.look.pipeline_status import MeasuredVersion, SolutionStatus

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
    _draw_ages(age_axes, solutions, reports, now)
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
        outcomes |= dict.fromkeys(status.blocked_arns.values(), "ROLLED_BACK")
    return outcomes


def _draw_metrics(
    axes: Axes, solutions: Iterable[SolutionStatus], outcomes: Mapping[str | None, str]
) -> None:
    """Draw the metric of each solution as a line, with a marker for the outcome of each version."""
    axes.set_ylabel("metric")
    versions_by_outcome: dict[str, list[MeasuredVersion]] = defaultdict(list)
    for solution in solutions:
        versions = [version for version in solution.versions if version.value is not None]
        name = f"{resource_name(solution.arn)} {format_metric_name(solution.metric)}"
        axes.plot(*_list_points(versions), linewidth=1, label=name)
        for version in versions:
            versions_by_outcome[outcomes.get(version.arn, NO_VERDICT)].append(version)

    _draw_markers(axes, versions_by_outcome)


def _draw_markers(axes: Axes, versions_by_outcome: Mapping[str, Sequence[MeasuredVersion]]) -> None:
    """Draw the markers of each outcome with one call, because each call adds a legend entry."""
    for outcome, (marker, color) in MARKERS.items():
        if outcome in versions_by_outcome:
            points = _list_points(versions_by_outcome[outcome])
            label = outcome.lower().replace("_", " ")
            axes.scatter(*points, marker=marker, color=color, label=label, zorder=2)


def _list_points(versions: Sequence[MeasuredVersion]) -> tuple[Any, Any]:
    """List creation times and values, typed as Any because matplotlib's types lack datetime."""
    return [version.created_at for version in versions], [version.value for version in versions]


def _draw_ages(
    axes: Axes, solutions: Iterable[SolutionStatus], reports: Sequence[Report], now: datetime
) -> None:
    """Draw the age of each campaign's model.

    It grows from the end of each run to the end of the next one, and drops if the campaign serves a
    newer version from then on.
    """
    axes.set_ylabel("model age in days")
    run_ends = [datetime.fromisoformat(report["endedAt"]) for report in reports]
    lines: dict[str, list[tuple[Any, float]]] = defaultdict(list)

    for report, times in zip(reports, pairwise([*run_ends, now]), strict=True):
        for campaign_name, created_at in _list_served_models(report, solutions):
            lines[campaign_name] += [(time, (time - created_at) / DAY) for time in times]
    for campaign_name, points in lines.items():
        axes.plot(*zip(*points, strict=True), label=campaign_name)


def _list_served_models(
    report: Report, solutions: Iterable[SolutionStatus]
) -> Iterator[tuple[str, datetime]]:
    """Yield each campaign's name, and when the version was created that it served after a run."""
    for serving in report["serving"]:
        for solution in solutions:
            for version in solution.versions:
                if version.arn == serving["servedVersionArn"]:
                    yield resource_name(serving["campaignArn"]), version.created_at


def _draw_training_hours(axes: Axes, reports: Sequence[Report]) -> None:
    axes.set_ylabel("training hours")
    starts: Any = [datetime.fromisoformat(report["startedAt"]) for report in reports]
    hours = [report["trainingHours"] for report in reports]
    axes.vlines(starts, 0, hours, linewidth=3)
