"""Writes the plot of `history` and `status`: metrics, what became of versions, ages and hours.

What the picture shows is read first, as data. Drawing it needs the extra `plot`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time, resource_name
from retrain.account.errors import OperatorError
from retrain.account.libraries import require_libraries
from retrain.account.output import print_message
from retrain.look.pipeline_status import StatusReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from functions.contract import SolutionSettings
    from functions.report.model import Report
    from functions.rules.campaigns import CampaignState
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
"""What became of a version -> its marker and colour."""


class PlotData(NamedTuple):
    """Everything that the plot shows. The oldest comes first."""

    title: str
    versions: dict[str, list[MeasuredVersion]]
    """The name of a solution and of its metric -> its versions."""
    became: dict[str, str]
    """The ARN of a version -> one of MARKERS."""
    ages: dict[str, list[tuple[datetime, float]]]
    """The name of a campaign -> times, and the age in days of the model that it served then."""
    hours: list[tuple[datetime, float]]
    """The start of each run, and the training hours that it was billed for."""


def write_plot(target: Target, reports: Iterable[Report], file: Path) -> None:
    """Write an SVG about the versions of a pipeline and these runs. The newest run comes first."""
    require_libraries(["matplotlib"], "plot")
    solutions = StatusReader(target).read_solutions(PLOTTED_VERSIONS)
    draw(collect_data(target, solutions, [*reports][::-1], clock.now()), file)
    print_message(f"{file} has the plot")


def collect_data(
    target: Target,
    solutions: Sequence[SolutionStatus],
    reports: Sequence[Report],
    now: datetime,
) -> PlotData:
    """Collect what the plot shows from the solutions, and from the reports, oldest first."""
    became = find_outcomes(reports, target.settings["solutions"])
    blocked = {campaign.record.blocked_version_arn for campaign in _list_campaigns(solutions)}
    created = {arn: time for solution in solutions for arn, time in solution.created.items()}

    return PlotData(
        title=f"{target.name}, {format_time(now)} UTC",
        versions={
            f"{resource_name(each.arn)} {format_metric_name(each.metric)}": [*each.versions][::-1]
            for each in solutions
        },
        became={
            # A person may have rolled a version back since, which no report says.
            arn: "ROLLED_BACK" if outcome == "DEPLOYED" and arn in blocked else outcome
            for arn, outcome in became.items()
        },
        ages=find_ages(reports, created, now),
        hours=[(_parse(report["startedAt"]), report["trainingHours"]) for report in reports],
    )


def _list_campaigns(solutions: Iterable[SolutionStatus]) -> list[CampaignState]:
    campaigns = [campaign for each in solutions for campaign in each.campaigns.values()]
    return [each for each in campaigns if each is not None and not isinstance(each, OperatorError)]


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


def find_ages(
    reports: Iterable[Report], created: Mapping[str, datetime], now: datetime
) -> dict[str, list[tuple[datetime, float]]]:
    """Find how old the model of each campaign was. It grows until a run deploys a newer one."""
    models = defaultdict[str, list[tuple[datetime, datetime]]](list)
    for report in reports:
        for serving in report["serving"]:
            created_at = created.get(serving["servedVersionArn"] or "")
            if created_at is not None:
                name = resource_name(serving["campaignArn"])
                models[name].append((_parse(report["endedAt"]), created_at))
    return {name: _draw_saw(served, now) for name, served in models.items()}


def _draw_saw(
    served: Sequence[tuple[datetime, datetime]], now: datetime
) -> list[tuple[datetime, float]]:
    """Return the points of a line from the times of runs, and when the served models were created.

    It rises from each run to the next one, and falls there if a newer model is served.
    """
    day = timedelta(days=1)
    ends = [*(time for time, _ in served[1:]), now]
    points = []
    for (time, created_at), end in zip(served, ends, strict=True):
        points += [(time, (time - created_at) / day), (end, (end - created_at) / day)]
    return points


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _points(versions: Sequence[MeasuredVersion]) -> tuple[Any, Any]:
    """Return times and values. The types of matplotlib know no times."""
    return [version.created_at for version in versions], [version.value for version in versions]


def draw(data: PlotData, file: Path) -> None:
    """Draw the plot as an SVG."""
    # The library takes half a second to import, and isn't installed without the extra.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle(data.title)
    top, middle, bottom = figure.subplots(3, sharex=True, height_ratios=(3, 1, 1))

    _draw_versions(top, data)
    for name, ages in data.ages.items():
        middle.plot(*zip(*ages, strict=True), label=name)
    times = [time for time, _ in data.hours]
    bottom.vlines(times, 0, [hours for _, hours in data.hours], linewidth=3)
    _label(top, middle, bottom)

    # Without a date and with a fixed salt, the same data gives the same file.
    with rc_context({"svg.hashsalt": "retrain"}):
        figure.savefig(file, format="svg", metadata={"Date": None})


def _label(top: Axes, middle: Axes, bottom: Axes) -> None:
    """Say what the axes show, and what the lines and markers mean."""
    from matplotlib import dates  # noqa: PLC0415  # as in draw()

    for axes, label in ((top, "metric"), (middle, "model age in days"), (bottom, "training hours")):
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    for axes in (top, middle):
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    formatter = dates.ConciseDateFormatter(dates.AutoDateLocator())  # type: ignore[no-untyped-call]
    bottom.xaxis.set_major_formatter(formatter)


def _draw_versions(axes: Axes, data: PlotData) -> None:
    """Draw a line for each solution, and on it a marker for what became of each version."""
    shown = []
    for name, versions in data.versions.items():
        measured = [version for version in versions if version.value is not None]
        axes.plot(*_points(measured), linewidth=1, label=name)
        shown += measured

    for became, (marker, color) in MARKERS.items():
        marked = [item for item in shown if data.became.get(item.arn, NO_REPORT) == became]
        if marked:
            label = became.lower().replace("_", " ")
            axes.scatter(*_points(marked), marker=marker, color=color, label=label, zorder=2)
