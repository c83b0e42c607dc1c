"""Prints a run and a scenario as tables. Rich folds what is too wide for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from functions.report.text import text_of
from retrain.names import short_name
from retrain.rehearsal.judges import reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from retrain.rehearsal.judges import Expectation
    from retrain.rehearsal.runs import Campaign, Item, Run, Step, Summary, User, Version
    from retrain.rehearsal.scenarios import ScenarioResult

COLOURS = {
    "ACTIVE": "green",
    "DEPLOYED": "green",
    "FAILED": "red",
    "STOPPED": "red",
    "REJECTED": "yellow",
    "ROLLED_BACK": "yellow",
    "SKIPPED": "yellow",
}
"""The colour of a status that ends in this word."""
METRICS = {
    "NDCG@10": "normalized_discounted_cumulative_gain_at_10",
    "MRR@25": "mean_reciprocal_rank_at_25",
    "precision@10": "precision_at_10",
    "coverage": "coverage",
}
"""The heading of each metric, and its name in Personalize."""
METRICS_LEGEND = """\
NDCG@10: how near the top of 10 recommendations the hidden items of a user are.
MRR@25: how near the top the first one is. precision@10: their share of the 10.
coverage: the share of all items that anyone gets. For all metrics, 1 is best."""
PROBE_LEGEND = """\
A probe asks a campaign for recommendations after its update. If the answers are
errors or too short, the pipeline moves the campaign back."""
MIN_EVALUATION_USERS = 30
"""With fewer users, NDCG varies by about the quarter that the default quality gate allows: each
user's value has a standard deviation of about 0.3, and the mean of 30 users one of 0.05."""
SHOWN_ITEMS = 3
"""The number of the user's last items that are shown."""
SHOWN_GENRES = 2
"""The number of the user's most frequent genres that are shown."""


def coloured(status: str) -> Text:
    """Return a status in its colour. A status of a running job has no colour."""
    return Text(status, COLOURS.get(status.rpartition(" ")[2], ""))


def print_progress(console: Console, line: str) -> None:
    """Print a line about the progress of the rehearsal."""
    console.print(line, style="dim", highlight=False, markup=False)


def print_summary(console: Console, summary: Summary) -> None:
    """Print everything that a run did, and whether it succeeded.

    The most important part comes last, because a small terminal shows only the end.
    """
    console.print(_steps_table(summary.steps))
    console.print(PROBE_LEGEND, style="dim", highlight=False)
    console.print()
    if summary.report:
        console.print(text_of(summary.report).rstrip(), markup=False, highlight=False)
    outcomes = summary.campaign_outcomes()
    for campaign in summary.campaigns:
        outcome = outcomes.get(campaign.campaign_arn)
        console.print(_campaign_table(campaign, outcome, summary.user))
    console.print(_versions_table(summary.versions))
    console.print(METRICS_LEGEND, style="dim", highlight=False)
    console.print(_evaluation_text(summary.evaluation_users), soft_wrap=False)
    console.print()
    console.print(_conclusion(summary), highlight=False)
    if summary.report and not summary.succeeded:
        for reason in reasons(summary.report):
            console.print(f"  {reason}", markup=False, highlight=False)


def print_result(console: Console, result: ScenarioResult) -> None:
    """Print what should have happened in a scenario, what happened, and what was prevented."""
    scenario, evidence = result.scenario, result.evidence
    table = _grid(f"Scenario {scenario.name}")
    table.add_row("what is wrong", scenario.story)
    table.add_row("expected", scenario.expected)
    _add_rows(table, "what happened", [_run_text(run) for run in evidence.runs])
    _add_rows(table, "messages", [Text(message) for message in evidence.messages()])
    _add_rows(table, "campaigns", [_campaign_text(campaign) for campaign in evidence.campaigns])
    if evidence.evaluation_users is not None:
        table.add_row("metrics", _evaluation_text(evidence.evaluation_users))
    _add_rows(table, "checked", [_expectation_text(row) for row in result.expectations])
    if result.is_as_designed:
        table.add_row(Text("prevented", "green"), scenario.prevented)
    else:
        table.add_row(Text("NOT PREVENTED", "bold red"), scenario.prevented)
        table.add_row("what to do", scenario.way_out)
    console.print(table)


def print_overview(console: Console, results: Sequence[ScenarioResult]) -> None:
    """Print a row for each scenario, and then which of them did not end as designed."""
    if len(results) > 1:
        table = _grid("All scenarios")
        for result in results:
            is_prevented = ("prevented", "green")
            is_not_prevented = ("NOT PREVENTED", "bold red")
            verdict = is_prevented if result.is_as_designed else is_not_prevented
            table.add_row(result.scenario.name, Text.assemble(verdict))
        console.print(table)
    failed = [result.scenario.name for result in results if not result.is_as_designed]
    noun = "scenario" if len(results) == 1 else "scenarios"
    line = f"{len(results) - len(failed)} of {len(results)} {noun} ended as designed."
    console.print()
    if failed:
        console.print(f"{line} NOT PREVENTED: {', '.join(failed)}", style="red", highlight=False)
    else:
        console.print(line, style="green", highlight=False)


