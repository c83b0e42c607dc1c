"""Writes the plot of `history` and `status`: metrics, what became of versions, ages and hours.

What the picture shows is read first, as data. Drawing it needs the extra `plot`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time, resource_name
from functions.rules.campaigns import CampaignState
from retrain.account.libraries import require_libraries
from retrain.account.output import print_message
from retrain.look.pipeline_status import StatusReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from functions.contract import SolutionSettings
    from functions.report.model import Report
    from retrain.account.target import Target
    from retrain.look.measured import MeasuredVersion
    from retrain.look.pipeline_status import SolutionStatus

PLOTTED_VERSIONS = 100
"""How many of a solution's newest versions are plotted. Each takes a request."""
BASELINE = "BASELINE"
NO_REPORT = "NO REPORT"
MARKERS = {
    "DEPLOYED": ("o", "#2e7d32"),
    "AWAITING_APPROVAL": ("D", "#0288d1"),
    "REJECTED": ("X", "#f9a825"),
    "ROLLED_BACK": ("v", "#c62828"),
    "FAILED": ("P", "#c62828"),
    BASELINE: ("s", "#757575"),
    "TRAINED": ("^", "#5e35b1"),
    NO_REPORT: (".", "#757575"),
}
"""What became of a version -> its marker and colour, in the order of the legend."""
DAY = timedelta(days=1)


class Point(NamedTuple):
    """A point of the plot."""

    time: datetime
    value: float


class PlotData(NamedTuple):
    """Everything that the plot shows. The oldest comes first."""

    title: str
    versions: dict[str, list[MeasuredVersion]]
    """The name of a solution and of its metric -> its versions."""
    became: dict[str, str]
    """The ARN of a version -> one of MARKERS."""
    ages: dict[str, list[Point]]
    """The name of a campaign -> the age in days of the model that it served."""
    hours: list[Point]
    """The start of each run, and the training hours that it was billed for."""


def write_plot(target: Target, reports: Sequence[Report], file: Path) -> None:
    """Write an SVG about the versions of a pipeline and these runs. The newest run comes first."""
    require_libraries(["matplotlib"], "plot")

    solutions = StatusReader(target).read_solutions(PLOTTED_VERSIONS)
    draw(collect_data(target, solutions, reports[::-1], clock.now()), file)
    print_message(f"{file} has the plot")


# The data


def collect_data(
    target: Target,
    solutions: Sequence[SolutionStatus],
    reports: Sequence[Report],
    now: datetime,
) -> PlotData:
    """Collect what the plot shows from the solutions, and from the reports, oldest first."""
    became = find_outcomes(reports, target.settings["solutions"])
    _add_rollbacks(became, solutions)

    versions = {}
    created: dict[str, datetime] = {}
    for solution in solutions:
        name = f"{resource_name(solution.arn)} {format_metric_name(solution.metric)}"
        versions[name] = [*reversed(solution.versions)]
        created.update(solution.created)

    return PlotData(
        title=f"{target.name}, {format_time(now)} UTC",
        versions=versions,
        became=became,
        ages=find_ages(reports, created, now),
        hours=[Point(_parse(report["startedAt"]), report["trainingHours"]) for report in reports],
    )


def find_outcomes(
    reports: Iterable[Report], solutions: Sequence[SolutionSettings]
) -> dict[str, str]:
    """Find what became of each version, by the last report that judges it."""
    baselines = {rule["relativeTo"] for each in solutions for rule in each["qualityGate"]}
    became: dict[str, str] = {}

    for report in reports:
        for trial in report["trials"]:
            became[str(trial["versionArn"])] = trial["outcome"]

        for solution in report["solutions"]:
            arn = solution["solutionVersionArn"]
            # A version that a later run skips is still what it was.
            if arn is None or (solution["outcome"] == "SKIPPED" and arn in became):
                continue
            is_baseline = solution["solutionArn"] in baselines and not solution["campaigns"]
            became[arn] = BASELINE if is_baseline else solution["outcome"]
    return became


