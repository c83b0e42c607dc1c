"""Shows the report of a run in the terminal, with short names instead of ARNs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from functions.report_words import change, share_of_change
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.campaign_reports import CampaignReport
    from functions.contract import MetricValues
    from functions.report import RunReport, SolutionReport

COLOURS = {
    "DEPLOYED": "green",
    "TRAINED": "green",
    "IMPORTED": "green",
    "SUCCEEDED": "green",
    "ACTIVE": "green",
    "AWAITING_APPROVAL": "cyan",
    "RUNNING": "cyan",
    "REJECTED": "yellow",
    "SKIPPED": "yellow",
    "ROLLED_BACK": "red",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "red",
}
"""The colour of an outcome or of the status of an execution."""
SHORT_METRICS = {
    "normalized_discounted_cumulative_gain": "NDCG",
    "mean_reciprocal_rank": "MRR",
    "mean_average_precision": "MAP",
    "precision": "precision",
}
"""The beginning of the name of a metric that ends with `_at_<number>` -> its usual short name."""


def outcome_text(outcome: str) -> Text:
    """Return an outcome in its colour."""
    return Text(outcome, COLOURS.get(outcome, ""))


def report_lines(report: RunReport) -> Iterator[Text]:
    """Yield the lines of a report below its outcome: each part, and then the warnings."""
    if report["reason"]:
        yield Text(f"  {report['reason']}")
    if not (report["trials"] or report["imports"] or report["solutions"]):
        yield from map(Text, _text_without_reason(report).splitlines())
        return
    for trial in report["trials"]:
        yield from _campaign_lines(trial, f"  trial of {short_name(trial['campaignArn'])}")
    for dataset in report["imports"]:
        yield _part_line(f"  import {dataset['type']}", dataset["outcome"], dataset["failure"])
    for solution in report["solutions"]:
        yield from solution_lines(solution)
    for warning in report["warnings"]:
        yield Text(f"  warning: {warning}", "yellow")


def waiting_versions(report: RunReport) -> Iterator[str]:
    """Yield the ARN of each version that waits for an approval."""
    for solution in report["solutions"]:
        outcomes = {campaign["outcome"] for campaign in solution["campaigns"]}
        if solution["solutionVersionArn"] and "AWAITING_APPROVAL" in outcomes:
            yield solution["solutionVersionArn"]


def _text_without_reason(report: RunReport) -> str:
    """Return the text of a report without the status and the reason at its beginning."""
    reason = f": {report['reason']}" if report["reason"] else ""
    first = f"Retraining run {report['runId']}: {report['status']}{reason}"
    return report["text"].removeprefix(first).lstrip("\n")


def solution_lines(solution: SolutionReport) -> Iterator[Text]:
    """Yield the lines about a solution and its campaigns."""
    version = solution["solutionVersionArn"]
    detail = solution["failure"]
    if version:
        detail = "; ".join(
            part for part in (f"version {version_id(version)}", solution["failure"]) if part
        )
    name = f"  solution {short_name(solution['solutionArn'])}"
    yield _part_line(name, solution["outcome"], detail)
    for campaign in solution["campaigns"]:
        yield from _campaign_lines(campaign, f"    campaign {short_name(campaign['campaignArn'])}")


def _campaign_lines(campaign: CampaignReport, name: str) -> Iterator[Text]:
    """Yield the line of a campaign, and a line for each metric that the gate compared."""
    served, previous = campaign["servedVersionArn"], campaign["previousVersionArn"]
    parts = []
    if served and previous and served != previous:
        parts.append(f"{version_id(previous)} → {version_id(served)}")
    elif served:
        parts.append(f"serves {version_id(served)}")
    if campaign["failure"]:
        parts.append(campaign["failure"])
    yield _part_line(name, campaign["outcome"], "; ".join(parts))
    for line in metric_lines(campaign["metrics"]):
        yield Text(f"      {line}", "dim")


def _part_line(name: str, outcome: str, detail: str | None) -> Text:
    """Return a line with the name of a part, its outcome and a detail."""
    text = Text.assemble(f"{name}: ", outcome_text(outcome))
    return Text.assemble(text, f", {detail}") if detail else text


def metric_lines(metrics: Mapping[str, MetricValues]) -> Iterator[str]:
    """Yield a line for each metric with its value before and after, and the change."""
    for name, values in metrics.items():
        yield f"{metric_name(name)} {metric_change(values)}"


def metric_change(values: MetricValues) -> str:
    """Return the value of the live and of the new version, like `0.2410 → 0.2492 (+3.4%)`."""
    live, new = values["live"], values["new"]
    text = f"{_number(live)} → {_number(new)}"
    share = share_of_change(new, live)
    return text if share is None else f"{text} ({change(share)})"


def metric_summary(values: MetricValues) -> str:
    """Return the value of the new version and the change, like `0.2492 (+3.4%)`."""
    return metric_change(values).rpartition("→ ")[2]


def _number(value: float | None) -> str:
    """Return the value of a metric, or `none` if Personalize has no value."""
    return "none" if value is None else f"{value:.4f}"


def metric_name(name: str) -> str:
    """Return the short name of a metric, like `NDCG@10`."""
    prefix, _, number = name.rpartition("_at_")
    return f"{SHORT_METRICS[prefix]}@{number}" if prefix in SHORT_METRICS else name


def version_id(version_arn: str) -> str:
    """Return the last part of the ARN of a version, which is its id."""
    return version_arn.rpartition("/")[2]
