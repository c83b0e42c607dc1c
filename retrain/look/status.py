"""The command `status`: shows the schedule, runs, campaigns and alarms of a pipeline on one screen.

The screen has a *section* for each of them. If AWS denies access to one, the others are shown
nevertheless. With --json, the sections are printed as a document.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Group
from rich.live import Live

from functions.common import clock
from functions.common.formatting import (
    format_count,
    format_duration,
    format_metric_name,
    format_time,
    resource_name,
)
from functions.common.messages import shorten_arns
from functions.report.mail import format_headline
from functions.rules.campaigns import CampaignState
from retrain.account.errors import OperatorError
from retrain.account.output import print_json, result_console
from retrain.account.pulumi_cli import format_pulumi_command
from retrain.account.target import Target
from retrain.account.triggers import EXPORT_EFFECTS, compute_next_time, describe_schedule
from retrain.look.lines import STYLES, Line, print_lines, render_lines
from retrain.look.pipeline_status import StatusReader
from retrain.look.plot import write_plot
from retrain.look.run_view import ShownRun
from retrain.look.runs import read_reports
from retrain.look.versions import describe_open_request
from retrain.names import short_name
from retrain.options import JsonOption, PlotOption, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import RecommenderSummaryTypeDef
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from functions.rules.campaigns import Trial
    from retrain.look.pipeline_status import (
        CampaignStatus,
        MeasuredVersion,
        PipelineStatus,
        RingingAlarm,
        SolutionStatus,
    )

REFRESH_SECONDS = 15
"""The pause between two refreshes with --watch. A refresh takes a dozen requests, and the pipeline
rarely changes faster."""
BLOCKS = "▁▂▃▄▅▆▇█"
"""The characters of a sparkline, from the lowest value to the highest."""
Section = TypeVar("Section")


@command
def status(
    target: Target,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Keep the screen up to date until Ctrl-C.")
    ] = False,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show on one screen what runs, what each campaign serves, and what waits for a person.

    For example: retrain status --stack prod

    It also shows whether the schedule is on and when it fires, the last outcomes, the metric of up
    to ten versions of each solution, and the alarms that ring.

    Exit code 0: the screen was shown, whatever it shows.
    Exit code 2: the pipeline was not found, or cannot be read.
    """
    reader = StatusReader(target)
    if watch:
        return _watch(target, reader)

    pipeline_status = reader.read()
    if as_json:
        print_json(_build_document(target, pipeline_status))
    else:
        print_lines(Screen(target, pipeline_status).lines())
    if plot is not None:
        write_plot(target, [*read_reports(target)], plot)
    return 0


def _watch(target: Target, reader: StatusReader) -> int:
    """Refresh the screen every few seconds, until Ctrl-C or SIGTERM."""
    console = result_console()
    if not console.is_terminal:
        raise OperatorError("--watch needs a terminal; without one, repeat `retrain status`")

    with suppress(KeyboardInterrupt, SystemExit), Live(console=console) as live:
        while True:
            lines = Screen(target, reader.read()).lines()
            live.update(Group(*render_lines(lines, console.width, has_bars=True)))
            clock.sleep(REFRESH_SECONDS)
    return 0


