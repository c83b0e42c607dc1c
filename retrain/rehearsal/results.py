"""Prints the results of scenarios, or builds the JSON document that contains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.common.messages import format_message
from functions.report.mail import format_report
from retrain.account import output
from retrain.look.lines import Line, print_lines
from retrain.rehearsal.recommendations import list_recommendation_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.report.model import Report
    from retrain.look.run_view import ShownRun
    from retrain.rehearsal.play import DeployedStack
    from retrain.rehearsal.scenarios import Check, Scenario


@dataclass(frozen=True)
class Result:
    """The result of playing one scenario."""

    scenario: Scenario
    checks: Sequence[Check] = ()
    run: ShownRun | None = None
    """The scenario's last run, or None if an error ended the scenario."""

    @property
    def is_as_designed(self) -> bool:
        """True if the scenario passed all checks."""
        return all(check.is_met for check in self.checks)

    @property
    def was_rejected_first(self) -> bool:
        """True if the quality gate rejected a version that should have failed on trial."""
        if self.run is None:
            return False
        return self.scenario.outcome == "ROLLED_BACK" and self.run.outcome == "REJECTED"

    @property
    def way_out(self) -> str:
        """What the operator can do if the scenario didn't end as designed."""
        if self.was_rejected_first:
            return "use more data, whose metrics depend less on chance"
        return self.scenario.hint


def print_story(scenario: Scenario) -> None:
    """Print what will go wrong in a scenario, and what the pipeline should do about it."""
    print_lines(
        [
            Line(0, ""),
            Line(0, f"Scenario {scenario.name}", label_style="bold"),
            Line(1, "what happens", scenario.story),
            Line(1, "expected", scenario.promise),
        ]
    )


def print_result(result: Result, deployed: DeployedStack) -> None:
    """Print the run, which checks it passed or failed, and what the pipeline prevented."""
    if result.run:
        print_lines([Line(0, ""), *result.run.lines()])
        if result.run.report:
            _print_report(result, result.run.report, deployed)

    print_lines([Line(0, ""), *map(_build_check_line, result.checks)])
    print_lines(_list_verdict_lines(result))


def _print_report(result: Result, report: Report, deployed: DeployedStack) -> None:
    """Print the full report of a failed scenario, or the successes of the happy path."""
    options = deployed.target.options
    if not result.is_as_designed:
        text = format_report(report, pipeline_options=options)
        output.print_result(f"\n{text.rstrip()}")
        return

    # In any other scenario, what the pipeline prevented is the success.
    if result.scenario.prevented:
        return
    warning_lines = [
        Line(1, "warning", format_message(warning, options), label_style="yellow")
        for warning in report["warnings"]
    ]
    recommendation_lines = list_recommendation_lines(deployed.resources, report)
    print_lines([*warning_lines, Line(0, ""), *recommendation_lines])


def _build_check_line(check: Check) -> Line:
    """Build the line of a check, marked as passed or failed."""
    if check.is_met:
        return Line(1, "", f"✓ {check.text}", "green")
    return Line(1, "", f"✗ {check.text}", "bold red")


def _list_verdict_lines(result: Result) -> Iterator[Line]:
    """Yield what the pipeline prevented, or failed to prevent, and what to do about that."""
    prevented = result.scenario.prevented

    if result.is_as_designed:
        if prevented:
            yield Line(1, "prevented", prevented, label_style="green")
        return

    if result.was_rejected_first:
        text = "the quality gate rejected the version before it was tried"
        yield Line(1, "not played", text, label_style="yellow")
    # After an error, we can't tell what the pipeline would have prevented.
    elif prevented and result.run:
        yield Line(1, "NOT PREVENTED", prevented, label_style="bold red")
    yield Line(1, "what to do", result.way_out)


def print_summary(results: Sequence[Result]) -> None:
    """Print how many scenarios passed all checks, and the names of the others."""
    failed_names = [result.scenario.name for result in results if not result.is_as_designed]
    passed_count = len(results) - len(failed_names)
    text = f"{passed_count} of {len(results)} scenarios ended as designed"

    if failed_names:
        line = Line(0, "", f"{text}, but not {', '.join(failed_names)}.", "red")
    else:
        line = Line(0, "", f"{text}.", "green")
    print_lines([Line(0, ""), line])


def build_document(stack_name: str, results: Sequence[Result]) -> dict[str, object]:
    """Build the document that `retrain rehearse --json` prints."""
    return {
        "stack": stack_name,
        "succeeded": all(result.is_as_designed for result in results),
        "scenarios": [_build_scenario_document(result) for result in results],
    }


def _build_scenario_document(result: Result) -> dict[str, object]:
    """Build the item of the JSON document for one scenario."""
    scenario = result.scenario
    document: dict[str, object] = {
        "scenario": scenario.name,
        "isAsDesigned": result.is_as_designed,
        "prevented": scenario.prevented or None,
        "wayOut": None,
        "checks": [{"text": check.text, "isMet": check.is_met} for check in result.checks],
        "run": None,
    }

    if not result.is_as_designed:
        document["wayOut"] = result.way_out
    if result.run:
        document["run"] = result.run.document()
    return document
