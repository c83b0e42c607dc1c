"""Ordinary documents and API responses. A test changes the part that it is about."""

import json
from datetime import UTC, datetime, timedelta

from components.args import LimitsArgs
from functions.common.messages import as_message
from functions.personalize.batch_jobs import resolve_batch_jobs
from functions.personalize.trainings import hash_config
from functions.planning.datasets import DatasetView
from functions.planning.export_search import resolve_datasets
from functions.planning.plan_run import build_view, select_solutions
from functions.planning.snapshot import BatchJobSnapshot, DataSnapshot, SolutionSnapshot
from functions.rules.imports import Import
from functions.rules.trainings import SolutionState
from functions.rules.versions import NO_VERSION, SolutionVersion
from functions.s3.csv_files import (
    FileSample,
    Row,
)
from functions.s3.exports import (
    Export,
    S3Object,
)
from tests.printed import all_printed
from tests.world import (
    MOVIES,
    PREFIX,
    RECIPE,
    REGION,
    campaign_arn,
    dataset_arn,
    solution_arn,
)
from tests.world import PERSONALIZE as ARN

DATASET = dataset_arn("interactions")
ITEMS = dataset_arn("items")
GROUP = MOVIES.arn
SCHEMA = f"{ARN}:schema/interactions"
SOLUTION = solution_arn("taste")
OTHER_SOLUTION = solution_arn("taste-similar")
VERSION, OLD_VERSION, FOREIGN_VERSION = (f"{SOLUTION}/{each}" for each in ("new", "old", "foreign"))
CAMPAIGN = campaign_arn("home")
OTHER_CAMPAIGN = campaign_arn("home-page")
RECOMMENDER = f"{ARN}:recommender/best-sellers"
RUN_ID = "20261129T030000Z"
LAST_RUN = "20261122T030000Z"
LOCATION = "s3://exports/interactions.csv"
FINGERPRINT = "5a6dcc21-e4f62bba75eba9fa267af92b48fb83dc-59b942aa"
NDCG = "normalized_discounted_cumulative_gain_at_10"
JOB_NAME = f"{PREFIX}-{RUN_ID}-interactions"
IMPORT_JOB = f"{ARN}:dataset-import-job/{JOB_NAME}"
VERSION_NAME = f"{PREFIX}-{RUN_ID}-0b519087"
EXECUTION = f"arn:aws:states:{REGION}:123456789012:execution:retraining:first"
SCHEDULE = f"arn:aws:scheduler:{REGION}:123456789012:schedule/group/weekly"

SLOT = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
"""The scheduled time of the run, with which its id begins."""
STARTED = SLOT + timedelta(minutes=1)
"""The start of its execution."""
NOW = SLOT + timedelta(minutes=10)


def ago(hours=0, **units):
    """Return the time this long before now."""
    return NOW - timedelta(hours=hours, **units)


def iso(hours=0, **units):
    """Return the time this long before now, as a document contains it."""
    return ago(hours, **units).isoformat()


# Responses of the API


def import_summary(**changes):
    return {
        "jobName": "monday",
        "datasetImportJobArn": f"{ARN}:dataset-import-job/monday",
        "importMode": "FULL",
        "status": "ACTIVE",
        "creationDateTime": ago(48),
        "lastUpdatedDateTime": ago(47.5),
        **changes,
    }


def imported(**changes):
    """Return the foreign import of `import_summary`, as the rules see it."""
    standard = {
        "arn": f"{ARN}:dataset-import-job/monday",
        "dataset_arn": DATASET,
        "is_full": True,
        "is_running": False,
        "is_active": True,
        "created_at": ago(48),
        "ended_at": ago(47.5),
    }

    return Import(**{**standard, **changes})


def imported_items():
    """Return a foreign import of items, which overlaps that of the interactions."""
    return imported(
        arn=f"{ARN}:dataset-import-job/monday-items",
        dataset_arn=ITEMS,
        created_at=ago(47.75),
        ended_at=ago(47.25),
    )


def held_import(**changes):
    """Return the import of last week's run by which the dataset holds its export."""
    held = {
        "run_id": LAST_RUN,
        "fingerprint": FINGERPRINT,
        "is_confirmed": True,
        "export_bytes": 1000,
    }
    return imported(**{**held, **changes})


