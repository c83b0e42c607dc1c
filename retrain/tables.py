"""A run's summary as tables, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from retrain.names import short_name, shortened
from retrain.progress import coloured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from retrain.summary import Served, Step, Summary, Version

METRICS = {
    "NDCG@10": "normalized_discounted_cumulative_gain_at_10",
    "MRR@25": "mean_reciprocal_rank_at_25",
    "precision@10": "precision_at_10",
    "coverage": "coverage",
}
BESIDE_STEP = 57
"""Columns of a line about a step that are not its object's."""
NARROWEST = 23
"""Columns that a name has at least."""
LAST_MET = 3


def show(
    console: Console,
    summary: Summary,
    *,
    user_id: str,
    met: Sequence[str],
    titles: Mapping[str, str],
) -> None:
    """Print it all; `met` are the titles of the items that the user met, the newest first."""
    console.print(_steps(summary.steps, console.width))
    if summary.jobs:
        console.print(_jobs(summary, console.width))
    console.print(_versions(summary.versions, console.width))
    for each in summary.campaigns:
        console.print(_campaign(each, summary.outcome_of(each.arn), user_id, met, titles))
    console.print()
    if summary.report:
        console.print(summary.report["text"], markup=False, highlight=False)
        console.print()
    console.print(_verdict(summary), highlight=False)


def _steps(steps: Iterable[Step], width: int) -> Table:
    table = _table("What the functions did", "   s step", "of", "status")
    for each in steps:
        table.add_row(
            f"{each.seconds:4.1f} {each.step}",
            shortened(short_name(each.arn), max(width - BESIDE_STEP, NARROWEST))
            if each.arn
            else "",
            coloured(each.status) + (escape(f": {each.failure}") if each.failure else ""),
        )
    return table


def _jobs(summary: Summary, width: int) -> Table:
    table = _table("Jobs", "job", "statuses", "seconds")
    for each in summary.jobs:
        statuses = " > ".join(coloured(each.rpartition(" ")[2]) for each in each.statuses)
        label = shortened(each.label, max(width - 45, NARROWEST))
        table.add_row(label, statuses, f"{each.seconds:.1f}")
    return table


def _versions(versions: Iterable[Version], width: int) -> Table:
    table = _table("Solution versions", "version", "", *METRICS)
    for each in versions:
        table.add_row(
            shortened(short_name(each.arn), max(width - 51, NARROWEST)),
            each.age,
            *(_number(each.metrics.get(name)) for name in METRICS.values()),
        )
    return table


def _number(metric: float | None) -> str:
    return "-" if metric is None else f"{metric:.4f}"


def _campaign(
    served: Served,
    outcome: str | None,
    user_id: str,
    met: Sequence[str],
    titles: Mapping[str, str],
) -> Table:
    state = "[green]the new version[/]" if served.moved else "[red]not a new version[/]"
    if outcome and not served.moved:
        state += f": {coloured(outcome)}"
    names = [titles.get(each, each) for each in served.recommended]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.title, table.title_justify = f"\nCampaign {short_name(served.arn)}", "left"
    table.title_style = "bold"
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("serves", f"{short_name(served.now)}, {state}")
    table.add_row("before", short_name(served.before))
    table.add_row("user", Text(user_id))
    table.add_row("last items", Text("\n".join(met[:LAST_MET])))
    table.add_row("recommended", Text("\n".join(names)))
    return table


def _verdict(summary: Summary) -> str:
    if not summary.succeeded:
        what = "campaign serves" if summary.campaigns else "solution has"
        why = "as the report says" if summary.report else f"the run {escape(summary.ended)}"
        return f"[red]Not every {what} a new version[/]: {why}"
    if not summary.campaigns:
        return "[green]Every solution has a new version[/]; there are no campaigns to serve it."
    return "[green]Every campaign serves its new version.[/]"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=box.SIMPLE_HEAD)
    table.title_style = "bold"
    table.show_edge = table.pad_edge = False
    table.padding, table.collapse_padding = (0, 1), True
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
