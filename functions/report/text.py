"""Writes the report of a run as a text, which people read on a phone or in the AWS console.

What needs a person comes first. Lines are short, and so are ARNs, except in commands. All functions
are pure.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from ..contract import Outcome
from ..executions import machine_arn_of
from ..metrics import short_name
from ..texts import json_bytes, shortened
from ..words import duration_text, metric_name, metric_text, size_text
from .model import (
    CampaignReport,
    ImportReport,
    Report,
    SolutionReport,
    campaigns_of,
)

MAX_TEXT_BYTES = 24_000
"""The most bytes of a text. It becomes the cause of a failed execution, which may have 32,768
characters."""
MAX_CHAT_BYTES = 7_500
"""The most bytes of a text for a chat application, which accepts 8,000 characters (`send.py`)."""
MAX_SUBJECT_CHARACTERS = 99
"""SNS refuses a subject of 100 characters, with a line break, or with characters beyond ASCII:
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
MAX_ADVISED = 5
"""The most versions or campaigns for which a text has commands. More would not fit into a chat
message."""
MAX_NAMES = 3
"""The most campaigns that a headline names."""
SEPARATORS_BYTES = 100
"""The bytes of the line breaks between the sections."""
HEADLINES: Mapping[Outcome, str] = {
    "DEPLOYED": "the new version for {} is in use",
    "TRAINED": "there is a new version without a campaign",
    "SKIPPED": "nothing was deployed",
    "AWAITING_APPROVAL": "the new version for {} needs your approval",
    "REJECTED": "the new version for {} was rejected",
    "ROLLED_BACK": "the new version for {} was taken back",
}
"""Outcome of a run -> the most important fact. `{}` stands for campaigns."""
ENDS = {
    "RunRefused": "the run was refused",
    "ABORTED": "the execution was stopped",
    "TIMED_OUT": "the execution took too long",
}
"""Error that ended a run -> what happened, in words."""
PERSONALIZE_ARN = re.compile(r"arn:[a-z-]+:personalize:[a-z0-9-]+:\d{12}:")
UNREADABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff\ufffe\uffff]"
)
"""Characters that SNS refuses (https://aws.amazon.com/sns/faqs/), and characters that change the
direction of a line, with which a name could make a person read something else."""


class Advice(NamedTuple):
    """What a person should do after an error or an outcome."""

    sentence: str
    commands: Sequence[str]
    """Commands of `retrain`. `{}` stands for a version or a campaign."""
    section: str
    """A section of docs/operations.md."""
    subject: Literal["versionArn", "campaignArn"] = "versionArn"
    """The key of a campaign's report whose value replaces `{}`."""


NEWEST_ONLY = (
    "With the recipes User-Personalization and Next-Best-Action, Personalize adds new items to the "
    "newest version only."
)
NOT_REPORTED = Advice(
    "The imports, trainings and updates of the run go on. The next run uses those that succeed, "
    "and finishes the trials. If you cannot wait for it, start a run:",
    ["start"],
    "No report",
)
RUN_ADVICE: Mapping[str, Advice] = {
    "RunRefused": Advice(
        "Nothing was imported or trained. Correct what the reason names. Then start a run, or "
        "write the ready markers again if they have started this run:",
        ["start"],
        "A run failed",
    ),
    "ABORTED": NOT_REPORTED,
    "TIMED_OUT": NOT_REPORTED,
    "FAILED": Advice(
        "Solve the problem, and start a run. It uses everything that has succeeded:",
        ["start"],
        "A run failed",
    ),
}
"""The error that ended a run -> what to do. `FAILED` is for any other failure."""
CAMPAIGN_ADVICE: Mapping[Outcome, Advice] = {
    "FAILED": Advice(
        "If a campaign that has failed gives bad recommendations, move it back:",
        ["rollback --campaign {}"],
        "Roll back a campaign",
        "campaignArn",
    ),
    "ROLLED_BACK": Advice(
        f"The campaign serves its good version again. {NEWEST_ONLY} So find out why the new "
        "version answered badly, and train again soon. This prints how it was made:",
        ["history --version {}"],
        "The probe",
    ),
    "REJECTED": Advice(
        f"The campaign keeps its version. {NEWEST_ONLY} So correct the data or the rules, and "
        "train again soon. This prints how the rejected version was made:",
        ["history --version {}"],
        "The quality gate",
    ),
    "AWAITING_APPROVAL": Advice(
        "Compare the metrics below, and answer with one of two commands:",
        ["approve {}", "approve --reject {}"],
        "Approve a version",
    ),
}
"""The outcome of a campaign -> what to do."""