def version(**changes):
    return {
        "name": VERSION_NAME,
        "solutionVersionArn": VERSION,
        "solutionArn": SOLUTION,
        "trainingMode": "FULL",
        "status": "CREATE IN_PROGRESS",
        "creationDateTime": ago(1),
        "lastUpdatedDateTime": ago(0.5),
        **changes,
    }


def version_summary(**changes):
    return {
        "solutionVersionArn": OLD_VERSION,
        "trainingMode": "FULL",
        "status": "ACTIVE",
        "creationDateTime": ago(72),
        "lastUpdatedDateTime": ago(70),
        **changes,
    }


def campaign(**changes):
    return {
        "campaignArn": CAMPAIGN,
        "solutionVersionArn": OLD_VERSION,
        "minProvisionedTPS": 2,
        "campaignConfig": {"itemExplorationConfig": {"explorationWeight": "0.3"}},
        "status": "ACTIVE",
        "creationDateTime": ago(500),
        "lastUpdatedDateTime": ago(100),
        **changes,
    }


def recommender_summary(**changes):
    return {
        "name": "best-sellers",
        "recommenderArn": RECOMMENDER,
        "datasetGroupArn": GROUP,
        "status": "ACTIVE",
        "creationDateTime": ago(500),
        "lastUpdatedDateTime": ago(102),
        **changes,
    }


def expect_recommenders(personalize, *summaries):
    """Expect the recommenders of the region to be listed."""
    response = {"recommenders": [*summaries]}
    personalize.expect("list_recommenders", response, maxResults=100)


def solution_resource(**changes):
    return {
        "solutionArn": SOLUTION,
        "datasetGroupArn": GROUP,
        "recipeArn": RECIPE,
        "status": "ACTIVE",
        **changes,
    }


def dataset_resource(**changes):
    return {
        "datasetArn": DATASET,
        "datasetGroupArn": GROUP,
        "schemaArn": SCHEMA,
        "status": "ACTIVE",
        "creationDateTime": ago(1000),
        **changes,
    }


def group_resource(**changes):
    return {"datasetGroupArn": GROUP, "status": "ACTIVE", **changes}


FIELDS = [
    {"name": "USER_ID", "type": "string"},
    {"name": "ITEM_ID", "type": "string"},
    {"name": "EVENT_VALUE", "type": ["null", "float"]},
    {"name": "TIMESTAMP", "type": "long"},
]


# Exports in S3


def s3_object(**changes):
    standard = {"key": "interactions.csv", "size": 1000, "etag": '"e1"', "modified_at": ago(2)}
    return S3Object(**{**standard, **changes})


ROW = ("1", "2", "1790000000")


def sample(*rows, **changes):
    """Return the beginning of a file with these rows, or with 1,000 rows."""
    values = {
        "key": "interactions.csv",
        "header": ("USER_ID", "ITEM_ID", "TIMESTAMP"),
        "rows": rows_of(*rows or [ROW] * 1000),
        **changes,
    }

    return FileSample(**{"row_count": len(values["rows"]), **values})


def rows_of(*rows):
    """Return the rows of a file whose first line is the header."""
    return tuple(Row(line, values) for line, values in enumerate(rows, start=2))


def export(**changes):
    standard = {"location": LOCATION, "objects": [s3_object()], "samples": [sample()]}
    return Export(**{**standard, **changes})


# The documents of the state machine


SETTINGS = (
    MOVIES.with_datasets("interactions", "items")
    .with_options(tags={"team": "recommendations"}, limits=LimitsArgs(max_trainings_per_month=0))
    .settings()
)


def dataset_settings(**changes):
    """Return the settings of the dataset interactions."""
    return {**SETTINGS["datasets"][0], **changes}


def dataset_of_run(**changes):
    """Return the settings of the dataset interactions, as a run imports it without a date."""
    return {**dataset_settings(), "day": None, **changes}


def items_settings(**changes):
    """Return the settings of the dataset items."""
    return {**SETTINGS["datasets"][1], **changes}


def solution_settings(**changes):
    """Return the settings of a solution with one campaign."""
    return {**SETTINGS["solutions"][0], **changes}


def campaign_settings(**changes):
    """Return the settings of a campaign without a probe."""
    return {**SETTINGS["solutions"][0]["campaigns"][0], **changes}


def settings(**changes):
    """Return the settings of a stack with one dataset, one solution and one campaign."""
    return {**SETTINGS, "datasets": [dataset_settings()], **changes}


def limits(**changes):
    """Return settings in which these limits are changed."""
    return settings(limits={**SETTINGS["limits"], **changes})


