"""Writes the report of a run as a message for people, who read it on a phone.

The message says the same as the event (`report_event.py`). What needs a person comes first. Lines
are short, and ARNs are shortened, except in commands. All functions are pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from .contract import Outcome
from .report_advice import advice_section, campaigns_of, reason_section
from .report_event import EventCampaign, EventDetail, EventImport, EventServing, EventSolution
from .report_words import (
    counted,
    duration,
    listed,
    metric_change,
    one_line,
    readable,
    short_name,
    size,
    with_short_arns,
)
from .texts import json_bytes, shortened, shortened_list

MAX_SUBJECT_CHARACTERS = 99
"""SNS refuses a subject of 100 characters, with a line break, or with characters beyond ASCII:
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
MAX_SECTIONS_BYTES = 40_000
"""The most bytes of the sections about the parts of the run. SNS allows 256 KB for a message, which
nobody reads on a phone."""
MAX_CHAT_BYTES = 7_500
"""The most bytes of a text in a chat application. The page of `by_protocol` allows 8,000
characters. The advice needs at most 6,000 of them (`report_advice.MAX_ADVISED`)."""
PROBLEMS: frozenset[Outcome] = frozenset({"FAILED", "ROLLED_BACK", "REJECTED", "AWAITING_APPROVAL"})
"""The outcomes of runs that need a person."""
ENDS = {
    "RunRefused": "the run was refused",
    "ABORTED": "the execution was stopped",
    "TIMED_OUT": "the execution took too long",
    "ExecutionDoesNotExist": "the state machine was deleted",
}
"""Errors that end a whole run -> what happened, in words."""
SEPARATORS_BYTES = 20
"""The bytes of the line breaks around the reason and the details."""
REST = "… and {} more parts; the execution has the whole report"


class Message(NamedTuple):
    """A message for SNS."""

    subject: str
    body: str
    chat: str
    """A shorter body for chat applications."""
    attributes: Mapping[str, str]
    """What the filter policy of a subscription can look at."""

    def by_protocol(self) -> str:
        """Return the body for each protocol of a subscription, as JSON.

        Chat applications subscribe with HTTPS, and show only JSON in this form:
        https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
        """
        chat = {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": self.subject,
                "description": self.chat,
            },
        }
        return json.dumps({"default": self.body, "https": json.dumps(chat)})


def needs_person(detail: EventDetail) -> bool:
    """Return True if a person should look at the run.

    A version whose trial has not ended counts as well, because nobody knows if it answers well.
    """
    return detail["outcome"] in PROBLEMS or any(
        serving["versionOnTrial"] for serving in detail["serving"]
    )


def message_of(detail: EventDetail) -> Message:
    """Return the message about a run."""
    head, why, advice = (
        "\n".join(_head_lines(detail)),
        reason_section(detail),
        advice_section(detail),
    )
    details = [
        _section("What the campaigns serve now", _serving_lines(detail)),
        *("\n".join(_solution_lines(solution)) for solution in detail["solutions"]),
        _section("Trials of earlier runs", map(_campaign_line, detail["trials"])),
        _section("Data", _import_lines(detail)),
        _section("Warnings", map(_warning_line, detail["warnings"])),
    ]
    details = [section for section in details if section]
    foot = "\n".join(_foot_lines(detail))
    cut_details = shortened_list(details, MAX_SECTIONS_BYTES, end=REST)
    body = _joined([head, why, advice, *cut_details, foot])
    chat = _joined([head, why, advice, *details, foot])
    if json_bytes(chat) > MAX_CHAT_BYTES:
        chat = _joined(_fitting_sections(head, why, advice, details, foot))
    attributes = {key: detail[key] for key in ("pipeline", "outcome", "trigger")}
    return Message(subject_of(detail), body, chat, attributes)


def _fitting_sections(
    head: str, why: str, advice: str, details: Sequence[str], foot: str
) -> list[str]:
    """Return the sections for a chat application. The details are cut first, then the reason."""
    room = MAX_CHAT_BYTES - json_bytes(_joined([head, advice, REST, foot])) - SEPARATORS_BYTES
    short_why = shortened(why, room)
    cut_details = shortened_list(details, room - json_bytes(short_why), end=REST)
    return [head, short_why, advice, *cut_details, foot]


def _joined(sections: Sequence[str]) -> str:
    """Return the sections with an empty line between them, without characters that SNS refuses."""
    return readable("\n\n".join(section for section in sections if section) + "\n")


def subject_of(detail: EventDetail) -> str:
    """Return the subject: the outcome, the pipeline and the most important fact."""
    text = f"{detail['outcome']} {detail['pipeline']}: {headline(detail)}"
    visible = "".join(character if " " <= character <= "~" else "?" for character in text)
    if len(visible) <= MAX_SUBJECT_CHARACTERS:
        return visible
    return visible[: MAX_SUBJECT_CHARACTERS - 3].rstrip() + "..."


def headline(detail: EventDetail) -> str:
    """Return the most important fact about a run, in a few words."""
    names = [
        short_name(campaign["campaignArn"])
        for campaign in campaigns_of(detail)
        if campaign["outcome"] == detail["outcome"]
    ]
    who = listed(names) if names else "a campaign"
    facts: Mapping[Outcome, str] = {
        "DEPLOYED": f"{counted(len(names), 'campaign')} {'serves' if len(names) == 1 else 'serve'} "
        "a new version",
        "TRAINED": f"{counted(len(detail['solutions']), 'new version')} without a campaign",
        "AWAITING_APPROVAL": f"a new version for {who} needs your approval",
        "REJECTED": f"{who} {'keeps its version' if len(names) <= 1 else 'keep their versions'}",
        "ROLLED_BACK": f"{who} moved back to the good version",
        "SKIPPED": "there was nothing to deploy",
        "FAILED": _failed_parts(detail, names),
    }
    return facts[detail["outcome"]]


