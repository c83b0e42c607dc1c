"""The command `status`: one screen about the schedule, the runs, the campaigns and the alarms."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, TypeVar

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
from functions.constants import REPORTED_ERROR
from functions.report.mail import ERROR_HEADLINES, format_headline
from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.account.output import print_json, result_console
from retrain.account.target import Target
from retrain.account.triggers import EXPORT_STARTS, describe_schedule, find_next_time
from retrain.look.lines import STYLES, Line, print_lines, rendered
from retrain.look.measured import draw_sparkline
from retrain.look.pipeline_status import StatusReader, read_last_reports
from retrain.look.plot import write_plot
from retrain.look.versions import describe_waiting
from retrain.names import short_name
from retrain.options import JsonOption, PlotOption, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_events.type_defs import RuleTypeDef
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from functions.rules.campaigns import CampaignState, Trial
    from retrain.look.pipeline_status import PipelineStatus, RingingAlarm, SolutionStatus
    from retrain.look.run_view import ShownRun

PAUSE_SECONDS = 15
"""A new screen takes a dozen requests, and little happens more often."""
Part = TypeVar("Part")


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

    It also shows whether the schedule is on and when it fires, the last outcomes, the metric of the
    last ten versions, and the alarms that ring.

    Exit code 0: the screen was shown, whatever it shows.
    Exit code 2: the pipeline was not found, or cannot be read.
    """
    reader = StatusReader(target)
    if watch:
        return _watch(target, reader)

    shown = reader.read()
    if as_json:
        print_json(_document(target, shown))
    else:
        print_lines(Screen(target, shown).lines())

    if plot is not None:
        write_plot(target, read_last_reports(target), plot)
    return 0


def _watch(target: Target, reader: StatusReader) -> int:
    """Draw the screen again and again, until Ctrl-C or SIGTERM."""
    console = result_console()
    if not console.is_terminal:
        raise OperatorError("--watch needs a terminal; without one, repeat `retrain status`")

    with suppress(KeyboardInterrupt, SystemExit), Live(console=console) as live:
        while True:
            lines = Screen(target, reader.read()).lines()
            live.update(Group(*rendered(lines, console.width, has_bars=True)))
            clock.sleep(PAUSE_SECONDS)
    return 0