class Screen:
    """Turns the status of a pipeline into lines of text."""

    def __init__(self, target: Target, pipeline_status: PipelineStatus) -> None:
        self._target = target
        self._status = pipeline_status
        self._now = pipeline_status.read_at

    def lines(self) -> Iterator[Line]:
        """Yield the lines of all sections, or the error if a section couldn't be read."""
        heading = f"{self._target.name} at {format_time(self._now)} UTC"
        yield Line(0, "pipeline", heading, label_style="bold")

        status = self._status
        yield from _section_lines("schedule", status.schedule, self._schedule_lines)
        yield from _section_lines("new export", status.trigger, _trigger_lines)
        yield from _section_lines("runs", status.runs, self._run_lines)
        yield from _section_lines("solutions", status.solutions, self._solution_lines)
        yield from _section_lines("recommenders", status.recommenders, self._recommender_lines)
        yield from _section_lines("alarms", status.alarms, _alarm_lines)

    def _schedule_lines(self, schedule: GetScheduleOutputTypeDef | None) -> Iterator[Line]:
        if schedule is None:
            command = format_pulumi_command(self._target.stack, "up", "--refresh")
            yield Line(0, "schedule", f"was deleted: `{command}` creates it again", "red")
            return

        yield Line(0, "schedule", describe_schedule(schedule, self._now))
        if schedule["State"] != "ENABLED":
            yield Line(0, "", _describe_pause(self._target), "yellow")

    def _run_lines(self, runs: Sequence[ShownRun]) -> Iterator[Line]:
        """Yield the runs in progress with their jobs, then the latest finished runs."""
        running = [run for run in runs if run.execution.is_running]
        yield _heading("running", running, "nothing")
        for run in running:
            yield self._run_line(run)
            # The first line is about the run itself, which we've just described.
            for line in islice(run.lines(), 1, None):
                yield line._replace(depth=line.depth + 1)

        finished = [run for run in runs if not run.execution.is_running]
        yield _heading("last runs", finished, "none")
        for run in finished:
            yield self._run_line(run)
            # At the depth of the jobs, it would begin below their outcomes.
            yield Line(3, "", _summarize_end(run))

    def _run_line(self, run: ShownRun) -> Line:
        execution = run.execution
        duration = format_duration(execution.elapsed_seconds(self._now))
        start_and_duration = f"{format_time(execution.started_at)} UTC, {duration}"
        return Line(1, run.id, run.outcome, STYLES.get(run.outcome, ""), start_and_duration)

    def _solution_lines(self, solutions: Sequence[SolutionStatus]) -> Iterator[Line]:
        """Yield each solution's metric, its campaigns, and its versions that need approval."""
        for solution in solutions:
            yield Line(0, short_name(solution.arn), _describe_metric(solution), label_style="bold")

            for campaign in solution.campaigns:
                yield self._campaign_line(campaign, solution)
            for version in solution.waiting_versions:
                text = describe_open_request(self._target, version.arn, version.until)
                yield Line(1, short_name(version.arn), text, "cyan")

    def _recommender_lines(
        self, recommenders: Sequence[RecommenderSummaryTypeDef]
    ) -> Iterator[Line]:
        for recommender in recommenders:
            status = recommender["status"]
            age = self._now - recommender["lastUpdatedDateTime"]
            text = f"{status}, last updated {format_duration(age.total_seconds())} ago"
            yield Line(0, recommender["name"], text, STYLES.get(status, "yellow"))

    def _campaign_line(self, campaign: CampaignStatus, solution: SolutionStatus) -> Line:
        name = short_name(campaign.arn)
        if campaign.state is None:
            return Line(1, name, "does not exist, so requests to it fail", "red")
        if isinstance(campaign.state, OperatorError):
            return Line(1, name, _describe_error(campaign.state), "yellow")
        return Line(1, name, "\n".join(self._describe_campaign(solution, campaign.state)))

    def _describe_campaign(
        self, solution: SolutionStatus, campaign: CampaignState
    ) -> Iterator[str]:
        """Yield what the campaign serves, then any update, trial, rollback or pin."""
        served_arn = campaign.served_version_arn or "nothing"
        yield _describe_served_version(campaign, served_arn)
        for version in solution.versions:
            if version.arn == served_arn:
                yield self._describe_model(version, solution.metric)

        if campaign.update.is_running:
            yield f"is being updated to {resource_name(campaign.update.version_arn)}"
        if campaign.record.trial is not None:
            yield _describe_trial(campaign.record.trial)
        if served_arn == campaign.record.blocked_version_arn:
            yield "was rolled back from this version before"
        if campaign.pin is not None:
            yield campaign.pin

    def _describe_model(self, version: MeasuredVersion, metric: str) -> str:
        age = self._now - version.created_at
        text = f"model {format_duration(age.total_seconds())} old"
        if version.value is None:
            return text
        return f"{text}, {format_metric_name(metric)} {version.value:.4f}"


def _section_lines(
    label: str, section: Section | OperatorError, build_lines: Callable[[Section], Iterable[Line]]
) -> Iterable[Line]:
    """Build the lines of a section, or a line with the error if it couldn't be read."""
    if isinstance(section, OperatorError):
        return [Line(0, label, _describe_error(section), "yellow")]
    return build_lines(section)


def _describe_error(error: OperatorError) -> str:
    return f"cannot be read: {error}"


def _describe_pause(target: Target) -> str:
    """Say whether the stack's file or a person paused the schedule, and how to resume it."""
    # Imported only if needed, because the Pulumi component behind it takes a second to load.
    from retrain.account.stack_config import read_args  # noqa: PLC0415

    paused = "paused"
    with suppress(OperatorError):
        if target.stack is not None:
            args = read_args(target.stack)
            paused = "paused by the stack's file" if args.paused else "paused by hand"
    return f"{paused}: `{target.command('resume')}` turns it on"


