"""Shows the document of `retrain plan` in sentences. All functions are pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table
from rich.text import Text

from functions.words import count_text, duration_text, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.look.plan_document import (
        CampaignStep,
        ImportStep,
        PlanDocument,
        TrainingStep,
    )

COLOURS = {"+": "green", "~": "yellow", "=": "dim", "!": "yellow", "✗": "red"}
"""The symbols: something new, something changed, nothing, a warning, and a problem."""
SECONDS_PER_HOUR, HOURS_PER_DAY = 3600, 24


class Row(NamedTuple):
    """A line of the screen: what happens to what, and the sentences about it."""

    symbol: str
    action: str
    subject: str
    text: str


def rows_of(document: PlanDocument) -> Iterator[Row]:
    """Yield a row for each problem, dataset, solution, campaign and warning."""
    for problem in document["problems"]:
        yield Row("✗", "problem", "", problem)
    for campaign_arn in document["trials"]:
        text = "Its version is still on trial. The run probes it before everything else."
        yield Row("~", "finish", _name(campaign_arn), text)
    for dataset in document["imports"]:
        yield _import_row(dataset)
    for training in document["trainings"]:
        yield _training_row(training)
        for campaign in training["campaigns"]:
            yield _campaign_row(campaign)
    for warning in document["warnings"]:
        yield Row("!", "warning", "", warning)


def table_of(rows: Iterator[Row]) -> Table:
    """Return the rows as a table, for a terminal."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        symbol = Text(row.symbol, COLOURS[row.symbol])
        if row.subject:
            table.add_row(symbol, row.action, _shortened(row.subject), row.text)
        else:
            table.add_row(symbol, row.action, "", row.text)
    return table


def line_of(row: Row) -> str:
    """Return a row as one line, for a file or a pipe."""
    subject = f" {row.subject}" if row.subject else ""
    return f"{row.symbol} {row.action}{subject}: {row.text}"


def conclusion_of(document: PlanDocument) -> str:
    """Return the last line: what the run would come to, with the counts of what it changes."""
    if document["outcome"] == "REFUSED":
        return f"Plan: refused, {count_text(len(document['problems']), 'problem')}."
    if document["outcome"] == "SKIPPED":
        return f"Plan: skipped: {document['reason']}."
    steps = document["trainings"]
    campaigns = [campaign for step in steps for campaign in step["campaigns"]]
    actions = [
        *(step["action"] for step in document["imports"]),
        *(step["action"] for step in steps),
        *(campaign["action"] for campaign in campaigns),
    ]
    counts = {
        "to import": actions.count("import"),
        "to train": actions.count("train"),
        "to deploy without a training": actions.count("use"),
        "to update": actions.count("update"),
        "held back": actions.count("hold back"),
        "left out": actions.count("leave out"),
        "unchanged": actions.count("keep"),
    }
    text = ", ".join(f"{number} {words}" for words, number in counts.items() if number)
    cost = document["expectedCost"]
    return f"Plan: {text}{'' if cost is None else f', about ${cost:.2f}'}."


def _import_row(step: ImportStep) -> Row:
    """Return the row of a dataset."""
    if step["action"] == "leave out":
        return Row("=", "leave out", step["type"], f"{_sentence(step['reason'])}")
    contents = [count_text(step["files"] or 0, "file")]
    if step["rows"] is not None:
        contents.append(f"{step['rows']:,} rows")
    contents.append(size_text(step["bytes"] or 0))
    if step["ageHours"] is not None:
        contents.append(f"written {age_text(step['ageHours'])} ago")
    location = f"{step['dataLocation']}: {', '.join(contents)}."
    if step["action"] == "keep":
        return Row("=", "keep", step["type"], f"{location} {_sentence(step['reason'])}")
    duration = _duration_sentence(step["expectedSeconds"], "import")
    return Row("+", "import", step["type"], f"{location} {_sentence(step['reason'])} {duration}")


def _training_row(step: TrainingStep) -> Row:
    """Return the row of a solution."""
    name, reason = _name(step["solutionArn"]), _sentence(step["reason"])
    version = _name(step["solutionVersionArn"] or "")
    if step["action"] == "train":
        because = f"With {step['trainingMode']}, because {step['reason']}."
        duration = _duration_sentence(step["expectedSeconds"], f"{step['trainingMode']} training")
        return Row("+", "train", name, " ".join([because, duration, *_cost_sentences(step)]))
    if step["action"] == "use":
        return Row("+", "use", name, f"Version {version}: {step['reason']}.")
    if step["action"] == "keep" and version:
        return Row("=", "keep", name, f"{reason[:-1]}: {version}.")
    symbol = "!" if step["action"] == "hold back" else "="
    return Row(symbol, step["action"], name, reason)


def _cost_sentences(step: TrainingStep) -> Iterator[str]:
    """Yield what a training is expected to cost."""
    hours, cost = step["expectedTrainingHours"], step["expectedCost"]
    if step["pricedByInteractions"]:
        yield "The recipe is priced by interactions, not by training hours."
    elif cost is not None:
        yield f"About {hours:g} training hours, ${cost:.2f}."
    elif hours is not None:
        yield f"About {hours:g} training hours."


def _campaign_row(step: CampaignStep) -> Row:
    """Return the row of a campaign."""
    served = _name(step["servedVersionArn"] or "")
    serves = f"It serves {served} now." if served else ""
    if step["rolledBackVersionArn"]:
        bad = _name(step["rolledBackVersionArn"])
        serves = f"{serves} The newest version, {bad}, was rolled back. No run deploys it again."
    name = _name(step["campaignArn"])
    if step["action"] == "keep":
        return Row("=", "keep", name, serves)
    conditions = []
    if step["isGated"]:
        conditions.append("this passes the quality gate")
    if step["approvalHours"] is not None:
        conditions.append(f"a person approves it within {step['approvalHours']:g} hours")
    condition = f" if {' and '.join(conditions)}" if conditions else ", because it has no gate"
    moves = f"It moves to the new version{condition}."
    probe = (
        "Then a probe decides whether it stays." if step["isProbed"] else "No probe is configured."
    )
    return Row("~", "update", name, " ".join(filter(None, [moves, probe, serves])))


def _duration_sentence(seconds: int | None, job: str) -> str:
    """Return how long a job is expected to take."""
    if seconds is None:
        return f"No earlier {job} shows how long it takes."
    return f"Expected to take {duration_text(seconds)}."


def age_text(hours: float) -> str:
    """Return an age in its natural unit, for example `3 days`."""
    if hours >= 2 * HOURS_PER_DAY:
        return f"{hours / HOURS_PER_DAY:.0f} days"
    return duration_text(hours * SECONDS_PER_HOUR)


def _sentence(text: str) -> str:
    """Return a text with a capital letter and a period."""
    return f"{text[:1].upper()}{text[1:]}."


def _name(arn: str) -> str:
    """Return the last part of an ARN: the name of a resource, or the id of a version."""
    return arn.rpartition("/")[2]


def _shortened(name: str, length: int = 20) -> str:
    """Return a name that leaves enough room for the sentences on a terminal of 80 columns."""
    return name if len(name) <= length else f"{name[: length - 1]}…"