class Screen:
    """The screen about what was read of a pipeline."""

    def __init__(self, target: Target, shown: PipelineStatus) -> None:
        self._target = target
        self._shown = shown
        self._now = shown.read_at

    def lines(self) -> Iterator[Line]:
        """Yield the lines of all parts."""
        shown = self._shown
        text = f"{self._target.name} at {format_time(self._now)} UTC"
        yield Line(0, "pipeline", text, label_style="bold")

        yield from _part_lines("schedule", shown.schedule, self._schedule_lines)
        yield from _part_lines("new export", shown.trigger, _trigger_lines)
        yield from _part_lines("runs", shown.runs, self._run_lines)
        yield from _part_lines("solutions", shown.solutions, self._solution_lines)
        yield from _part_lines("alarms", shown.alarms, _alarm_lines)

    def _schedule_lines(self, schedule: GetScheduleOutputTypeDef | None) -> Iterator[Line]:
        if schedule is None:
            yield Line(0, "schedule", "was deleted: `pulumi up --refresh` creates it again", "red")
            return

        yield Line(0, "schedule", describe_schedule(schedule, self._now))
        if schedule["State"] != "ENABLED":
            yield Line(0, "", _describe_pause(self._target), "yellow")

    def _run_lines(self, runs: Sequence[ShownRun]) -> Iterator[Line]:
        """Yield the jobs of the runs that are under way, and the outcomes of those that ended."""
        running = [run for run in runs if run.execution.is_running]
        yield Line(0, "running", "" if running else "nothing")
        for run in running:
            yield self._run_line(run)
            _, *jobs = run.lines()
            yield from (line._replace(depth=line.depth + 1) for line in jobs)

        yield Line(0, "last runs", "" if len(runs) > len(running) else "none")
        for run in runs[len(running) :]:
            yield self._run_line(run)
            yield Line(2, "", _describe_end(run))

    def _run_line(self, run: ShownRun) -> Line:
        took = format_duration(run.execution.seconds(self._now))
        time = f"{format_time(run.execution.started_at)} UTC, {took}"
        return Line(1, run.id, run.outcome, STYLES.get(run.outcome, ""), time)

    def _solution_lines(self, solutions: Sequence[SolutionStatus]) -> Iterator[Line]:
        """Yield each solution's metric, its campaigns, and what waits for a person."""
        for solution in solutions:
            yield Line(0, short_name(solution.arn), _describe_metric(solution), label_style="bold")
            for arn, campaign in solution.campaigns.items():
                yield self._campaign_line(arn, campaign, solution)
            for version in solution.waiting:
                text = describe_waiting(self._target, version.arn, version.until)
                yield Line(1, short_name(version.arn), text, "cyan")

    def _campaign_line(
        self, arn: str, campaign: CampaignState | OperatorError | None, solution: SolutionStatus
    ) -> Line:
        name = short_name(arn)
        if campaign is None:
            return Line(1, name, "does not exist, so requests to it fail", "red")
        if isinstance(campaign, OperatorError):
            return Line(1, name, f"cannot be read: {campaign}", "yellow")
        return Line(1, name, "\n".join(self._describe_campaign(solution, campaign)))

    def _describe_campaign(
        self, solution: SolutionStatus, campaign: CampaignState
    ) -> Iterator[str]:
        """Yield what a campaign serves since when, its model, and what happens to it."""
        served = campaign.served_version_arn or "nothing"
        update = campaign.update
        since = ""
        if not update.is_running and update.version_arn == served:
            since = f" since {format_time(update.ended_at)} UTC"
        yield f"serves {resource_name(served)}{since}"

        yield from self._describe_model(solution, served)
        if update.is_running:
            yield f"is being updated to {resource_name(update.version_arn)}"
        if campaign.record.trial is not None:
            yield _describe_trial(campaign.record.trial)
        if served == campaign.record.blocked_version_arn:
            yield "was rolled back from this version before"
        if campaign.pin is not None:
            yield campaign.pin

    def _describe_model(self, solution: SolutionStatus, version_arn: str) -> Iterator[str]:
        if version_arn not in solution.created:
            return

        age = format_duration((self._now - solution.created[version_arn]).total_seconds())
        values = [version.value for version in solution.versions if version.arn == version_arn]
        metric = "".join(
            f", {format_metric_name(solution.metric)} {value:.4f}"
            for value in values
            if value is not None
        )
        yield f"model {age} old{metric}"


def _part_lines(
    label: str, part: Part | OperatorError, lines: Callable[[Part], Iterable[Line]]
) -> Iterable[Line]:
    """Return the lines of a part, or why it can't be read."""
    if isinstance(part, OperatorError):
        return [Line(0, label, f"cannot be read: {part}", "yellow")]
    return lines(part)


def _describe_pause(target: Target) -> str:
    """Say who has turned the schedule off: the stack's file, or a person."""
    # Reading the file imports the component, which takes a second.
    from retrain.account.stack_config import read_args  # noqa: PLC0415

    who = ""
    with suppress(OperatorError):
        if target.stack is not None:
            is_setting = read_args(pulumi_cli.PROJECT_DIR, target.stack).paused
            who = " by the stack's file" if is_setting else " by hand"
    return f"paused{who}: `{target.command('resume')}` turns it on"


def _describe_end(run: ShownRun) -> str:
    """Say in a few words how a run has ended."""
    if run.report:
        return format_headline(run.report)

    # The cause of a run that has failed is the text of its message.
    error = run.execution.error or ERROR_HEADLINES.get(run.execution.status, "no cause given")
    return error.splitlines()[0].removeprefix(f"{REPORTED_ERROR}: FAILED: ").rstrip(".")


