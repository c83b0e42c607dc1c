"""The command `plan`: prints what a run would do now, and changes nothing.

The code of the pipeline decides, and gives the reasons. This module adds what a person wants to
know besides: the files, the expected hours and the cost.
"""

from __future__ import annotations

from collections import Counter
from statistics import mean, median
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from functions.common import clock
from functions.common.errors import RunRefused
from functions.common.formatting import (
    describe_export_content,
    format_count,
    format_duration,
    format_hours,
    format_list,
    format_metric_name,
    format_number,
    format_size,
    resource_name,
)
from functions.common.messages import (
    Message,
    add_subject,
    format_message,
    join_reasons,
    shorten_arns,
)
from functions.common.prices import (
    estimate_import_cost,
    estimate_training_cost,
)
from functions.personalize.trainings import describe_version
from functions.planning.plan_run import plan_run, read_view
from functions.rules.recipes import find_recipe
from functions.run.admission import pause_for_deletion
from functions.run.execution_data import identify_run
from functions.run.execution_input import find_input_problems
from retrain.account.errors import EXIT_FAILED
from retrain.account.function_clients import function_clients
from retrain.account.option_words import in_words_of_options, options_of
from retrain.account.output import print_json, print_message, print_result
from retrain.account.target import PipelineOptions
from retrain.check.examined_pipeline import find_pipeline
from retrain.look.lines import Line, print_lines
from retrain.look.lost_campaigns import describe_lost_campaigns
from retrain.look.runs import running_executions
from retrain.options import ExportDateOption, ForceOption, JsonOption, SkipImportOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from functions.common.messages import Reason
    from functions.contract import (
        CampaignSettings,
        Plan,
        PlannedImport,
        PlannedSolution,
        RunRequest,
        StartedExecution,
    )
    from functions.personalize.batch_jobs import ResolvedBatchJobSettings
    from functions.planning.datasets import DatasetView
    from functions.planning.plan_run import RunView
    from functions.planning.solutions import SolutionView
    from retrain.check.examined_pipeline import ExaminedPipeline

NO_MACHINE = "arn:aws:states:::stateMachine:none"
"""Stands for the state machine of a pipeline that is not deployed."""
BILLED_VERSIONS = 3
"""The number of earlier versions from which the training hours are estimated."""
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
"""Action -> its symbol, the colour of the symbol, and how the last line counts it."""
Document: TypeAlias = dict[str, Any]


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
    pipeline.access.require_account(pipeline.home.account, f"the pipeline of {pipeline.source}")
    values = {"skipImport": skip_import, "exportDate": export_date, "force": force}
    # `find_input_problems()` checks the values.
    request = cast(
        "RunRequest", {key: value for key, value in values.items() if value or value == ""}
    )
    print_message(f"reading what a run of {pipeline.source} would find")
    document = _document(pipeline, request)
    if as_json:
        print_json(document)
    else:
        home = pipeline.home
        header = f"{pipeline.source}, account {home.account}, {home.region}: a run now"
        print_result(header)
        print_lines(_lines(document, pipeline.options))
        print_result(_conclusion(document, pipeline.options))
        _print_next(pipeline, document, request)
    return EXIT_FAILED if document["outcome"] == "REFUSED" else 0


