"""What a scenario came to, told to people and to programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from retrain.rehearsal.names import short_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from retrain.rehearsal.judging import Expectation, Ran, Seen
    from retrain.rehearsal.scenarios import Scenario
    from retrain.rehearsal.summary import Served


@dataclass(frozen=True)
class Told:
    """A scenario, what was seen of it, and how that was judged."""

    scenario: Scenario
    seen: Seen
    expectations: Sequence[Expectation]

    @property
    def as_designed(self) -> bool:
        """Whether all is as it has to be."""
        return all(each.held for each in self.expectations)


def told(scenario: Scenario, seen: Seen) -> Told:
    """Judge what was seen."""
    return Told(scenario, seen, list(scenario.judge(seen)))


def tell(console: Console, told: Told) -> None:
    """Print it: what went wrong, who noticed, what is served, and what did not happen."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.title, table.title_justify = f"\nScenario {told.scenario.name}", "left"
    table.title_style = "bold"
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("what happened", told.scenario.story)
    rows: Sequence[tuple[str, Sequence[str | Text]]] = (
        ("guards said", [Text(each) for each in told.seen.said]),
        ("the run", [_run(each) for each in told.seen.runs]),
        ("campaigns", [_campaign(each) for each in told.seen.campaigns]),
        ("checked", [_checked(each) for each in told.expectations]),
    )
    for label, lines in rows:
        for number, line in enumerate(lines):
            table.add_row("" if number else label, line)
    table.add_row(*_verdict(told))
    console.print(table)


def _run(run: Ran) -> Text:
    number = len(run.jobs)
    started = f"{number} job{'s' if number != 1 else ''} started" if number else "started no job"
    colour = {"FAILED": "red", "DEPLOYED": "green"}.get(run.status, "yellow")
    return Text.assemble((run.status, colour), f", {started}")


def _campaign(served: Served) -> Text:
    now, before = short_name(served.now), short_name(served.before)
    if now == before:
        return Text(f"{short_name(served.arn)} serves {now}, as before")
    return Text(f"{short_name(served.arn)} serves {now}, before that {before}")


def _checked(expectation: Expectation) -> Text:
    mark = ("✓", "green") if expectation.held else ("✗", "bold red")
    return Text.assemble(mark, f" {expectation.what}")


def _verdict(told: Told) -> tuple[Text, Text]:
    prevented = Text(told.scenario.prevented)
    if told.as_designed:
        return Text("prevented", "green"), prevented
    return Text("NOT PREVENTED", "bold red"), prevented


def document(told: Told) -> dict[str, object]:
    """Give it all for JSON; every key is always there."""
    return {
        "scenario": told.scenario.name,
        "asDesigned": told.as_designed,
        "whatHappened": told.scenario.story,
        "guardsSaid": told.seen.said,
        "prevented": told.scenario.prevented,
        "checked": [{"what": each.what, "held": each.held} for each in told.expectations],
        "runs": [
            {
                "executionArn": each.execution_arn,
                "ended": each.ended,
                "jobs": list(each.jobs),
                "report": each.report,
            }
            for each in told.seen.runs
        ],
        "campaigns": [
            {
                "campaignArn": each.arn,
                "solutionVersionArn": each.now,
                "previousVersionArn": each.before,
            }
            for each in told.seen.campaigns
        ],
    }