def _add_rollbacks(became: dict[str, str], solutions: Iterable[SolutionStatus]) -> None:
    """Correct the outcome of versions that a person has rolled back, which no report says."""
    for solution in solutions:
        for campaign in solution.campaigns.values():
            if not isinstance(campaign, CampaignState):
                continue
            blocked_arn = campaign.record.blocked_version_arn
            if blocked_arn is not None and became.get(blocked_arn) == "DEPLOYED":
                became[blocked_arn] = "ROLLED_BACK"


def find_ages(
    reports: Iterable[Report], created: Mapping[str, datetime], now: datetime
) -> dict[str, list[Point]]:
    """Find how old the model of each campaign was. It grows until a run deploys a newer one."""
    models = defaultdict[str, list[tuple[datetime, datetime]]](list)
    for report in reports:
        for serving in report["serving"]:
            created_at = created.get(str(serving["servedVersionArn"]))
            if created_at is not None:
                name = resource_name(serving["campaignArn"])
                models[name].append((_parse(report["endedAt"]), created_at))

    return {name: _build_saw(served, now) for name, served in models.items()}


def _build_saw(served: Sequence[tuple[datetime, datetime]], now: datetime) -> list[Point]:
    """Build the line of a model's age from the ends of runs, and when their models were created.

    It rises from each run to the next one, and falls there if a newer model is served.
    """
    points = []
    for (begins_at, created_at), (ends_at, _) in pairwise([*served, (now, now)]):
        points.append(Point(begins_at, (begins_at - created_at) / DAY))
        points.append(Point(ends_at, (ends_at - created_at) / DAY))
    return points


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


# The picture


def draw(data: PlotData, file: Path) -> None:
    """Draw the plot as an SVG."""
    # The library takes half a second to import, and isn't installed without the extra.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle(data.title)
    top, middle, bottom = figure.subplots(3, sharex=True, height_ratios=(3, 1, 1))
    _draw_versions(top, data)
    _draw_ages(middle, data.ages)
    _draw_hours(bottom, data.hours)

    # Without a date and with a fixed salt, the same data gives the same file.
    with rc_context({"svg.hashsalt": "retrain"}):
        figure.savefig(file, format="svg", metadata={"Date": None})


def _draw_versions(axes: Axes, data: PlotData) -> None:
    """Draw a line for each solution, and on it a marker for what became of each version."""
    by_outcome = defaultdict[str, list[Point]](list)
    for name, versions in data.versions.items():
        points = {
            version.arn: Point(version.created_at, version.value)
            for version in versions
            if version.value is not None
        }
        axes.plot(*_split(points.values()), linewidth=1, label=name)
        for arn, point in points.items():
            by_outcome[data.became.get(arn, NO_REPORT)].append(point)

    _draw_markers(axes, by_outcome)
    _describe(axes, "metric", has_legend=True)


def _draw_markers(axes: Axes, by_outcome: Mapping[str, Sequence[Point]]) -> None:
    for outcome, (marker, color) in MARKERS.items():
        if outcome in by_outcome:
            points = _split(by_outcome[outcome])
            label = outcome.lower().replace("_", " ")
            axes.scatter(*points, marker=marker, color=color, label=label, zorder=2)


def _draw_ages(axes: Axes, ages: Mapping[str, Sequence[Point]]) -> None:
    for name, points in ages.items():
        axes.plot(*_split(points), label=name)
    _describe(axes, "model age in days", has_legend=True)


def _draw_hours(axes: Axes, hours: Sequence[Point]) -> None:
    """Draw the training hours of each run, and the dates, which all parts of the plot share."""
    from matplotlib import dates  # noqa: PLC0415  # as in draw()

    times, values = _split(hours)
    axes.vlines(times, 0, values, linewidth=3)
    _describe(axes, "training hours")

    formatter = dates.ConciseDateFormatter(dates.AutoDateLocator())  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def _describe(axes: Axes, label: str, *, has_legend: bool = False) -> None:
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if has_legend:
        # Beside the axes, the legend hides no line.
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _split(points: Collection[Point]) -> tuple[Any, Any]:
    """Split points into times and values. The types of matplotlib know no times."""
    return [time for time, _ in points], [value for _, value in points]