def _trigger_lines(trigger: RuleTypeDef | None) -> Iterator[Line]:
    if trigger is not None:
        yield Line(0, "new export", EXPORT_STARTS[trigger["State"]])


def _alarm_lines(alarms: Sequence[RingingAlarm]) -> Iterator[Line]:
    yield Line(0, "alarms", "" if alarms else "none rings")
    for alarm in alarms:
        yield Line(1, alarm.name, f"rings since {format_time(alarm.since)} UTC", "red")


def _describe_metric(solution: SolutionStatus) -> str:
    """Describe how a metric went from the oldest shown version to the newest one."""
    values = [version.value for version in solution.versions if version.value is not None][::-1]
    name = format_metric_name(solution.metric)
    if not values:
        return f"no version has {name}"

    count = format_count(len(values), "version")
    return f"{name} {values[0]:.4f} {draw_sparkline(values)} {values[-1]:.4f}, {count}"


def _describe_trial(trial: Trial) -> str:
    name = resource_name(trial.version_arn)
    text = f"{name} on trial since {format_time(trial.began_at)} UTC"
    if trial.bake_ends_at is None:
        return text
    return f"{text}, its bake ends {format_time(trial.bake_ends_at)} UTC"


# The JSON document


def _document(target: Target, shown: PipelineStatus) -> dict[str, object]:
    """Return what the screen shows, for programs. A part that can't be read is `{"error": ...}`."""
    return {
        "stateMachineArn": target.state_machine_arn,
        "readAt": shown.read_at,
        "schedule": _part_document(shown.schedule, lambda part: _schedule_document(part, shown)),
        "trigger": _part_document(shown.trigger, lambda rule: rule and rule["State"]),
        "runs": _part_document(shown.runs, lambda runs: [run.document() for run in runs]),
        "alarms": _part_document(
            shown.alarms, lambda alarms: [alarm._asdict() for alarm in alarms]
        ),
        "solutions": _part_document(
            shown.solutions, lambda solutions: [*map(_solution_document, solutions)]
        ),
    }


def _part_document(part: Part | OperatorError, document: Callable[[Part], object]) -> object:
    if isinstance(part, OperatorError):
        return {"error": str(part)}
    return document(part)


def _schedule_document(
    schedule: GetScheduleOutputTypeDef | None, shown: PipelineStatus
) -> dict[str, object] | None:
    if schedule is None:
        return None
    is_on = schedule["State"] == "ENABLED"
    return {
        "state": schedule["State"],
        "expression": schedule["ScheduleExpression"],
        "timezone": schedule["ScheduleExpressionTimezone"],
        "nextAt": find_next_time(schedule, shown.read_at) if is_on else None,
    }


def _solution_document(solution: SolutionStatus) -> dict[str, object]:
    return {
        "solutionArn": solution.arn,
        "metric": solution.metric,
        "versions": [
            {"solutionVersionArn": arn, "createdAt": created_at, "value": value}
            for arn, created_at, value in solution.versions
        ],
        "waiting": [{"solutionVersionArn": arn, "until": until} for arn, until in solution.waiting],
        "campaigns": [
            {"campaignArn": arn, **_campaign_document(campaign)}
            for arn, campaign in solution.campaigns.items()
        ],
    }


def _campaign_document(campaign: CampaignState | OperatorError | None) -> dict[str, object]:
    if campaign is None or isinstance(campaign, OperatorError):
        return {"error": str(campaign or "the campaign does not exist")}

    trial = campaign.record.trial
    return {
        "servedVersionArn": campaign.served_version_arn,
        "update": {
            "solutionVersionArn": campaign.update.version_arn,
            "isRunning": campaign.update.is_running,
            "endedAt": campaign.update.ended_at,
        },
        "trial": trial
        and {
            "solutionVersionArn": trial.version_arn,
            "beganAt": trial.began_at,
            "bakeEndsAt": trial.bake_ends_at,
        },
        "pin": campaign.pin,
    }
