"""Checks a run before anything is imported or trained. Each guard yields messages.

The guards for exports are in `export_files.py`, `export_rows.py` and `export_guards.py`. A new
guard needs a function that yields messages, a row in the table `GUARDS`, a test, and the page that
`python -m docs.guards` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..executions import is_resumed, scheduled_at
from ..personalize.import_lists import newest_import
from ..personalize.jobs import import_mode_of
from ..personalize.ownership import belongs_to_run
from ..personalize.statuses import ACTIVE, is_active, is_deleted
from ..personalize.tags import RUN
from . import campaign_guards, export_files, export_guards, export_rows
from .news import up_to_date_version
from .planned_imports import imports_to_do
from .planned_jobs import newest_full_version, planned_solution
from .situation import Situation
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract import TrainingMode

Verdict = Literal["REFUSE", "SKIP", "HOLD", "WARN"]
Scope = Literal["run", "dataset", "export", "solution", "training"]
Check = Callable[[Situation], Iterator[str]]


class Guard(NamedTuple):
    """One row of the table of guards."""

    name: str
    verdict: Verdict
    """REFUSE fails the run. SKIP ends it without an error. HOLD leaves the training of a solution
    out. WARN adds a warning to the report."""
    scope: Scope
    """`run` is checked once, `dataset` for each dataset of the run, `export` for each export that
    the run has to import and has not begun to import, `solution` for each solution of the run, and
    `training` for each solution that needs a new version."""
    check: Check
    """A function that yields messages. A message says what is wrong and what to do. The first
    sentence of its docstring is shown in the docs."""
    advice: str
    """The sentence of the docs that tells a person what to do."""
    warns: bool = False
    """True if the report of a run that this guard skips also contains the warnings."""


DEPLOYMENT_EVENT_WINDOW = timedelta(minutes=10)
"""A deployment caused an event if the event's time is at most this long after the change of the
schedule."""
SCHEDULE_ROUNDING = timedelta(minutes=2)
"""A schedule counts in minutes, so the time of an event that a deployment caused may be before the
change by this much. An event with an even earlier time was due before the change and came late."""
UPDATE_RECIPES = ("aws-user-personalization", "aws-hrnn-coldstart")
"""The recipes that support a training with UPDATE:
https://docs.aws.amazon.com/personalize/latest/dg/API_CreateSolutionVersion.html#trainingMode."""


def event_of_deployment(situation: Situation) -> Iterator[str]:
    """Yield a message for an event that the deployment of the schedule caused.

    A rate schedule starts an execution when it is created, and perhaps when it is changed. A person
    who deploys does not expect a training, which costs money.
    """
    scheduled = scheduled_at(situation.run["request"])
    changed = situation.world.schedule_changed_at
    if scheduled is None or changed is None:
        return
    if -SCHEDULE_ROUNDING <= scheduled - changed <= DEPLOYMENT_EVENT_WINDOW:
        yield (
            f"the schedule was created or changed at {changed.isoformat(timespec='seconds')}, and "
            "a deployment starts no training; to retrain now, start an execution with input {}"
        )


def older_run(situation: Situation) -> Iterator[str]:
    """Yield a message for an older run of this pipeline that is still running."""
    if situation.world.older_run:
        yield (
            f"{situation.world.older_run}, an older run, is still running; wait until it has "
            "ended, or stop it"
        )


def inactive_datasets(situation: Situation) -> Iterator[str]:
    """Yield a message for a dataset or dataset group that does not exist or is not ACTIVE."""
    world = situation.world
    for dataset in situation.settings["datasets"]:
        yield from _missing_or_inactive(dataset["datasetArn"], world.datasets)
    for group_arn in world.dataset_groups:
        yield from _missing_or_inactive(group_arn, world.dataset_groups)