def _summarize_end(run: ShownRun) -> str:
    """Summarize in a few words how a run ended."""
    if run.report is None or run.report["error"]:
        return shorten_arns("; ".join(reason["text"] for reason in run.reasons))
    # The headline may no longer be true, for example after a rollback or an approval.
    return f"its report: {format_headline(run.report)}"


def _trigger_lines(trigger_state: str | None) -> Iterator[Line]:
    if trigger_state is not None:
        yield Line(0, "new export", EXPORT_EFFECTS[trigger_state])


def _alarm_lines(alarms: Sequence[RingingAlarm]) -> Iterator[Line]:
    yield _heading("alarms", alarms, "none rings")
    for alarm in alarms:
        yield Line(1, alarm.name, f"rings since {format_time(alarm.since)} UTC", "red")


def _heading(label: str, items: Sequence[object], text_if_empty: str) -> Line:
    """Build the heading of a list. If the list is empty, the heading says so itself."""
    if items:
        return Line(0, label)
    return Line(0, label, text_if_empty)


def _describe_metric(solution: SolutionStatus) -> str:
    """Describe how the metric developed from the oldest shown version to the newest."""
    name = format_metric_name(solution.metric)
    values = [version.value for version in solution.versions if version.value is not None][::-1]
    if not values:
        return f"no version has {name}"

    count = format_count(len(values), "version")
    return f"{name} {values[0]:.4f} {draw_sparkline(values)} {values[-1]:.4f}, {count}"


def draw_sparkline(values: Sequence[float]) -> str:
    """Draw values as a line of block characters, from ▁ for the lowest to █ for the highest."""
    lowest = min(values)
    # If all values are the same, any other span does as well.
    span = max(values) - lowest or 1
    shares = [(value - lowest) / span for value in values]
    return "".join(BLOCKS[round(share * (len(BLOCKS) - 1))] for share in shares)


def _describe_served_version(campaign: CampaignState, served_arn: str) -> str:
    """Say which version a campaign serves and, if that's known, since when."""
    text = f"serves {resource_name(served_arn)}"
    update = campaign.update
    # While an update is running or after it failed, the campaign serves an earlier version, and
    # Personalize doesn't say when that one was deployed.
    if update.is_running or update.version_arn != served_arn:
        return text
    return f"{text} since {format_time(update.ended_at)} UTC"


def _describe_trial(trial: Trial) -> str:
    name = resource_name(trial.version_arn)
    text = f"{name} on trial since {format_time(trial.began_at)} UTC"
    if trial.bake_ends_at is None:
        return text
    return f"{text}, its bake ends {format_time(trial.bake_ends_at)} UTC"


# The JSON document


def _build_document(target: Target, pipeline_status: PipelineStatus) -> dict[str, object]:
    """Build the document for --json. A section that couldn't be read is `{"error": ...}`."""
    document = {
        "stateMachineArn": target.state_machine_arn,
        **_convert_fields(pipeline_status._asdict()),
    }

    # AWS's own description of the schedule has much that nobody wants to see here.
    schedule = pipeline_status.schedule
    if isinstance(schedule, dict):
        document["schedule"] = {
            "state": schedule["State"],
            "expression": schedule["ScheduleExpression"],
            "timezone": schedule["ScheduleExpressionTimezone"],
            # If the schedule is off, this is when it would fire.
            "nextAt": compute_next_time(schedule, pipeline_status.read_at),
        }

    return document


def _convert_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Convert the names of fields to camelCase, and their values to what json can print."""
    return {_to_camel_case(name): _convert_value(value) for name, value in fields.items()}


def _to_camel_case(name: str) -> str:
    first_word, *other_words = name.split("_")
    return first_word + "".join(map(str.capitalize, other_words))


def _convert_value(value: Any) -> object:  # noqa: ANN401  # any part of the status
    match value:
        case OperatorError():
            return {"error": str(value)}
        case ShownRun():
            return value.document()
        case CampaignState():
            return {
                "servedVersionArn": value.served_version_arn,
                "update": _convert_fields(vars(value.update)),
                "record": _convert_value(value.record),
                "pin": value.pin,
            }
        case list():
            return [_convert_value(item) for item in value]
        case object(_asdict=get_fields):
            return _convert_fields(get_fields())

    return value