def text_of(report: Report, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the report as text. If it is too long, the reasons and the end are cut."""
    dashboard = [f"Dashboard: {report['dashboardUrl']}"] if report["dashboardUrl"] else []
    head = _section(
        f"{report['outcome']}: {headline(report)}.",
        [
            f"Pipeline {report['pipeline']}",
            f"Run {report['runId']} ({report['trigger']}), {duration_text(report['seconds'])}",
            f"Execution: {report['executionUrl']}",
            *dashboard,
        ],
    )
    trials = (line for trial in report["trials"] for line in _campaign_lines(trial))
    why = _section("Why", _reason_lines(report))
    advice = _section("What to do", _advice_lines(report))
    room = max_bytes - json_bytes(f"{head}{advice}") - SEPARATORS_BYTES
    sections = [
        head,
        shortened(why, room),
        advice,
        _section("What the campaigns serve now", _serving_lines(report)),
        *("\n".join(_solution_lines(solution)) for solution in report["solutions"]),
        _section("Trials of earlier runs", trials),
        _section("Data and costs", _import_lines(report)),
        _section("Warnings", (f"- {with_short_arns(warning)}" for warning in report["warnings"])),
    ]
    text = "\n\n".join(section for section in sections if section).replace("\r\n", "\n")
    return shortened(UNREADABLE.sub("?", text), max_bytes) + "\n"


def subject_of(report: Report) -> str:
    """Return the subject of a message: the outcome, the pipeline and the most important fact."""
    text = f"{report['outcome']} {report['pipeline']}: {headline(report)}"
    visible = "".join(character if " " <= character <= "~" else "?" for character in text)
    if len(visible) <= MAX_SUBJECT_CHARACTERS:
        return visible
    return visible[: MAX_SUBJECT_CHARACTERS - 3].rstrip() + "..."


def headline(report: Report) -> str:
    """Return the most important fact about a run, in a few words."""
    if report["outcome"] == "FAILED":
        return _failure(report)
    names = [
        short_name(campaign["campaignArn"])
        for campaign in campaigns_of(report)
        if campaign["outcome"] == report["outcome"]
    ] or ["a campaign"]
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return HEADLINES[report["outcome"]].format(", ".join(names[:MAX_NAMES]) + more)


def with_short_arns(text: str) -> str:
    """Return a text in one line, in which the ARNs of Personalize are names."""
    return PERSONALIZE_ARN.sub("", " ".join(text.split()))


def _section(title: str, lines: Iterable[str]) -> str:
    """Return a section with a title, or an empty text if it has no lines."""
    items = list(lines)
    return "\n".join([title, *items]) if items else ""


def _results(
    report: Report,
) -> Iterator[tuple[str, ImportReport | SolutionReport | CampaignReport]]:
    """Yield the name and report of each import, training without campaigns, and campaign."""
    for dataset in report["imports"]:
        yield f"import of {dataset['type']}", dataset
    for solution in report["solutions"]:
        if not solution["campaigns"]:
            yield f"training of {short_name(solution['solutionArn'])}", solution
    for campaign in campaigns_of(report):
        yield f"campaign {short_name(campaign['campaignArn'])}", campaign


def _failure(report: Report) -> str:
    """Return the error that ended the run, or else the first item that failed, in a few words."""
    if report["error"] is not None:
        return ENDS.get(report["error"], f"the run ended with {report['error']}")
    failed = (name for name, result in _results(report) if result["outcome"] == "FAILED")
    return f"{next(failed, 'a trial')} failed"


def _reason_lines(report: Report) -> Iterator[str]:
    """Yield the reason for the outcome of the run, and of each item that has one."""
    if report["reason"] is not None:
        yield PERSONALIZE_ARN.sub("", report["reason"])
    for name, result in _results(report):
        if result["reason"]:
            yield f"- {name}: {with_short_arns(result['reason'])}"


def _advice_lines(report: Report) -> Iterator[str]:
    """Yield what a person should do after a failure, and after the outcome of each campaign."""
    if report["outcome"] == "FAILED":
        advice = RUN_ADVICE.get(report["error"] or "FAILED", RUN_ADVICE["FAILED"])
        yield from _advised(report, advice, [""])
    for outcome, advice in CAMPAIGN_ADVICE.items():
        arns = [
            campaign[advice.subject]
            for campaign in campaigns_of(report)
            if campaign["outcome"] == outcome
        ]
        if names := list(dict.fromkeys(arn for arn in arns if arn)):
            yield from _advised(report, advice, names)


def _advised(report: Report, advice: Advice, names: Sequence[str]) -> Iterator[str]:
    """Yield the lines of one piece of advice. Its commands can be pasted into a shell."""
    machine = ["--state-machine-arn", machine_arn_of(report["executionArn"])]
    yield advice.sentence
    for name in names[:MAX_ADVISED]:
        for command in advice.commands:
            words = [word.format(name) for word in command.split()]
            yield f"  {shlex.join(['retrain', *words, *machine])}"
    if len(names) > MAX_ADVISED:
        yield f"and the same for {len(names) - MAX_ADVISED} more, named below"
    yield f'Guide: docs/operations.md, section "{advice.section}"'


def _serving_lines(report: Report) -> Iterator[str]:
    for serving in report["serving"]:
        served = short_name(serving["servedVersionArn"] or "nothing")
        if not serving["isKnown"]:
            served = "not known, because it could not be read"
        elif serving["versionOnTrial"]:
            served += f"; {short_name(serving['versionOnTrial'])} is still on trial"
        yield f"- {short_name(serving['campaignArn'])}: {served}"


def _solution_lines(solution: SolutionReport) -> Iterator[str]:
    yield f"{short_name(solution['solutionArn'])}: {solution['outcome']}"
    if solution["solutionVersionArn"] is not None:
        facts = [f"version {short_name(solution['solutionVersionArn'])}"]
        if not solution["isTrained"]:
            facts.append("trained before")
        elif solution["seconds"] is not None:
            facts.append(
                f"{solution['trainingMode']} training of {duration_text(solution['seconds'])}"
            )
        if solution["trainingHours"] is not None:
            facts.append(f"{solution['trainingHours']:.3g} training hours")
        yield f"- {', '.join(facts)}"
    for campaign in solution["campaigns"]:
        yield from _campaign_lines(campaign)


def _campaign_lines(campaign: CampaignReport) -> Iterator[str]:
    """Yield what happened to a campaign, and the metrics. Another section has the reason."""
    facts: list[str] = [campaign["outcome"]]
    if campaign["outcome"] == "DEPLOYED":
        versions = (campaign["previousVersionArn"], campaign["versionArn"])
        facts.append(" -> ".join(short_name(arn) for arn in versions if arn))
    if campaign["seconds"] is not None:
        facts.append(f"update of {duration_text(campaign['seconds'])}")
    yield f"- {short_name(campaign['campaignArn'])}: {', '.join(facts)}"
    for name, metric in campaign["metrics"].items():
        yield f"  {metric_name(name)}: {metric_text(metric)}"


def _import_lines(report: Report) -> Iterator[str]:
    started_at = datetime.fromisoformat(report["startedAt"])
    for dataset in report["imports"]:
        facts = [dataset["outcome"], size_text(dataset["bytes"])]
        if dataset["dataWrittenAt"] is not None:
            age = (started_at - datetime.fromisoformat(dataset["dataWrittenAt"])).total_seconds()
            facts.append(f"written {duration_text(max(0, age))} before the run")
        if dataset["seconds"] is not None:
            facts.append(f"import job of {duration_text(dataset['seconds'])}")
        yield f"- {dataset['type']}: {', '.join(facts)}"
    if report["trainingHours"]:
        cost = report["trainingCost"]
        price = "" if cost is None else f", about ${cost:.2f} (not for recipes of version 2)"
        yield f"- training hours: {report['trainingHours']:.3g}{price}"