def _document(pipeline: ExaminedPipeline, request: RunRequest) -> Document:
    """Return what a run with this input would do now. A run that is refused has no steps."""
    machine_arn = pipeline.target.state_machine_arn if pipeline.target else NO_MACHINE
    started: StartedExecution = {
        "request": request,
        "executionArn": f"{machine_arn.replace(':stateMachine:', ':execution:')}:plan",
        "startedAt": clock.now().isoformat(),
    }
    document: Document = {
        "source": pipeline.source,
        "deployed": pipeline.target is not None,
        "notes": [*_notes(pipeline)],
        "outcome": "REFUSED",
        "reasons": [],
        "problems": [],
        "steps": [],
        "warnings": [],
        "expectedCost": None,
    }
    if problems := find_input_problems(pipeline.settings, started):
        messages = [Message(text=in_words_of_options(problem)) for problem in problems]
        return {**document, "problems": messages}
    try:
        with function_clients(pipeline.access) as client:
            view = read_view(client, pipeline.settings, identify_run(started))
            document["notes"] += [
                format_message(message, pipeline.options)
                for message in describe_lost_campaigns(view, pipeline.target)
            ]
            pause = pause_for_deletion(view.data_snapshot.deletions, view.run)
            if pause:
                document["notes"].append(f"{shorten_arns(pause.reason)}.")
            planned = plan_run(view)
            steps = [*_steps(client, view, planned)]
    except RunRefused as refusal:
        return {**document, "problems": refusal.problems}
    costs = [cost for step in steps if (cost := step.get("expectedCost")) is not None]
    is_skipped = planned["todo"] == "NOTHING"
    return {
        **document,
        "outcome": "WAIT" if pause else "SKIPPED" if is_skipped else "RUN",
        "reasons": planned["reasons"],
        "steps": steps,
        "warnings": planned["warnings"],
        "expectedCost": round(sum(costs), 2) if costs else None,
    }


def _notes(pipeline: ExaminedPipeline) -> Iterator[str]:
    """Yield what has to be known beside the plan."""
    target = pipeline.target
    if pipeline.error:
        yield f"No deployed pipeline was found: {pipeline.error}."
    elif pipeline.has_other_settings:
        yield (
            f"The deployed pipeline has other settings than {pipeline.source}. "
            f"`{pipeline.deploy_command}` deploys these."
        )
    if target and running_executions(target):
        yield "A run is under way. Another run would wait until it has ended."


def _steps(client: PersonalizeClient, view: RunView, planned: Plan) -> Iterator[Document]:
    """Yield what the run does with each dataset, and with each solution and its campaigns.

    The resource is an ARN, or the output of a batch job. Costs are in dollars. What is not known is
    null.
    """
    imports = {item["type"]: item for item in planned["imports"]}
    for dataset in view.datasets:
        yield _import_step(dataset, imports.get(dataset.dataset_settings["type"]))
    for solution in view.solutions:
        training = solution.plan_work()
        yield _training_step(client, solution, training)
        campaigns = training["campaigns"] if training else []
        updated = [campaign["campaignArn"] for campaign in campaigns]
        for campaign in solution.solution_settings["campaigns"]:
            is_planned = campaign["campaignArn"] in updated
            is_trained = training is not None and training["existingVersionArn"] is None
            yield _campaign_step(solution, campaign, is_planned=is_planned, is_trained=is_trained)
        for batch_job in solution.solution_snapshot.batch_jobs:
            yield _batch_step(solution, batch_job.settings, is_planned=training is not None)


def _import_step(view: DatasetView, planned: PlannedImport | None) -> Document:
    """Return what the run does with a dataset, and what its export contains."""
    action, reason = view.decision
    export = view.export
    newest_at = view.dataset_state.export.newest_at
    contents = [format_count(len(export.objects), "file"), format_size(export.total_bytes)]
    if export.row_count is not None:
        contents.append(f"{export.row_count:,} rows")
    if newest_at:
        age = (view.data_snapshot.now - newest_at).total_seconds()
        contents.append(f"written {format_duration(age)} ago")
    contents += describe_export_content(view.content)
    return {
        "action": action,
        "resource": view.dataset_settings["datasetArn"],
        "name": view.dataset_settings["type"],
        "reason": Message(text=reason),
        "facts": [f"{view.dataset_settings['dataLocation']}: {', '.join(contents)}"],
        "expectedSeconds": _median(planned),
        "expectedCost": round(estimate_import_cost(export.total_bytes), 2)
        if action == "import"
        else 0,
    }


