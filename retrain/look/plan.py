"""The command `plan`: says what a run would do now, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.console import Group

from functions import clock
from functions.errors import RunRefused
from functions.executions import is_any_running, last_executions
from retrain.account.errors import EXIT_FAILED
from retrain.account.function_clients import function_clients
from retrain.account.option_words import in_words_of_options, options_of
from retrain.account.output import print_json, print_message, print_result, result_console
from retrain.account.target import PipelineOptions
from retrain.check.examined_pipeline import find_pipeline
from retrain.look.plan_document import plan_document
from retrain.look.plan_facts import read_facts
from retrain.look.plan_screen import conclusion_of, line_of, rows_of, table_of
from retrain.options import ExportDateOption, ForceOption, JsonOption, SkipImportOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.contract import Request
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.look.plan_document import PlanDocument

NO_MACHINE = "arn:aws:states:::stateMachine:none"
"""Stands for the state machine of a pipeline that is not deployed."""


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
    # `input_problems()` checks the values.
    request = cast("Request", {key: value for key, value in values.items() if value})
    print_message(f"reading what a run of {pipeline.source} would find")
    document = _document(pipeline, request)
    notes = [*_notes(pipeline, document)]
    if as_json:
        print_json(
            {
                "source": pipeline.source,
                "deployed": pipeline.target is not None,
                "notes": notes,
                **document,
            }
        )
    else:
        _print_screen(pipeline, document, notes, request)
    return EXIT_FAILED if document["outcome"] == "REFUSED" else 0


def _document(pipeline: ExaminedPipeline, request: Request) -> PlanDocument:
    """Return what a run would do. A wrong input refuses the run before it is planned."""
    machine_arn = pipeline.target.state_machine_arn if pipeline.target else NO_MACHINE
    try:
        with function_clients(pipeline.access) as client:
            facts = read_facts(client, pipeline.settings, request, machine_arn, clock.now())
    except RunRefused as refusal:
        return {
            "outcome": "REFUSED",
            "reason": None,
            "problems": [*map(in_words_of_options, refusal.problems)],
            "trials": [],
            "imports": [],
            "trainings": [],
            "expectedCost": None,
            "warnings": [],
            "hasOwnJobs": False,
        }
    return plan_document(facts)


def _notes(pipeline: ExaminedPipeline, document: PlanDocument) -> Iterator[str]:
    """Yield what has to be known beside the plan."""
    if pipeline.why_not_deployed:
        yield f"No deployed pipeline was found: {pipeline.why_not_deployed}."
    elif pipeline.has_other_settings:
        yield (
            f"The deployed pipeline has other settings than {pipeline.source}. "
            f"`{pipeline.deploy_command}` deploys these."
        )
    if document["outcome"] != "REFUSED" and not document["hasOwnJobs"]:
        yield (
            "No run has created an import job or a version yet. So a run "
            "imports every export and trains every solution, even if somebody has done so by hand."
        )
    target = pipeline.target
    if target and is_any_running(
        last_executions(target.access.step_functions, target.state_machine_arn)
    ):
        yield "A run is under way. Another run would wait until it has ended."


def _print_screen(
    pipeline: ExaminedPipeline,
    document: PlanDocument,
    notes: list[str],
    request: Request,
) -> None:
    """Print the plan as a table on a terminal, and as lines elsewhere."""
    home = pipeline.home
    header = f"{pipeline.source}, account {home.account}, {home.region}: a run now"
    if result_console().is_terminal:
        print_result(Group(header, *notes, "", table_of(rows_of(document)), ""))
        print_result(conclusion_of(document))
    else:
        lines = [header, *notes, *map(line_of, rows_of(document)), conclusion_of(document)]
        print_result("\n".join(lines))
    if document["outcome"] == "REFUSED":
        print_message(f"next: correct what is wrong, then `{pipeline.command('plan')}` again")
    elif pipeline.target and document["reason"]:
        if "--force" in document["reason"]:
            command = pipeline.command("start", *options_of({**request, "force": True}))
            print_message(f"next: `{command}` trains anyway")
    elif pipeline.target:
        print_message(f"next: `{pipeline.command('start', *options_of(request))}` starts a run")
    else:
        print_message(f"next: `{pipeline.deploy_command}` deploys the pipeline")