def _failed_parts(detail: EventDetail, campaigns: Sequence[str]) -> str:
    """Return what failed: imports, trainings and campaigns, or the whole run."""
    imports = [item["type"] for item in detail["imports"] if item["outcome"] == "FAILED"]
    trainings = [
        short_name(solution["solutionArn"])
        for solution in detail["solutions"]
        if solution["failure"]
    ]
    if imports:
        return f"the import of {listed(imports)} failed"
    if trainings:
        return f"the training of {listed(trainings)} failed"
    if campaigns:
        return f"the update of {listed(campaigns)} failed"
    error = (detail["reason"] or "").partition(":")[0]
    step = f" at {detail['failingStep']}" if detail["failingStep"] else ""
    return ENDS.get(error, f"the run failed{step}")


def _section(title: str, lines: Iterator[str] | Sequence[str]) -> str:
    """Return a section with a title and a line with a dash for each text, or an empty text."""
    items = [f"- {line}" for line in lines]
    return "\n".join([title, *items]) if items else ""


def _head_lines(detail: EventDetail) -> Iterator[str]:
    yield f"{detail['outcome']}: {headline(detail)}."
    yield f"Pipeline {detail['pipeline']}"
    yield f"Run {detail['runId']} ({detail['trigger']}), {duration(detail['seconds'])}"


def _serving_lines(detail: EventDetail) -> Iterator[str]:
    deployed = {
        campaign["campaignArn"]
        for campaign in campaigns_of(detail)
        if campaign["outcome"] == "DEPLOYED"
    }
    for serving in detail["serving"]:
        is_new = serving["campaignArn"] in deployed
        yield f"{short_name(serving['campaignArn'])}: {_served(serving, is_new=is_new)}"


def _served(serving: EventServing, *, is_new: bool) -> str:
    if not serving["isKnown"]:
        return "not known, because it could not be read"
    version = serving["servedVersionArn"]
    served = "nothing" if version is None else short_name(version)
    trial = serving["versionOnTrial"]
    if trial is not None:
        return f"{served}; {short_name(trial)} is still on trial"
    return f"{served} (new)" if is_new else served


def _solution_lines(solution: EventSolution) -> Iterator[str]:
    yield f"{short_name(solution['solutionArn'])}: {solution['outcome']}"
    version = solution["solutionVersionArn"]
    if version is not None:
        yield f"Version {short_name(version)}, {_training(solution)}"
    metrics: Mapping[str, object] = {}
    for campaign in solution["campaigns"]:
        yield f"- {_campaign_line(campaign)}"
        # The campaigns of a solution mostly serve the same version, so the metrics are the same.
        if campaign["metrics"] != metrics:
            metrics = campaign["metrics"]
            yield from _metric_lines(campaign)


def _training(solution: EventSolution) -> str:
    if not solution["isTrained"]:
        return "which existed before"
    mode = solution["trainingMode"]
    seconds, hours = solution["seconds"], solution["trainingHours"]
    if solution["failure"]:
        after = f" after {duration(seconds)}" if seconds is not None else ""
        return f"training ({mode}) without success{after}"
    trained = f" in {duration(seconds)}" if seconds is not None else ""
    charged = f", {hours:.3g} training hours" if hours is not None else ""
    return f"trained ({mode}){trained}{charged}"


def _campaign_line(campaign: EventCampaign) -> str:
    """Return what happened to a campaign. Another section has the reasons of problems."""
    line = f"{short_name(campaign['campaignArn'])}: {campaign['outcome']}"
    before, now = campaign["previousVersionArn"], campaign["servedVersionArn"]
    if before and now and before != now:
        line += f", {short_name(before)} -> {short_name(now)}"
    elif now:
        line += f", serves {short_name(now)}"
    if campaign["outcome"] == "DEPLOYED" and campaign["seconds"] is not None:
        line += f", updated in {duration(campaign['seconds'])}"
    return line


def _metric_lines(campaign: EventCampaign) -> Iterator[str]:
    """Yield two lines for each metric: the values first, because the names are long."""
    for name, metric in campaign["metrics"].items():
        yield f"  {metric_change(metric['new'], metric['live'])}"
        yield f"  {name}"


def _warning_line(warning: str) -> str:
    return one_line(with_short_arns(warning))


def _import_lines(detail: EventDetail) -> Iterator[str]:
    for dataset in detail["imports"]:
        yield f"{dataset['type']}: {', '.join(_import_facts(dataset, detail['startedAt']))}"
    if detail["solutions"] and not detail["imports"]:
        yield "nothing was imported"


def _import_facts(dataset: EventImport, started_at: str) -> Iterator[str]:
    if dataset["outcome"] == "FAILED":
        yield "FAILED"
    yield size(dataset["bytes"])
    if dataset["dataWrittenAt"] is not None:
        age = datetime.fromisoformat(started_at) - datetime.fromisoformat(dataset["dataWrittenAt"])
        yield f"written {duration(max(0, age.total_seconds()))} before the run"
    if dataset["outcome"] == "IMPORTED" and dataset["seconds"] is not None:
        yield f"imported in {duration(dataset['seconds'])}"


def _foot_lines(detail: EventDetail) -> Iterator[str]:
    if detail["trainingHours"]:
        cost = detail["trainingCost"]
        price = f", about ${cost:.2f}" if cost is not None else ""
        yield f"Training hours: {detail['trainingHours']:.3g}{price}"
        if price:
            yield "(Recipes of version 2 are priced by interactions instead.)"
    yield f"Execution: {detail['links']['execution']}"
    if detail["links"]["dashboard"] is not None:
        yield f"Dashboard: {detail['links']['dashboard']}"