def _training_step(
    client: PersonalizeClient, view: SolutionView, planned: PlannedSolution | None
) -> Document:
    """Return what the run does with a solution, and what the training probably costs.

    The hours are the mean of the last versions that were trained in the same mode.
    """
    action, reason = view.decision
    name = resource_name(view.arn)
    step = {
        "action": action,
        "resource": view.arn,
        "name": name,
        "reason": Message(text=reason),
    }
    if planned is None or action != "train":
        return step
    mode = planned["trainingMode"]
    trainings = view.solution_state.versions
    arns = [
        version.arn for version in trainings if version.is_active and version.training_mode == mode
    ]
    billed = [describe_version(client, arn) for arn in arns[:BILLED_VERSIONS]]
    known = [version["trainingHours"] for version in billed if "trainingHours" in version]
    hours = mean(known) if known else None
    cost = estimate_training_cost(view.recipe, hours, view.settings["trainingHourPrice"])
    facts = [f"{mode} training"]
    if hours is not None:
        facts.append(f"about {format_number(hours)} training hours")
    recipe = find_recipe(view.recipe)
    if recipe and recipe.is_priced_by_interactions:
        facts.append(f"the recipe {view.recipe} is priced by interactions, not by hours")
    return {
        **step,
        "facts": facts,
        "expectedSeconds": _median(planned),
        "expectedTrainingHours": hours and round(hours, 2),
        "expectedCost": None if cost is None else round(cost, 2),
    }


def _campaign_step(
    view: SolutionView, campaign: CampaignSettings, *, is_planned: bool, is_trained: bool
) -> Document:
    """Return what the run does with a campaign. If it keeps its version, the rules say why."""
    arn = campaign["campaignArn"]
    earlier_versions = view.earlier_versions
    state = earlier_versions.campaign_states[arn]
    candidate = earlier_versions.candidate
    first = earlier_versions.predicted_deployments.get(arn)
    waiting = earlier_versions.pending_versions.get(arn)
    served = f"it serves {resource_name(state.served_version_arn or 'nothing')}"
    action = "keep"
    reason = Message(text=served)
    if state.record.trial:
        version = resource_name(state.record.trial.version_arn)
        action = "wait"
        reason = Message(text=f"{version} is on trial, which the run ends first")
    elif state.pin:
        reason = Message(text=f"{served} and is pinned")
    elif is_planned and waiting and waiting != candidate:
        action = "update"
        text = f"{served}; it gets {resource_name(waiting.arn)}, which a person has approved"
        reason = Message(text=text)
    elif is_planned and (is_trained or waiting):
        action = "update"
        reason = Message(text=f"{served}; {_conditions(view, campaign)}")
    elif first and first.first_step.reasons:
        action = "report" if is_planned else "keep"
        outcome = (
            f"{served}, because {resource_name(first.version.arn)} is {first.first_step.outcome}"
        )
        reason = add_subject(outcome, join_reasons(first.first_step.reasons))
    name = f"campaign {resource_name(arn)}"
    return {"action": action, "resource": arn, "name": name, "reason": reason}


def _batch_step(view: SolutionView, job: ResolvedBatchJobSettings, *, is_planned: bool) -> Document:
    """Return what the run does with a batch job, after it has updated the campaigns."""
    step = view.earlier_versions.predicted_batch_steps.get(job["output"])
    if is_planned:
        reasons: Sequence[Reason] = ["if version, input or settings have changed by then"]
    elif step is None:
        reasons = ["no version is trained"]
    else:
        reasons = step.reasons or ["version, input and settings have not changed"]

    warnings = step.progress_changes.get("warnings", ()) if step else ()
    return {
        "action": "write" if is_planned else "keep",
        "resource": job["output"],
        "name": f"batch job to {job['output']}",
        "reason": join_reasons([*reasons, *warnings]),
    }