def _evaluation_text(users: int) -> Text:
    """Return how many users the metrics rest on, and a warning if they are few."""
    if users >= MIN_EVALUATION_USERS:
        return Text(f"The metrics rest on {users} users, a tenth of those who came back.", "dim")
    return Text(
        f"The metrics rest on only {users} users, so they are noise: a difference between two "
        f"versions may be chance. Use data of at least {MIN_EVALUATION_USERS * 10} users who came "
        "back.",
        "yellow",
    )


def _steps_table(steps: Iterable[Step]) -> Table:
    """Return a row for each step, with the seconds since the first step."""
    table = _table("What the functions did", "   s step", "of", "status")
    table.columns[0].no_wrap = True
    for step in steps:
        status = coloured(step.status)
        if step.failure:
            status = Text.assemble(status, f": {step.failure}")
        name = short_name(step.arn) if step.arn else ""
        table.add_row(f"{step.seconds:4.1f} {step.step}", name, status)
    return table


def _versions_table(versions: Iterable[Version]) -> Table:
    """Return a row for each solution version, with a dash for each metric that it lacks."""
    table = _table("Solution versions", "version", "", *METRICS)
    for column in table.columns[1:]:
        column.no_wrap = True
    for version in versions:
        values = [version.metrics.get(name) for name in METRICS.values()]
        cells = ["-" if value is None else f"{value:.4f}" for value in values]
        table.add_row(short_name(version.solution_version_arn), version.age, *cells)
    return table


def _campaign_table(campaign: Campaign, outcome: str | None, user: User) -> Table:
    """Return the versions and the recommendations of a campaign. The report has the outcome."""
    table = _grid(f"Campaign {short_name(campaign.campaign_arn)}")
    table.add_row("serves", _served_version_text(campaign, outcome))
    table.add_row("before", short_name(campaign.previous_version_arn))
    if campaign.related_to is not None:
        table.add_row("related to", _items_text([campaign.related_to]))
    elif campaign.recommendations:
        table.add_row("user", _user_text(user))
        table.add_row("last items", _items_text(user.items[:SHOWN_ITEMS]))
    if campaign.recommendations:
        table.add_row("recommended", _items_text(campaign.recommendations))
    return table


def _served_version_text(campaign: Campaign, outcome: str | None) -> Text:
    """Return the version that a campaign serves. If it is not the new version, add the outcome."""
    version = f"{short_name(campaign.solution_version_arn)}, "
    if campaign.serves_new_version:
        return Text.assemble(version, ("the new version", "green"))
    text = Text.assemble(version, ("not a new version", "red"))
    return Text.assemble(text, ": ", coloured(outcome)) if outcome else text


def _user_text(user: User) -> Text:
    """Return the user's id and items, for example `user-1, 4 items: 2 Drama, 1 Crime`."""
    count = len(user.items)
    text = f"{user.user_id}, {count} item{'' if count == 1 else 's'}"
    genres = Counter(genre for item in user.items for genre in item.genres.split("|") if genre)
    if genres:
        most_common = genres.most_common(SHOWN_GENRES)
        text += ": " + ", ".join(f"{number} {genre}" for genre, number in most_common)
    return Text(text)


def _items_text(items: Iterable[Item]) -> Text:
    """Return a line for each item, with its title or its id, and its genres."""
    lines = []
    for item in items:
        genres = f" ({item.genres.replace('|', ', ')})" if item.genres else ""
        lines.append(f"{item.title or item.item_id}{genres}")
    return Text("\n".join(lines))


def _conclusion(summary: Summary) -> str:
    """Return whether the run succeeded, in Rich's markup."""
    if summary.succeeded and summary.campaigns:
        return "[green]Every campaign serves its new version.[/]"
    if summary.succeeded:
        return "[green]Every solution has a new version[/], and there are no campaigns to update."
    failed = "campaign serves" if summary.campaigns else "solution has"
    reason = "see the report" if summary.report else f"the run ended as {escape(summary.ending)}"
    return f"[red]Not every {failed} a new version[/]: {reason}"


def _run_text(run: Run) -> Text:
    """Return the status of a run and the number of its jobs."""
    number = len(run.jobs)
    jobs = f"{number or 'no'} job{'s' if number > 1 else ''}"
    return Text.assemble(coloured(run.status), f", started {jobs}")


def _campaign_text(campaign: Campaign) -> Text:
    """Return the version that a campaign serves, and the previous version if it differs."""
    name = short_name(campaign.campaign_arn)
    served = short_name(campaign.solution_version_arn)
    if campaign.serves_previous_version:
        return Text(f"{name} serves {served}, as before")
    return Text(f"{name} serves {served}, before {short_name(campaign.previous_version_arn)}")


def _expectation_text(expectation: Expectation) -> Text:
    mark = ("✓", "green") if expectation.is_met else ("✗", "bold red")
    return Text.assemble(mark, f" {expectation.text}")


def _add_rows(table: Table, label: str, lines: Sequence[Text]) -> None:
    """Add a row for each line. Only the first row has the label."""
    for number, line in enumerate(lines):
        table.add_row("" if number else label, line)


def _table(title: str, *headings: str) -> Table:
    """Return an empty table with a title and a line below the headings of its columns."""
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold")
    table.box = box.SIMPLE_HEAD
    table.show_edge = table.pad_edge = False
    table.padding, table.collapse_padding = (0, 1), True
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _grid(title: str) -> Table:
    """Return an empty table with a title, a column of labels and a column that folds."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.title, table.title_justify, table.title_style = f"\n{title}", "left", "bold"
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
