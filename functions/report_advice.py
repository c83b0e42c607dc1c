"""Says why a run needs a person, and what to do, with commands to paste. All functions are pure."""

import shlex
from collections.abc import Iterator, Sequence

from .contract import Outcome
from .report_event import EventCampaign, EventDetail
from .report_words import counted, one_line, short_name, with_short_arns
from .texts import shortened, shortened_list

MAX_REASON_BYTES = 4_000
"""The most bytes of the reason. A run that is refused may have many problems."""
MAX_FAILURES_BYTES = 8_000
"""The most bytes of all failures of imports, trainings and campaigns."""
MAX_ADVISED = 5
"""The most versions or campaigns for which a message has commands. More would not fit into a chat
application."""
GUIDE = 'Guide: docs/operations.md, section "{}"'
REFUSED = "RunRefused"
DELETED = "ExecutionDoesNotExist"


def reason_section(detail: EventDetail) -> str:
    """Return why the run, or a part of it, did not do what it should, and at which step it failed.

    A run that did everything has no such section.
    """
    lines = [] if detail["reason"] is None else [_shown(detail["reason"])]
    failures = [f"- {part}: {one_line(_shown(failure))}" for part, failure in _failures(detail)]
    lines += shortened_list(failures, MAX_FAILURES_BYTES, end="- … and {} more")
    if detail["failingStep"] is not None:
        lines.append(f"Step: {detail['failingStep']}")
    return "\n".join(["Why", *lines]) if lines else ""


def advice_section(detail: EventDetail) -> str:
    """Return what a person should do, or an empty text if there is nothing to do."""
    writers = {
        "FAILED": _after_failure,
        "ROLLED_BACK": _after_rollback,
        "REJECTED": _after_rejection,
        "AWAITING_APPROVAL": _about_approval,
    }
    writer = writers.get(detail["outcome"])
    lines = [*writer(detail)] if writer else []
    if detail["outcome"] != "AWAITING_APPROVAL" and _waiting_versions(detail):
        lines += _about_approval(detail)
    return "\n".join(["What to do", *lines]) if lines else ""


def campaigns_of(detail: EventDetail) -> list[EventCampaign]:
    """Return the campaigns of all solutions and of the trials of earlier runs."""
    of_solutions = [
        campaign for solution in detail["solutions"] for campaign in solution["campaigns"]
    ]
    return [*of_solutions, *detail["trials"]]


def _shown(text: str) -> str:
    return with_short_arns(shortened(text, MAX_REASON_BYTES))


def _failures(detail: EventDetail) -> Iterator[tuple[str, str]]:
    """Yield each part of the run that has a failure, with the failure."""
    for dataset in detail["imports"]:
        if dataset["failure"]:
            yield f"import of {dataset['type']}", dataset["failure"]
    for solution in detail["solutions"]:
        if solution["failure"]:
            yield f"training of {short_name(solution['solutionArn'])}", solution["failure"]
    for campaign in campaigns_of(detail):
        if campaign["failure"]:
            yield f"campaign {short_name(campaign['campaignArn'])}", campaign["failure"]


def _after_failure(detail: EventDetail) -> Iterator[str]:
    reason = detail["reason"] or ""
    if reason.startswith(DELETED):
        yield "Deploy the stack again with pulumi up, and start a run:"
        yield _command(detail, "start")
        yield GUIDE.format("No report")
        return
    if reason.startswith(REFUSED) and detail["trigger"] == "export":
        yield (
            "Nothing was imported or trained. Correct what the reason names, and write the ready "
            "marker again, which starts a run."
        )
    elif reason.startswith(REFUSED):
        yield "Nothing was imported or trained. Correct what the reason names, and start a run:"
        yield _command(detail, "start")
    elif detail["trigger"] == "trials":
        yield "Solve the problem. To see what the campaigns serve, and what the last runs did:"
        yield _command(detail, "history")
    else:
        yield "Solve the problem, and start a run. It uses everything that has succeeded:"
        yield _command(detail, "start")
    uncertain = [
        campaign["campaignArn"]
        for campaign in campaigns_of(detail)
        if campaign["outcome"] == "FAILED" and campaign["previousVersionArn"]
    ]
    for arn in uncertain[:MAX_ADVISED]:
        yield f"If the recommendations of {short_name(arn)} are bad, move it back:"
        yield _command(detail, "rollback", "--campaign", short_name(arn))
    # The step of an execution that ended without a report is not known.
    yield GUIDE.format("A run failed" if detail["failingStep"] else "No report")


def _after_rollback(detail: EventDetail) -> Iterator[str]:
    yield (
        "There is no hurry: the campaign serves its good version again. Find out why the new "
        "version answered badly. This prints how it was made:"
    )
    yield from _history_commands(detail, "ROLLED_BACK")
    yield GUIDE.format("The probe")


def _after_rejection(detail: EventDetail) -> Iterator[str]:
    yield (
        "There is no hurry: the campaign keeps its version. Check whether the new data is "
        "correct. This prints how the version was made:"
    )
    yield from _history_commands(detail, "REJECTED")
    yield GUIDE.format("The quality gate")


def _history_commands(detail: EventDetail, outcome: Outcome) -> Iterator[str]:
    """Yield a command for the version of each solution with this outcome."""
    versions = [
        solution["solutionVersionArn"]
        for solution in detail["solutions"]
        if solution["outcome"] == outcome and solution["solutionVersionArn"]
    ]
    if not versions:
        yield _command(detail, "history")
    for version in versions[:MAX_ADVISED]:
        yield _command(detail, "history", "--version", version)
    yield from _more(versions)


def _about_approval(detail: EventDetail) -> Iterator[str]:
    yield "Compare the metrics below, and answer with one of two commands:"
    versions = _waiting_versions(detail)
    for version in versions[:MAX_ADVISED]:
        yield _command(detail, "approve", version)
        yield _command(detail, "reject", version)
    yield from _more(versions)
    yield GUIDE.format("Approve a version")


def _more(versions: Sequence[str]) -> Iterator[str]:
    """Yield a line about the versions that have no command, if there are any."""
    count = len(versions) - MAX_ADVISED
    if count > 0:
        yield f"and the same for {counted(count, 'version')} more, named below"


def _waiting_versions(detail: EventDetail) -> list[str]:
    """Return the versions that wait for an approval.

    Another campaign of the solution, or another solution, may have a worse outcome.
    """
    return [
        solution["solutionVersionArn"]
        for solution in detail["solutions"]
        if solution["solutionVersionArn"]
        and any(row["outcome"] == "AWAITING_APPROVAL" for row in solution["campaigns"])
    ]


def _command(detail: EventDetail, *words: str) -> str:
    """Return a command of this program for the pipeline, to be pasted into a shell."""
    machine = ["--state-machine-arn", detail["stateMachineArn"]]
    return "  " + shlex.join(["retrain", *words, *machine])
