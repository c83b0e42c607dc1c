"""Writes the plot of `history` and `status`: metrics, what became of versions, ages and hours.

What the picture shows is read first, as data. Drawing it needs the extra `plot`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time, resource_name
from functions.personalize.statuses import is_active
from functions.personalize.tags import BLOCKED_VERSION_TAG, read_tags
from functions.personalize.trainings import list_versions, read_metrics
from retrain.account.libraries import require_libraries
from retrain.account.output import print_message
from retrain.look.measured import MeasuredVersion, choose_metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import SolutionSettings
    from functions.report.model import Report
    from retrain.account.target import Target

PLOTTED_VERSIONS = 100
"""How many of a solution's newest versions are plotted. Each takes a request."""
THREADS = 10
"""botocore keeps as many connections of a client."""
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
    draw(read_plot_data(target, [*reports][::-1]), file)
    print_message(f"{file} has the plot")


def read_plot_data(target: Target, reports: Sequence[Report]) -> PlotData:
    """Read the versions and their metrics, and take the rest from the reports, oldest first."""
    client = target.access.personalize
    solutions = target.settings["solutions"]
    summaries = [
        summary for each in solutions for summary in list_versions(client, each["solutionArn"])
    ]
    created = {item["solutionVersionArn"]: item["creationDateTime"] for item in summaries}
    active = [item["solutionVersionArn"] for item in summaries if is_active(item["status"])]

    now = clock.now()
    return PlotData(
        title=f"{target.name}, {format_time(now)} UTC",
        versions={
            _name_metric(solution): _read_versions(client, solution, active, created)
            for solution in solutions
        },
        became=_add_rollbacks(client, find_outcomes(reports, solutions), solutions),
        ages=find_ages(reports, created, now),
        hours=[(_parse(report["startedAt"]), report["trainingHours"]) for report in reports],
    )


def _name_metric(solution: SolutionSettings) -> str:
    metric = format_metric_name(choose_metric(solution))
    return f"{resource_name(solution['solutionArn'])} {metric}"


def _read_versions(
    client: PersonalizeClient,
    solution: SolutionSettings,
    active: Iterable[str],
    created: Mapping[str, datetime],
) -> list[MeasuredVersion]:
    """Read the metric of the newest versions of a solution, at the same time."""
    metric = choose_metric(solution)
    of_solution = [arn for arn in active if arn.startswith(f"{solution['solutionArn']}/")]
    newest = of_solution[:PLOTTED_VERSIONS]
    with ThreadPoolExecutor(THREADS) as pool:
        values = [*pool.map(partial(read_metrics, client), newest)]
    measured = [
        MeasuredVersion(arn, created[arn], value.get(metric))
        for arn, value in zip(newest, values, strict=True)
    ]
    return measured[::-1]


def _add_rollbacks(
    client: PersonalizeClient, became: dict[str, str], solutions: Iterable[SolutionSettings]
) -> dict[str, str]:
    """Add the versions that a person rolled back after the run, which no report says."""
    arns = [item["campaignArn"] for solution in solutions for item in solution["campaigns"]]
    blocked = {read_tags(client, arn).get(BLOCKED_VERSION_TAG) for arn in arns}
    return {
        arn: "ROLLED_BACK" if outcome == "DEPLOYED" and arn in blocked else outcome
        for arn, outcome in became.items()
    }


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
            if arn is not None and (solution["outcome"] != "SKIPPED" or arn not in became):
                is_baseline = solution["solutionArn"] in baselines and not solution["campaigns"]
                became[arn] = BASELINE if is_baseline else solution["outcome"]
    return became


def find_ages(
    reports: Iterable[Report], created: Mapping[str, datetime], now: datetime
) -> dict[str, list[tuple[datetime, float]]]:
    """Find how old the model of each campaign was. It grows until a run deploys a newer one."""
    ages: dict[str, list[tuple[datetime, float]]] = {}
    served: dict[str, datetime] = {}

    def add(name: str, time: datetime) -> None:
        if name in served:
            age = (time - served[name]) / timedelta(days=1)
            ages.setdefault(name, []).append((time, age))

    for report in reports:
        ended_at = _parse(report["endedAt"])
        for serving in report["serving"]:
            name = resource_name(serving["campaignArn"])
            add(name, ended_at)
            model_created_at = created.get(serving["servedVersionArn"] or "")
            if model_created_at is not None:
                served[name] = model_created_at
                add(name, ended_at)
    for name in served:
        add(name, now)
    return ages


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _points(versions: Sequence[MeasuredVersion]) -> tuple[list[datetime], list[float | None]]:
    return [version.created_at for version in versions], [version.value for version in versions]


def draw(data: PlotData, file: Path) -> None:
    """Draw the plot as an SVG."""
    # The library takes half a second to import, and isn't installed without the extra.
    from matplotlib import dates, rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle(data.title)
    top, middle, bottom = figure.subplots(3, sharex=True, height_ratios=(3, 1, 1))

    measured = {
        name: [version for version in versions if version.value is not None]
        for name, versions in data.versions.items()
    }
    for name, versions in measured.items():
        top.plot(*_points(versions), linewidth=1, label=name)
    for became, (marker, color) in MARKERS.items():
        shown = [
            version
            for versions in measured.values()
            for version in versions
            if data.became.get(version.arn, NO_REPORT) == became
        ]
        if shown:
            label = became.lower().replace("_", " ")
            top.scatter(*_points(shown), marker=marker, color=color, label=label, zorder=2)
    for name, ages in data.ages.items():
        middle.plot(*zip(*ages, strict=True), label=name)
    bottom.vlines(
        [time for time, _ in data.hours], 0, [hours for _, hours in data.hours], linewidth=3
    )

    for axes, label in ((top, "metric"), (middle, "model age in days"), (bottom, "training hours")):
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    for axes in (top, middle):
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    formatter = dates.ConciseDateFormatter(dates.AutoDateLocator())  # type: ignore[no-untyped-call]
    bottom.xaxis.set_major_formatter(formatter)

    # Without a date and with a fixed salt, the same data gives the same file.
    with rc_context({"svg.hashsalt": "retrain"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