def configured(request=None, **changes):
    """Return the output of the first state."""
    started = {
        "request": {} if request is None else request,
        "executionArn": EXECUTION,
        "startedAt": STARTED.isoformat(),
    }

    return {"settings": settings(), "run": started, **changes}


def expect_execution(executions, status, **details):
    """Expect the sample execution to be described."""
    response = {
        "executionArn": EXECUTION,
        "stateMachineArn": EXECUTION.replace(":execution:", ":stateMachine:").rpartition(":")[0],
        "status": status,
        "startDate": NOW,
        **details,
    }
    executions.expect("describe_execution", response, executionArn=EXECUTION)


def expect_history(executions, *events):
    """Expect the first events of the sample execution to be read."""
    numbered = [{"timestamp": NOW, "id": number, **event} for number, event in enumerate(events, 1)]
    request = {"executionArn": EXECUTION, "maxResults": 10, "includeExecutionData": True}
    executions.expect("get_execution_history", {"events": numbered}, **request)


def first_state(output):
    """Return the history event of the first state with this output."""
    details = {"name": "Configure run", "output": json.dumps(output)}
    return {"type": "PassStateExited", "stateExitedEventDetails": details}


SCHEDULED = {"trigger": "schedule", "scheduledTime": SLOT.isoformat()}
"""The input of an execution that the schedule has started."""


def run(request=None, *, trigger="schedule", **changes):
    """Return a run that began a minute late. Without a request, its trigger is in the request."""
    key = "only" if trigger in ("trials", "deployments") else "trigger"
    return {
        "id": RUN_ID,
        "trigger": trigger,
        "startedAt": STARTED.isoformat(),
        "executionArn": EXECUTION,
        "request": {**SCHEDULED, "trigger": None, key: trigger} if request is None else request,
        **changes,
    }


VERSIONS = {
    OLD_VERSION: NO_VERSION._replace(created_at=ago(72), metrics={NDCG: 0.4}),
    VERSION: NO_VERSION._replace(created_at=ago(47), metrics={NDCG: 0.42}),
    FOREIGN_VERSION: NO_VERSION._replace(created_at=ago(1), metrics={NDCG: 0.42}),
}
VERSIONS = {arn: version._replace(arn=arn) for arn, version in VERSIONS.items()}
"""What the rules of a deployment know about each version."""


NEIGHBOURS = {
    "datasets": {ITEMS: dataset_resource(datasetArn=ITEMS, schemaArn=f"{SCHEMA}-of-items")},
    "imports": {ITEMS: [imported_items()]},
    "solutions": {OTHER_SOLUTION: solution_resource(solutionArn=OTHER_SOLUTION, performHPO=True)},
    "campaigns": {
        OTHER_CAMPAIGN: campaign(
            campaignArn=OTHER_CAMPAIGN, solutionVersionArn=f"{OTHER_SOLUTION}/new"
        )
    },
    "campaign_tags": {OTHER_CAMPAIGN: {"retraining-pinned": "for good"}},
}
"""What else is in the group, and comes first. It must not matter to what a test is about."""


USUAL_OWNERS = {
    **dict.fromkeys(("datasets", "exports", "imports", "schemas", "skipped_days"), DATASET),
    "solutions": SOLUTION,
    **dict.fromkeys(("campaigns", "campaign_tags"), CAMPAIGN),
}
"""What planning has read -> the resource to which it belongs if a test does not say so."""


def by_arn(changes):
    """Return changes of what planning has read, by the ARN of their resources."""
    owned = {}
    for key, value in changes.items():
        has_arns = isinstance(value, dict) and all(arn.startswith("arn:") for arn in value)
        needs_owner = key in USUAL_OWNERS and not has_arns
        owned[key] = {USUAL_OWNERS[key]: value} if needs_owner else value

    return owned


def data_snapshot(**changes):
    """Return what planning has read about the data. `imports` are the jobs of each dataset."""
    changes = by_arn(changes)
    standard = {
        **{name: {} for name in DataSnapshot.__annotations__},
        "now": NOW,
        "dataset_groups": {GROUP: group_resource()},
        "exports": {DATASET: export()},
    }
    datasets = {**NEIGHBOURS["datasets"], **changes.pop("datasets", {DATASET: dataset_resource()})}
    imports = {**NEIGHBOURS["imports"], **changes.pop("imports", {DATASET: [imported()]})}
    jobs = [job._replace(dataset_arn=arn) for arn, found in imports.items() for job in found]
    schemas = {DATASET: FIELDS}

    return DataSnapshot(
        **{**standard, "datasets": datasets, "schemas": schemas, **changes, "imports": jobs}
    )


