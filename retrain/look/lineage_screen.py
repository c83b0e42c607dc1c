"""Shows where a solution version comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from retrain.look.reports import metric_name, outcome_text
from retrain.look.texts import size_text, time_text
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retrain.look.lineage import (
        CampaignVerdict,
        LearnedDataset,
        LearnedImport,
        Lineage,
    )

SHOWN_IMPORTS = 5
"""The number of import jobs of a dataset that are shown. The JSON document has more."""


def lineage_table(lineage: Lineage) -> Table:
    """Return a table with a row for each thing that is known about a version."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.title_justify = "left"
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    title = Text.assemble(
        (short_name(lineage["solutionVersionArn"]), "bold"), "  ", outcome_text(lineage["status"])
    )
    table.add_row("version", title)
    if lineage["failure"]:
        table.add_row("failure", Text(lineage["failure"], "red"))
    table.add_row("trained", _training_text(lineage))
    table.add_row("by", _origin_text(lineage))
    for label, text in _approval_rows(lineage):
        table.add_row(label, text)
    for dataset in lineage["datasets"]:
        _add_dataset(table, dataset)
    if lineage["metrics"]:
        table.add_row("metrics", ", ".join(_metric_texts(lineage["metrics"])))
    for number, campaign in enumerate(lineage["campaigns"]):
        table.add_row("" if number else "campaigns", _campaign_text(campaign))
    for warning in lineage["warnings"]:
        table.add_row("warning", Text(warning, "yellow"))
    return table


def _metric_texts(metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield each metric with its value, sorted by name and by the number of results."""

    def order(name: str) -> tuple[str, int]:
        beginning, _, number = name.rpartition("_")
        return (beginning, int(number)) if number.isdecimal() else (name, 0)

    for name in sorted(metrics, key=order):
        yield f"{metric_name(name)} {metrics[name]:.4f}"


def _training_text(lineage: Lineage) -> str:
    """Return when and how a version was trained."""
    began, ended = time_text(lineage["createdAt"]), time_text(lineage["endedAt"])
    ended = ended.removeprefix(began[: len("2026-11-29 ")])
    parts = [f"{began} to {ended} UTC", lineage["trainingMode"]]
    if lineage["trainingHours"] is not None:
        parts.append(f"{lineage['trainingHours']:.2f} training hours")
    if lineage["recipeArn"]:
        parts.append(short_name(lineage["recipeArn"]))
    return ", ".join(parts)


def _origin_text(lineage: Lineage) -> str:
    """Return which run has trained a version."""
    if lineage["runId"] is None:
        return "no run of a pipeline: Personalize itself or a person has trained it"
    return f"run {lineage['runId']}"


def _approval_rows(lineage: Lineage) -> Iterator[tuple[str, str | Text]]:
    """Yield a row about the approval or refusal of a version."""
    if approval := lineage["approval"]:
        at = f"at {time_text(approval['at'])} UTC"
        if approval["by"] is None:
            yield "approval", f"asked for {at}, without an answer"
        else:
            style = "yellow" if approval["answer"] == "REFUSED" else ""
            yield approval["answer"].lower(), Text(f"by {approval['by']} {at}", style)


def _add_dataset(table: Table, dataset: LearnedDataset) -> None:
    """Add the import jobs of a dataset that a version was trained on."""
    label = dataset["type"].lower()
    imports = dataset["imports"]
    if not imports:
        table.add_row(label, "no import before the training")
    for number, job in enumerate(imports[:SHOWN_IMPORTS]):
        table.add_row("" if number else label, _import_text(job))
    hidden = len(imports[SHOWN_IMPORTS:]) + dataset["olderImports"]
    if hidden:
        table.add_row("", f"and {hidden} earlier imports")


def _import_text(job: LearnedImport) -> str:
    """Return an import job: its mode, its size, its run and its location."""
    parts = [f"{job['importMode']}, ended {time_text(job['endedAt'])} UTC"]
    if job["bytes"] is not None:
        parts.append(size_text(job["bytes"]))
    parts.append(f"run {job['runId']}" if job["runId"] else "foreign")
    location = f"\n{job['dataLocation']}" if job["dataLocation"] else ""
    return f"{', '.join(parts)}{location}"


def _campaign_text(campaign: CampaignVerdict) -> Text:
    """Return what a campaign has to do with a version."""
    words = {
        "serves it": campaign["serves"],
        "has it on trial": campaign["onTrial"],
        "rolls back to it": campaign["good"] and not campaign["serves"],
        "had it before": campaign["previous"],
        "was moved back from it": campaign["bad"],
    }
    parts = [text for text, holds in words.items() if holds] or ["does not serve it"]
    return Text(f"{short_name(campaign['campaignArn'])} {', '.join(parts)}")
