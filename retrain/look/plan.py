"""The command `plan`: prints what a run would do now, without changing anything.

The decisions and their reasons come from the code that also plans real runs. `plan_steps.py` adds
what a person wants to know as well, such as the expected duration and cost. The result is a
*document*, which is printed as a screen or, with --json, as it is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from functions.common.errors import RunRefused
from functions.common.formatting import format_count, format_duration, format_number
from functions.common.messages import Message, format_message, shorten_arns
from functions.planning.plan_run import plan_run, read_view
from functions.run.admission import pause_for_deletion
from functions.run.execution_data import identify_run
from functions.run.execution_input import find_input_problems
from retrain.account.errors import EXIT_FAILED
from retrain.account.function_clients import redirect_function_clients
from retrain.account.option_words import (
    build_placeholder_execution,
    build_request,
    format_input_problem,
    to_options,
)
from retrain.account.output import print_json, print_message, print_result
from retrain.account.target import PipelineOptions
from retrain.check.examined_pipeline import find_pipeline
from retrain.look.lines import Line, print_lines
from retrain.look.lost_campaigns import advise_about_lost_campaigns
from retrain.look.plan_steps import list_steps
from retrain.look.runs import list_running_executions
from retrain.options import ExportDateOption, ForceOption, JsonOption, SkipImportOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import Plan, RunRequest
    from functions.planning.plan_run import RunView
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.look.plan_steps import Step

Document: TypeAlias = dict[str, Any]
ACTIONS = {
    "import": ("+", "green", "to import"),
    "train": ("+", "green", "to train"),
    "deploy": ("+", "green", "to deploy without a training"),
    "use": ("+", "green", "to use without a training"),
    "report": ("+", "green", "to report"),
    "update": ("~", "yellow", "to update"),
    "write": ("+", "green", "to write"),
    "wait": ("~", "yellow", "to wait for"),
    "hold back": ("!", "yellow", "held back"),
    "keep": ("=", "dim", "unchanged"),
}
"""Action of a step -> its symbol, its colour, and the words after its count in the summary."""


@command
def plan(
    options: PipelineOptions,
    *,
    skip_import: SkipImportOption = False,
    export_date: ExportDateOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Print what a run would do now: imports, trainings, updates, and every problem.

    For example: retrain plan --stack prod

    The code of the pipeline plans the run with your credentials. Nothing is changed. The settings
    are those of the stack's file, so the pipeline need not be deployed.

    Exit code 0: a run would do what is printed.
    Exit code 1: a run would be refused.
    Exit code 2: there is no plan, for example without credentials.
    """
    pipeline = find_pipeline(*options)
    pipeline.access.require_account(
        pipeline.environment.account, f"the pipeline of {pipeline.source}"
    )
    request = build_request(skipImport=skip_import, exportDate=export_date, force=force)

    print_message(f"reading what a run of {pipeline.source} would find")
    document = _build_document(pipeline, request)
    if as_json:
        print_json(document)
    else:
        _print_plan(pipeline, document, request)

    if document["outcome"] == "REFUSED":
        return EXIT_FAILED
    return 0


# The document


def _build_document(pipeline: ExaminedPipeline, request: RunRequest) -> Document:
    """Plan a run with this input, and build the document about it."""
    document: Document = {
        "source": pipeline.source,
        "deployed": pipeline.target is not None,
        "notes": [*_list_deployment_notes(pipeline)],
        # A refused run has problems instead of what follows.
        "outcome": "REFUSED",
        "reasons": [],
        "problems": [],
        "steps": [],
        "warnings": [],
        "expectedCost": None,
    }

    execution = build_placeholder_execution(request)
    for problem in find_input_problems(pipeline.settings, execution):
        document["problems"].append(Message(text=format_input_problem(problem)))

    if not document["problems"]:
        with redirect_function_clients(pipeline.access) as client:
            view = read_view(client, pipeline.settings, identify_run(execution))
            document |= _plan_steps(client, pipeline, view)
            document["notes"] += _explain_pause(view)
    return document


def _explain_pause(view: RunView) -> Iterator[str]:
    pause = pause_for_deletion(view.data_snapshot.deletions, view.run)
    if pause:
        yield f"{shorten_arns(pause.reason)}."


def _plan_steps(client: PersonalizeClient, pipeline: ExaminedPipeline, view: RunView) -> Document:
    """Return the document's fields about the steps, or the problems if the run would be refused."""
    try:
        planned = plan_run(view)
    except RunRefused as refusal:
        return {"problems": [*advise_about_lost_campaigns(refusal.problems, view, pipeline.target)]}

    steps = [*list_steps(client, view, planned)]
    known_costs = [cost for step in steps if (cost := step.get("expectedCost")) is not None]
    return {
        "outcome": _predict_outcome(view, planned),
        "reasons": planned["reasons"],
        "steps": steps,
        "warnings": planned["warnings"],
        "expectedCost": round(sum(known_costs), 2) if known_costs else None,
    }


