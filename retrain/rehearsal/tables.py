"""A run's summary as tables, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from retrain.rehearsal.names import short_name, shortened
from retrain.rehearsal.progress import coloured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from retrain.rehearsal.summary import Audience, Served, Step, Summary, Version

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
BESIDE_ITEM = 13
"""Columns of a line about an item that are not its title and genres."""
WIDEST = 100
"""Columns of such a line at most."""
LEAST_GENRES = 12
"""Columns that genres need, so as to say anything when shortened."""
LAST_MET = 3
FAVOURITES = 2
"""Genres that are told of a user."""


def show(console: Console, summary: Summary, *, audience: Audience) -> None:
    """Print it all."""
    console.print(_steps(summary.steps, console.width))
    if summary.jobs:
        console.print(_jobs(summary, console.width))
    console.print(_versions(summary.versions, console.width))
    for each in summary.campaigns:
        outcome = summary.outcome_of(each.arn)
        console.print(_campaign(each, outcome, audience, min(console.width, WIDEST)))
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


def _campaign(served: Served, outcome: str | None, audience: Audience, width: int) -> Table:
    state = "[green]the new version[/]" if served.moved else "[red]not a new version[/]"
    if outcome and not served.moved:
        state += f": {coloured(outcome)}"
    table = Table.grid(padding=(0, 2, 0, 0))
    table.title, table.title_justify = f"\nCampaign {short_name(served.arn)}", "left"
    table.title_style = "bold"
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("serves", f"{short_name(served.now)}, {state}")
    table.add_row("before", short_name(served.before))
    if served.related_to is not None:
        table.add_row("related to", _items([served.related_to], audience, width))
    elif served.recommended:
        table.add_row("user", Text(_user(audience)))
        table.add_row("last items", _items(audience.met[:LAST_MET], audience, width))
    if served.recommended:
        table.add_row("recommended", _items(served.recommended, audience, width))
    return table


def _user(audience: Audience) -> str:
    """Give the user with how many items they met, most of which genres."""
    genres = Counter(
        genre
        for each in audience.met
        for genre in audience.genres.get(each, "").split("|")
        if genre
    )
    most = ", ".join(f"{number} {genre}" for genre, number in genres.most_common(FAVOURITES))
    count = f"met {len(audience.met)} item{'s' if len(audience.met) != 1 else ''}"
    return f"{audience.user_id}, {count}{f': {most}' if most else ''}"


def _items(items: Iterable[str], audience: Audience, width: int) -> Text:
    """Give a line for each, with its genres as far as there is room beside the title."""
    lines = []
    for each in items:
        title, genres = audience.title(each), audience.genres.get(each, "").replace("|", ", ")
        room = width - BESIDE_ITEM - len(title) - len(" ()")
        beside = f" ({shortened(genres, room)})" if genres and room >= LEAST_GENRES else ""
        lines.append(title + beside)
    return Text("\n".join(lines))


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