READ_OF_SOLUTIONS = {
    "solutions": {SOLUTION: solution_resource()},
    "campaigns": {CAMPAIGN: campaign()},
    "campaign_tags": {},
    "filters": {},
    "trainings": (),
    "versions": VERSIONS,
    "batch_inputs": {},
    "batch_jobs": {},
    "batch_results": {},
}
"""What planning has read about the solutions, unless a test changes it."""


def solution_snapshot(settings_, data, run_, **changes):
    """Return what planning has read about a solution with these settings."""
    read = {**READ_OF_SOLUTIONS, **by_arn(changes)}
    for key in ("solutions", "campaigns", "campaign_tags"):
        read[key] = {**NEIGHBOURS[key], **read[key]}

    description = read["solutions"].get(settings_["solutionArn"])
    config = hash_config(description) if description else ""
    jobs = {"imports": data.imports, "deletions": data.deletions}
    arns = {each["campaignArn"] for each in settings_["campaigns"]}
    return SolutionSnapshot(
        solution_settings=settings_,
        description=description,
        state=SolutionState(config_hash=config, **jobs, versions=read["trainings"]),
        read_version=read["versions"].__getitem__,
        **{
            key: {arn: value for arn, value in read[key].items() if arn in arns}
            for key in ("campaigns", "campaign_tags")
        },
        filters=read["filters"],
        batch_jobs=[
            BatchJobSnapshot(
                job,
                read["batch_inputs"].get(job["input"], export(location=job["input"])),
                read["batch_jobs"].get(job["output_hash"], []),
                read["batch_results"].get(job["output_hash"]),
            )
            for job in resolve_batch_jobs(settings_, run_)
        ],
    )


def digest(solution=None, **changes):
    """Return the digest of a training that would begin now in the world with these changes."""
    solutions = {SOLUTION: solution or solution_resource()}
    read = solution_snapshot(
        solution_settings(), data_snapshot(**changes), run(), solutions=solutions
    )

    return read.state.digest


def trained_version(**changes):
    """Return a version that the run of last week has trained on the present imports."""
    return SolutionVersion(
        **{
            "arn": VERSION,
            "is_running": False,
            "is_active": True,
            "created_at": ago(47),
            "ended_at": ago(46),
            "run_id": LAST_RUN,
            "digest": digest(),
            **changes,
        }
    )


def view(request=None, settings_=None, trigger="schedule", **changes):
    """Return the view of a run in the standard world with these changes."""
    settings_ = settings_ or settings()
    run_ = run(request, trigger=trigger)
    changes = {"chosen_datasets": resolve_datasets(settings_, run_), **changes}
    about_solutions = {key: changes.pop(key) for key in READ_OF_SOLUTIONS if key in changes}
    data = data_snapshot(**changes)
    snapshots = [
        solution_snapshot(each, data, run_, **about_solutions)
        for each in select_solutions(settings_, run_)
    ]

    return build_view(settings_, run_, data, snapshots)


def dataset_view(request=None, settings_=None, *, trigger="schedule", dataset=None, **changes):
    """Return the view of a dataset with these settings, by default of interactions."""
    return DatasetView(
        settings_ or settings(),
        run(request, trigger=trigger),
        data_snapshot(**changes),
        dataset or dataset_of_run(),
    )


def solution_view(request=None, settings_=None, *, solution=None, **changes):
    """Return the view of a solution with these settings, by default with one campaign."""
    solutions = [solution or solution_settings()]
    (found,) = view(
        request, {**(settings_ or settings()), "solutions": solutions}, **changes
    ).solutions

    return found


def messages(guard, *, dataset=None, solution=None, **changes):
    """Return the messages of a guard in the standard world with these changes.

    `dataset` and `solution` are the settings of the dataset or the solution that is checked.
    """
    views = {
        "run": lambda: view(**changes),
        "solution": lambda: solution_view(solution=solution, **changes),
    }
    checked = views.get(guard.scope, lambda: dataset_view(dataset=dataset, **changes))

    return all_printed(guard.check(checked()))