def _predict_outcome(view: RunView, planned: Plan) -> str:
    if pause_for_deletion(view.data_snapshot.deletions, view.run):
        return "WAIT"
    if planned["todo"] == "NOTHING":
        return "SKIPPED"
    return "RUN"


def _list_deployment_notes(pipeline: ExaminedPipeline) -> Iterator[str]:
    """Yield how the deployed pipeline differs from the planned one, and if it's busy."""
    if pipeline.lookup_error:
        yield f"No deployed pipeline was found: {pipeline.lookup_error}."
    elif pipeline.has_other_settings:
        yield (
            f"The deployed pipeline has other settings than {pipeline.source}. "
            f"`{pipeline.deploy_command}` deploys these."
        )

    if pipeline.target and list_running_executions(pipeline.target):
        yield "A run is under way. Another run would wait until it has ended."


# The screen


def _print_plan(pipeline: ExaminedPipeline, document: Document, request: RunRequest) -> None:
    environment = pipeline.environment
    print_result(
        f"{pipeline.source}, account {environment.account}, {environment.region}: a run now"
    )
    print_lines(_list_lines(document, pipeline.options))
    print_result(_summarize(document, pipeline.options))
    _print_next_command(pipeline, document, request)


def _list_lines(document: Document, pipeline_options: Sequence[str]) -> Iterator[Line]:
    """Yield the notes, problems, steps and warnings of the document as lines."""
    for note in document["notes"]:
        yield Line(0, "! note", note, label_style="yellow")

    for problem in document["problems"]:
        text = format_message(problem, pipeline_options)
        yield Line(0, "✗ problem", text, label_style="red")

    for step in document["steps"]:
        yield from _step_lines(step, pipeline_options)

    for warning in document["warnings"]:
        text = format_message(warning, pipeline_options)
        yield Line(0, "! warning", text, label_style="yellow")


def _step_lines(step: Step, pipeline_options: Sequence[str]) -> Iterator[Line]:
    symbol, colour, _ = ACTIONS[step["action"]]
    label = f"{symbol} {step['action']} {step['name']}"
    yield Line(0, label, format_message(step["reason"], pipeline_options), label_style=colour)

    details = "; ".join(_list_details(step))
    if details:
        yield Line(0, "", details)


def _list_details(step: Step) -> Iterator[str]:
    """Yield the facts about a step, then its expected duration and cost."""
    yield from step.get("facts", ())
    if seconds := step.get("expectedSeconds"):
        yield f"takes about {format_duration(seconds)}"
    if cost := step.get("expectedCost"):
        yield f"${cost:.2f}"


def _summarize(document: Document, pipeline_options: Sequence[str]) -> str:
    """Build the last line, which sums up what the run would do."""
    match document["outcome"]:
        case "REFUSED":
            return f"Plan: refused, {format_count(len(document['problems']), 'problem')}."
        case "WAIT":
            return "Plan: wait until the users are deleted, and then train every solution again."

        case "SKIPPED":
            # The steps give the other reasons.
            return f"Plan: skipped: {format_message(document['reasons'][0], pipeline_options)}."
        case _:
            return f"Plan: {', '.join(_list_totals(document))}."


def _list_totals(document: Document) -> Iterator[str]:
    """Yield the number of steps by action, then their total training hours and cost."""
    steps = document["steps"]
    counts = Counter(step["action"] for step in steps)
    for action, (_, _, words) in ACTIONS.items():
        if counts[action]:
            yield f"{counts[action]} {words}"

    hours = sum(step.get("expectedTrainingHours") or 0 for step in steps)
    if hours:
        yield f"about {format_number(hours)} training hours"

    cost = document["expectedCost"]
    if cost:
        # Without the key, a step is free. With None, its cost is unknown.
        has_unknown_cost = any(step.get("expectedCost", 0) is None for step in steps)
        restriction = ", without the steps whose price is unknown" if has_unknown_cost else ""
        yield f"about ${cost:.2f}{restriction}"


def _print_next_command(
    pipeline: ExaminedPipeline, document: Document, request: RunRequest
) -> None:
    """Suggest the next command. If a run would only be skipped or wait, there's none."""
    if document["outcome"] == "REFUSED":
        print_message(f"next: correct what is wrong, then `{pipeline.command('plan')}` again")
    elif pipeline.target is None:
        print_message(f"next: `{pipeline.deploy_command}` deploys the pipeline")
    elif document["outcome"] == "RUN":
        print_message(f"next: `{pipeline.command('start', *to_options(request))}` starts a run")