def unusable_solution(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution or campaign that does not exist or is not usable.

    The solution must belong to the dataset group, and the campaign to the solution.
    """
    world, arn = situation.world, situation.solution["solutionArn"]
    yield from _missing_or_inactive(arn, world.solutions)
    solution, groups = world.solutions.get(arn), world.dataset_groups
    if solution and groups and solution["datasetGroupArn"] not in groups:
        group = solution["datasetGroupArn"]
        yield (
            f"{arn}: belongs to {group}, but the datasets of this stack belong to "
            f"{', '.join(groups)}; "
            f"correct the ARN, or give {group} a stack of its own"
        )
    for campaign in situation.solution["campaigns"]:
        yield from _unusable_campaign(situation, campaign["campaignArn"])


def _missing_or_inactive(arn: str, resources: Mapping[str, object]) -> Iterator[str]:
    """Yield a message if the resource does not exist or is not ACTIVE.

    `resources` maps the ARN of each resource that exists to its description.
    """
    resource = resources.get(arn)
    if not isinstance(resource, dict):
        yield f"{arn}: does not exist; create it, or correct the ARN in the stack's config"
    elif not is_active(resource["status"]):
        yield (
            f"{arn}: its status is {resource['status']}, but it has to be {ACTIVE}; wait if "
            "it is being created, otherwise repair it or take it out of the config"
        )


def _unusable_campaign(situation: Situation, arn: str) -> Iterator[str]:
    """Yield a message if the campaign is missing, deleted, or serves another solution.

    Its status need not be ACTIVE.
    """
    campaign = situation.world.campaigns.get(arn)
    solution_arn = situation.solution["solutionArn"]
    if campaign is None:
        yield f"{arn}: does not exist; create it, or take it out of the stack's config"
    elif is_deleted(campaign["status"]):
        yield f"{arn}: its status is {campaign['status']}; take it out of the stack's config"
    elif not campaign["solutionVersionArn"].startswith(f"{solution_arn}/"):
        yield (
            f"{arn}: serves {campaign['solutionVersionArn']}, which is not a version of "
            f"{solution_arn}; move the campaign to the solution of that version in the config"
        )


def incremental_without_full(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL import of a dataset that has no ACTIVE FULL import."""
    dataset = situation.dataset
    jobs = situation.world.import_jobs.get(dataset["datasetArn"], [])
    newest_full_import = newest_active(job for job in jobs if import_mode_of(job) == "FULL")
    if dataset["importMode"] == "INCREMENTAL" and newest_full_import is None:
        yield (
            f"importMode INCREMENTAL needs an ACTIVE FULL import of {dataset['datasetArn']} "
            "before; import a complete export once with importMode FULL, which replaces all "
            "bulk data"
        )


def update_without_recipe(situation: Situation) -> Iterator[str]:
    """Yield a message for a training with UPDATE of a solution whose recipe does not support it."""
    solution = situation.solution
    recipe = campaign_guards.recipe_of(situation)
    mode = _requested_mode(situation) or solution["trainingMode"]
    if mode == "UPDATE" and recipe is not None and recipe not in UPDATE_RECIPES:
        yield (
            f"{solution['solutionArn']}: trainingMode UPDATE needs one of the recipes "
            f"{', '.join(UPDATE_RECIPES)}, but this solution has the recipe {recipe}; change "
            "trainingMode to FULL"
        )


def update_without_full(situation: Situation) -> Iterator[str]:
    """Yield a message for a requested UPDATE of a solution without a FULL version."""
    if _requested_mode(situation) == "UPDATE" and newest_full_version(situation) is None:
        yield (
            f"{situation.solution['solutionArn']}: trainingMode UPDATE needs an ACTIVE version "
            "that was trained with FULL, but there is none; start a run with trainingMode FULL"
        )


def automatic_training(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution with automatic training, which costs money."""
    arn = situation.solution["solutionArn"]
    solution = situation.world.solutions.get(arn)
    if solution and solution.get("performAutoTraining"):
        yield (
            f"{arn}: also trains automatically; turn that off with 'aws personalize "
            f"update-solution --solution-arn {arn} --no-perform-auto-training'"
        )


def refused_automatic_training(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution with automatic training, if autoTraining is `refuse`."""
    if situation.settings["autoTraining"] == "refuse":
        yield from automatic_training(situation)


def allowed_automatic_training(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution with automatic training, if autoTraining is `warn`."""
    if situation.settings["autoTraining"] == "warn":
        yield from automatic_training(situation)


def too_many_trainings(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution that was trained as often as allowed in 30 days.

    A limit of 0 means no limit. `force` by a person passes.
    """
    if not situation.run["request"].get("force"):
        yield from _trainings_of_last_month(situation)


def forced_trainings(situation: Situation) -> Iterator[str]:
    """Yield a message for a forced training beyond the number that is allowed in 30 days."""
    if situation.run["request"].get("force"):
        yield from _trainings_of_last_month(situation)


def _trainings_of_last_month(situation: Situation) -> Iterator[str]:
    """Yield a message if the trainings of this pipeline in the last 30 days reach the limit.

    Trainings that failed do not count, because they cost nothing.
    """
    limit = situation.settings["limits"]["maxTrainingsPerMonth"]
    arn = situation.solution["solutionArn"]
    number = situation.world.trainings_of_last_month.get(arn, 0)
    if limit and number >= limit:
        yield (
            f"{arn}: trainings of this pipeline within 30 days: {number}, and "
            f"limits.maxTrainingsPerMonth is {limit}, so it is not trained; wait some days, raise "
            "the limit, or start a run with force"
        )


def foreign_data(situation: Situation) -> Iterator[str]:
    """Yield a message for a dataset whose foreign data this run does not replace.

    A dataset that this pipeline has never imported is not named.
    """
    to_do = {of_dataset.dataset["datasetArn"] for of_dataset in imports_to_do(situation)}
    for dataset in situation.settings["datasets"]:
        arn = dataset["datasetArn"]
        newest = newest_import(situation.world.import_jobs.get(arn, ()))
        if arn in to_do or newest is None or arn not in situation.world.last_full_import_tags:
            continue
        if RUN not in situation.world.tags_of_newest_import(arn):
            yield (
                f"datasets.{dataset['type']}: {newest['datasetImportJobArn']}, the newest import, "
                "was not started by this pipeline, and this run does not import the export again; "
                "start a run with {} to import it"
            )


def skipped_days(situation: Situation) -> Iterator[str]:
    """Yield a message for earlier days of an INCREMENTAL export that were never imported."""
    days = situation.world.unimported_days.get(situation.dataset["datasetArn"], [])
    if days:
        yield (
            f"the exports of these days were never imported: {', '.join(days)}; append each with a "
            f'run with the input {{"exportDate": "{days[0]}"}}, or import a complete export with '
            "importMode FULL"
        )


def incomplete_lists(situation: Situation) -> Iterator[str]:
    """Yield a message for lists of import jobs that are too long to be read in time."""
    if not situation.world.imports_are_complete:
        yield (
            "the lists of import jobs are too long to be read in time, so only solutions whose "
            "data this run imports are trained; to train anyway, start a run with force"
        )


def nothing_new(situation: Situation) -> Iterator[str]:
    """Yield a message for a run that has nothing to import, to train or to deploy.

    This is so if every dataset holds its export, if every solution has learned it, and if no
    campaign waits for a version.
    """
    of_solutions = [situation.with_solution(solution) for solution in situation.solutions]
    if imports_to_do(situation) or any(map(planned_solution, of_solutions)):
        return
    yield (
        "nothing is new: the exports were imported before, no event tracker sends events, and "
        "every solution was trained since then; to train anyway, start a run with force"
    )


def update_without_news(situation: Situation) -> Iterator[str]:
    """Yield a message for a requested UPDATE of a solution that has nothing new to learn."""
    has_news = imports_to_do(situation) or situation.world.event_trackers
    version = up_to_date_version(situation)
    if _requested_mode(situation) == "UPDATE" and not has_news and version is not None:
        yield (
            f"{situation.solution['solutionArn']}: trainingMode UPDATE needs data that are newer "
            f"than {version.arn}; import new data, or start a run with trainingMode FULL"
        )


def nothing_to_resume(situation: Situation) -> Iterator[str]:
    """Yield a message for a resumed run that has created no job at all."""
    if not is_resumed(situation.run):
        return
    world = situation.world
    import_names = [job["jobName"] for jobs in world.import_jobs.values() for job in jobs]
    has_imported = any(
        belongs_to_run(name, situation.settings, situation.run) for name in import_names
    )
    has_trained = any(
        version.belongs_to(situation.run["id"])
        for versions in world.trained_versions.values()
        for version in versions
    )
    if not has_imported and not has_trained:
        yield (
            f"resume: run {situation.run['id']} has created no job, so this run imports and "
            "trains everything; check the run id"
        )


def _requested_mode(situation: Situation) -> TrainingMode | None:
    """Return the training mode in the input of the execution, or None if it has none."""
    return situation.run["request"].get("trainingMode")


GUARDS = (
    Guard(
        "event of a deployment",
        "SKIP",
        "run",
        event_of_deployment,
        "Wait for the next event, or start a run with `{}`.",
    ),
    Guard(
        "older run",
        "SKIP",
        "run",
        older_run,
        "Wait until the other run has ended, or stop it. Each training checks this again.",
    ),
    Guard(
        "datasets",
        "REFUSE",
        "run",
        inactive_datasets,
        "Create the resource, or correct the stack's config.",
    ),
    Guard(
        "solutions and campaigns",
        "REFUSE",
        "solution",
        unusable_solution,
        "Create the resource, or correct the stack's config.",
    ),
    Guard(
        "first import",
        "REFUSE",
        "dataset",
        incremental_without_full,
        "Import the dataset once with `importMode` FULL.",
    ),
    Guard(
        "recipe for UPDATE",
        "REFUSE",
        "solution",
        update_without_recipe,
        "Train the solution with `trainingMode` FULL.",
    ),
    Guard(
        "first training",
        "REFUSE",
        "solution",
        update_without_full,
        "Start with `trainingMode` FULL.",
    ),
    Guard(
        "data for UPDATE",
        "REFUSE",
        "solution",
        update_without_news,
        "Import new data, or start with `trainingMode` FULL.",
    ),
    Guard(
        "deployment past the gate",
        "REFUSE",
        "solution",
        campaign_guards.deployment_past_the_gate,
        "Turn `syncWithLatestSolutionVersion` off with the command of the message.",
    ),
    Guard(
        "probe",
        "REFUSE",
        "solution",
        campaign_guards.unanswered_probes,
        "Change the key of the probe as the message says, or remove the probe.",
    ),
    Guard(
        "automatic training",
        "REFUSE",
        "solution",
        refused_automatic_training,
        "Turn it off with the command of the message.",
    ),
    Guard(
        "nothing new",
        "SKIP",
        "run",
        nothing_new,
        'Start with `{"force": true}`, or set `skipWhenUnchanged` to false.',
        warns=True,
    ),
    Guard(
        "export of a later day",
        "REFUSE",
        "export",
        export_guards.export_of_earlier_day,
        "Start a new run with `{}`.",
    ),
    Guard(
        "export",
        "REFUSE",
        "export",
        export_files.missing_export,
        "Check the location, the bucket policy and the job that writes the export.",
    ),
    Guard(
        "format",
        "REFUSE",
        "export",
        export_files.unreadable_file,
        "Export plain CSV in UTF-8, as the message says.",
    ),
    Guard(
        "header",
        "REFUSE",
        "export",
        export_rows.wrong_columns,
        "Correct the header, or the dataset's schema.",
    ),
    Guard(
        "values",
        "REFUSE",
        "export",
        export_rows.wrong_values,
        "Correct the row that the message shows.",
    ),
    Guard(
        "number of rows",
        "REFUSE",
        "export",
        export_rows.too_few_rows,
        "Export all interactions, or append less often.",
    ),
    Guard(
        "size",
        "REFUSE",
        "export",
        export_guards.truncated_export,
        "Write the export again. If the data really shrank, lower `minRelativeSize` for one run.",
    ),
    Guard(
        "ready marker",
        "REFUSE",
        "export",
        export_guards.export_not_ready,
        "Write the marker after each export, or start with `skipImport`.",
    ),
    Guard(
        "rows to append",
        "REFUSE",
        "export",
        export_guards.wrong_increment,
        "Export only new data, each time to another location, or use `importMode` FULL.",
    ),
    Guard(
        "tags of a campaign",
        "HOLD",
        "training",
        campaign_guards.campaigns_without_free_tags,
        "Remove tags of the campaign, as many as the message says.",
    ),
    Guard(
        "unknown recipe",
        "WARN",
        "solution",
        campaign_guards.probes_of_unknown_recipe,
        "Watch the first run. If the probe fails, remove it, or use a newer release.",
    ),
    Guard(
        "trainings in a month",
        "HOLD",
        "training",
        too_many_trainings,
        'Wait, raise `limits.maxTrainingsPerMonth`, or start with `{"force": true}`.',
    ),
    Guard(
        "trainings in a month",
        "WARN",
        "training",
        forced_trainings,
        "Nothing, if the training is needed. Somebody has asked for it with `force`.",
    ),
    Guard(
        "foreign import",
        "WARN",
        "run",
        foreign_data,
        "Start with `{}`, which imports the export again.",
    ),
    Guard(
        "skipped days",
        "WARN",
        "dataset",
        skipped_days,
        "Append each day with `exportDate`, or import a complete export with `importMode` FULL.",
    ),
    Guard(
        "long lists",
        "WARN",
        "run",
        incomplete_lists,
        "Start with `force` if a solution has to be trained.",
    ),
    Guard(
        "run to resume",
        "WARN",
        "run",
        nothing_to_resume,
        "Check the run id. The run imports and trains everything.",
    ),
    Guard(
        "subfolders",
        "WARN",
        "export",
        export_files.ignored_subfolders,
        "Move the files to the first level of the folder, or away from it.",
    ),
    Guard(
        "other files",
        "WARN",
        "export",
        export_files.other_files,
        "Nothing, or rename or move the files if the import fails.",
    ),
    Guard(
        "byte-order mark",
        "WARN",
        "export",
        export_files.byte_order_mark,
        "Nothing, or export UTF-8 without the mark if the import fails.",
    ),
    Guard(
        "unknown columns",
        "WARN",
        "export",
        export_rows.unknown_columns,
        "Remove the columns, or correct their names.",
    ),
    Guard(
        "order of columns",
        "WARN",
        "export",
        export_rows.order_of_columns,
        "Nothing, or write the columns in the order of the schema.",
    ),
    Guard(
        "number of rows",
        "WARN",
        "export",
        export_rows.few_rows_beside_events,
        "Export all interactions. The import may fail.",
    ),
    Guard(
        "automatic training",
        "WARN",
        "solution",
        allowed_automatic_training,
        "Turn it off with the command of the message.",
    ),
)
"""The guards in the order in which they are checked. `docs/guards.md` shows this table."""