def _conditions(view: SolutionView, campaign: CampaignSettings) -> str:
    """Return what the new version of a campaign has to pass."""
    # A metric may have two rules.
    metrics = dict.fromkeys(
        format_metric_name(rule["metric"])
        + (f" relative to {resource_name(baseline)}" if (baseline := rule["relativeTo"]) else "")
        for rule in view.solution_settings["qualityGate"]
    )
    approval = view.solution_settings["approval"]
    conditions = [
        *([f"this passes the quality gate ({format_list([*metrics])})"] if metrics else []),
        *(
            [f"a person approves it within {format_hours(approval['timeoutHours'])}"]
            if approval
            else []
        ),
    ]
    first = f" if {format_list(conditions)}" if conditions else ", because it has no quality gate"
    probe = "; then a probe decides" if campaign["probe"] else ", without a probe"
    bake = campaign["bake"]
    alarms = f"; alarms decide for {bake['hours']:g} h" if bake else ""
    return f"it gets the new version{first}{probe}{alarms}"


def _median(planned: PlannedImport | PlannedSolution | None) -> int | None:
    """Return the median of the last durations of a job, or None if there are none."""
    return round(median(planned["durations"])) if planned and planned["durations"] else None


def _lines(document: Document, pipeline_options: Sequence[str]) -> Iterator[Line]:
    """Yield the lines of the screen: notes, problems, steps, warnings and the counts."""
    yield from (Line(0, "! note", note, label_style="yellow") for note in document["notes"])
    for problem in document["problems"]:
        text = format_message(problem, pipeline_options)
        yield Line(0, "✗ problem", text, label_style="red")
    for step in document["steps"]:
        symbol, colour, _ = ACTIONS[step["action"]]
        label = f"{symbol} {step['action']} {step['name']}"
        text = format_message(step["reason"], pipeline_options)
        yield Line(0, label, text, label_style=colour)
        seconds, cost = step.get("expectedSeconds"), step.get("expectedCost")
        details = [
            *step.get("facts", ()),
            *([f"takes about {format_duration(seconds)}"] if seconds else []),
            *([f"${cost:.2f}"] if cost else []),
        ]
        if details:
            yield Line(0, "", "; ".join(details))
    for warning in document["warnings"]:
        yield Line(0, "! warning", format_message(warning, pipeline_options), label_style="yellow")


def _conclusion(document: Document, pipeline_options: Sequence[str]) -> str:
    """Return the last line: what the run would come to, with the counts of what it changes."""
    if document["outcome"] == "REFUSED":
        return f"Plan: refused, {format_count(len(document['problems']), 'problem')}."
    if document["outcome"] == "WAIT":
        return "Plan: wait until the users are deleted, and then train every solution again."
    if document["outcome"] == "SKIPPED":
        # The steps give the other reasons.
        return f"Plan: skipped: {format_message(document['reasons'][0], pipeline_options)}."
    steps, cost = document["steps"], document["expectedCost"]
    counts = Counter(step["action"] for step in steps)
    parts = [f"{counts[key]} {words}" for key, (*_, words) in ACTIONS.items() if counts[key]]
    if hours := sum(step.get("expectedTrainingHours") or 0 for step in steps):
        parts.append(f"about {format_number(hours)} training hours")
    if cost:
        is_known = all(
            "expectedCost" not in step or step["expectedCost"] is not None for step in steps
        )
        parts.append(f"about ${cost:.2f}{'' if is_known else ' for what has a known price'}")
    return f"Plan: {', '.join(parts)}."


def _print_next(pipeline: ExaminedPipeline, document: Document, request: RunRequest) -> None:
    """Print the command to use next, unless only somebody's answer is missing."""
    if document["outcome"] == "REFUSED":
        print_message(f"next: correct what is wrong, then `{pipeline.command('plan')}` again")
    elif pipeline.target is None:
        print_message(f"next: `{pipeline.deploy_command}` deploys the pipeline")
    elif document["outcome"] == "RUN":
        print_message(f"next: `{pipeline.command('start', *options_of(request))}` starts a run")