CONTENT = {
    "rows": 1000,
    "areAllRowsRead": True,
    "newestEventAt": iso(5),
    "importsWithNewestEvent": 1,
    "eventTypes": {"view": 900, "purchase": 96},
    "missingPerMille": 0,
    "emptyValues": {"EVENT_TYPE": 4},
}


def planned_import(**changes):
    """Return the import of the dataset interactions in the standard world."""
    return {**dataset_view().plan_import(), **changes}


def planned_campaign(**changes):
    """Return a campaign that the run has to update."""
    return {"campaignArn": CAMPAIGN, **changes}


def planned_solution(**changes):
    """Return the training of a solution, whose last training took two hours."""
    return {**solution_view().plan_work(), "durations": [7200], **changes}


NO_BASELINES = {
    "newBaseline": None,
    "servedBaseline": None,
    "hasDropped": False,
    "hasBaselineDropped": False,
}
"""What the report says about a metric that was compared without baselines and has not dropped."""
ENDED = {"seconds": 0, "reasons": [], "warnings": [], "progress": {}}
"""What the items of all jobs have at their end."""


def import_status(**changes):
    """Return the status of an import that took half an hour."""
    return {
        "phase": "IMPORTED",
        **ENDED,
        "outcome": "IMPORTED",
        "arn": IMPORT_JOB,
        "createdAt": iso(1),
        "endedAt": iso(0.5),
        "bytes": 1000,
        **changes,
    }


def dataset_result(**changes):
    return {
        "dataset": planned_import(content=CONTENT),
        "status": import_status(),
        "error": None,
        "outcome": "IMPORTED",
        **changes,
    }


def status(**changes):
    """Return the end of a deployment: the version is a little better than the live one."""
    return {
        "phase": "ON_TRIAL",
        **ENDED,
        "outcome": "DEPLOYED",
        "versionArn": VERSION,
        "previousVersionArn": OLD_VERSION,
        "metrics": [{"metric": NDCG, "new": 0.42, "served": 0.4}],
        "cause": None,
        "createdAt": iso(minutes=50),
        "endedAt": iso(minutes=30),
        **changes,
    }


def campaign_result(outcome="DEPLOYED", *reasons, campaign=None, error=None, **changes):
    """Return the result of a campaign. `changes` are fields of it."""
    return {
        "campaign": campaign or planned_campaign(),
        "status": status(outcome=outcome, reasons=[*map(as_message, reasons)], **changes),
        "error": error,
        "outcome": outcome,
    }


def training_status(**changes):
    """Return a training of this run that succeeded half an hour ago."""
    return {
        "phase": "TRAINED",
        **ENDED,
        "outcome": "TRAINED",
        "arn": VERSION,
        "isNew": True,
        "createdAt": iso(1),
        "endedAt": iso(0.5),
        "trainingHours": None,
        **changes,
    }


def failed_training(*reasons, **changes):
    """Return a training of this run that failed half an hour ago."""
    failed = {"phase": "TRAINING", "outcome": "FAILED", "reasons": [*map(as_message, reasons)]}
    return training_status(**{**failed, **changes})


def batch_result(**changes):
    """Return the result of a batch job that took ten minutes. `changes` are fields of it."""
    written = {
        "phase": "WRITING",
        **ENDED,
        "outcome": "WRITTEN",
        "arn": f"{ARN}:batch-inference-job/{PREFIX}-{RUN_ID}-out",
        "versionArn": VERSION,
        "createdAt": iso(minutes=25),
        "endedAt": iso(minutes=15),
        **changes,
    }

    return {"batchJob": "s3://batch/out/", "status": written, "error": None}


def solution_result(**changes):
    return {
        "solution": planned_solution(),
        "version": training_status(),
        "campaigns": [campaign_result()],
        "batchJobs": [],
        "error": None,
        **changes,
    }


def plan(**changes):
    """Return the plan of a run that imports, trains and updates everything."""
    return {
        "todo": "WORK",
        "seconds": 0,
        "reasons": [],
        "imports": [planned_import()],
        "solutions": [planned_solution()],
        "users": None,
        "dataDeletionJobArn": None,
        "warnings": [],
        **changes,
    }


def finished(**changes):
    """Return the document of a run that has deployed everything."""
    return {
        "settings": settings(),
        "run": run(),
        "plan": plan(),
        "trials": [],
        "imports": {"results": [dataset_result()], "anyFailed": False},
        "solutions": [solution_result()],
        **changes,
    }
