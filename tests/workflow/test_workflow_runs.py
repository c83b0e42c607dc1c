"""A run in which all goes well, of every size; and runs that have nothing to do."""

from datetime import datetime, timedelta

import pytest

from components.rules.metrics import NDCG_AT_10
from functions.exports import read_export
from tests.workflow.pipeline import FUNCTIONS, RUN_ID, SLOT, deploy
from tests.workflow.summaries import failed_calls, ndcg, outcomes, report
from tests.world import IMPORT_ROLE, MOVIES, PREFIX, dataset_arn, solution, solution_arn

EXECUTION = f"arn:aws:states:eu-west-1:123456789012:execution:retraining-{PREFIX}:run-1"
NAME = f"{PREFIX}-{RUN_ID}"


def test_a_healthy_run_imports_trains_and_moves_the_campaign():
    with deploy() as pipeline:
        first = pipeline.served_version()
        execution = pipeline.run()
        old, new = pipeline.versions()
        served = pipeline.served_version()
        quality = ndcg(pipeline, new)
    assert quality > 0.4, "there is something to learn from the data, and to lose"
    assert execution.status == "SUCCEEDED", execution
    assert (first, served) == (old, new), "the campaign serves the version that was trained"
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "users": "IMPORTED",
        "taste": "DEPLOYED",
        "home": "DEPLOYED",
    }
    assert failed_calls(execution) == [], "a job that is not finished is data, not an exception"
    assert report(execution) == execution.output["outcome"], "the report is in the result"
    assert report(execution) == {
        "status": "DEPLOYED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": None,
        "imports": [
            {
                "type": each,
                "outcome": "IMPORTED",
                "datasetImportJobArn": "arn:aws:personalize:eu-west-1:123456789012:"
                f"dataset-import-job/{NAME}-{each}-1",
                "failure": None,
            }
            for each in ("interactions", "items", "users")
        ],
        "solutions": [
            {
                "solutionArn": solution_arn(),
                "outcome": "DEPLOYED",
                "solutionVersionArn": new,
                "trainingMode": "FULL",
                "adopted": False,
                "failure": None,
                "campaigns": [
                    {
                        "campaignArn": "arn:aws:personalize:eu-west-1:123456789012:campaign/home",
                        "outcome": "DEPLOYED",
                        "previousVersionArn": old,
                        "metrics": {NDCG_AT_10: {"new": quality, "live": quality}},
                        "failure": None,
                    }
                ],
            }
        ],
        "warnings": [],
        "text": (
            f"Retraining run {RUN_ID}: DEPLOYED\n"
            "  import of interactions: IMPORTED\n"
            "  import of items: IMPORTED\n"
            "  import of users: IMPORTED\n"
            f"  {solution_arn()}: DEPLOYED\n"
            f"    version {new}\n"
            "    arn:aws:personalize:eu-west-1:123456789012:campaign/home: DEPLOYED"
        ),
    }


def api_tags(**tags):
    """Return tags in the form of the API, with those of the stack and the run."""
    tags = {"team": "film", "retraining-run": RUN_ID, **tags}
    return [{"tagKey": key, "tagValue": value} for key, value in tags.items()]


def import_tags(export):
    """Return the tags of an import job."""
    facts = {"retraining-bytes": str(export.size), "retraining-fingerprint": export.fingerprint}
    return api_tags(**facts)


def test_a_healthy_run_asks_the_service_for_just_what_is_configured():
    with deploy(MOVIES.with_options(tags={"team": "film"})) as pipeline:
        pipeline.run()
        imports = pipeline.requests("CreateDatasetImportJob")
        trainings = pipeline.requests("CreateSolutionVersion")
        updates = pipeline.requests("UpdateCampaign")
        new = pipeline.versions()[-1]
        exports = {
            kind: read_export(pipeline.bucket, f"s3://exports/{kind}.csv")
            for kind in ("interactions", "items", "users")
        }
    assert imports == [
        {
            "jobName": f"{NAME}-{kind}-1",
            "datasetArn": dataset_arn(kind.upper()),
            "dataSource": {"dataLocation": f"s3://exports/{kind}.csv"},
            "roleArn": IMPORT_ROLE,
            "importMode": "FULL",
            "tags": import_tags(export),
        }
        for kind, export in exports.items()
    ]
    assert trainings == [
        {
            "name": f"{NAME}-0b519087-1",
            "solutionArn": solution_arn(),
            "trainingMode": "FULL",
            "tags": api_tags(),
        }
    ]
    assert updates == [
        {
            "campaignArn": "arn:aws:personalize:eu-west-1:123456789012:campaign/home",
            "solutionVersionArn": new,
            "minProvisionedTPS": 2,
            "campaignConfig": {},
        }
    ]


def test_all_imports_run_side_by_side_and_the_training_begins_when_the_last_has_ended():
    with deploy() as pipeline:
        began = pipeline.clock.now()
        execution = pipeline.run()
    imports = [each["job"] for each in execution.output["imports"]["results"]]
    created = {datetime.fromisoformat(each["createdAt"]) - began for each in imports}
    assert created == {timedelta(0)}, "the three begin at once"
    last = max(datetime.fromisoformat(each["endedAt"]) for each in imports)
    training = execution.output["solutions"][0]["version"]
    late = datetime.fromisoformat(training["createdAt"]) - last
    assert timedelta(0) <= late <= timedelta(minutes=5), "and not before all data are there"


def test_all_five_types_of_dataset_are_imported():
    types = ("interactions", "items", "users", "actions", "action_interactions")
    with deploy(MOVIES.with_datasets(*types)) as pipeline:
        execution = pipeline.run()
        imports = pipeline.requests("CreateDatasetImportJob")
    assert [each["datasetArn"].rpartition("/")[2] for each in imports] == [
        "INTERACTIONS",
        "ITEMS",
        "USERS",
        "ACTIONS",
        "ACTION_INTERACTIONS",
    ]
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "users": "IMPORTED",
        "actions": "IMPORTED",
        "actionInteractions": "IMPORTED",
        "taste": "DEPLOYED",
        "home": "DEPLOYED",
    }


def test_a_single_dataset_is_enough():
    with deploy(MOVIES.with_datasets("interactions")) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "taste": "DEPLOYED",
        "home": "DEPLOYED",
    }


def test_a_solution_without_campaigns_is_trained():
    with deploy(MOVIES.with_solutions(solution(campaigns=[]))) as pipeline:
        execution = pipeline.run()
        new = pipeline.versions()[-1]
    assert execution.status == "SUCCEEDED"
    assert report(execution)["status"] == "TRAINED"
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: TRAINED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: TRAINED\n"
        f"    version {new}"
    )


def test_two_solutions_with_three_campaigns_all_get_their_versions():
    two = MOVIES.with_solutions(
        solution("taste", campaigns=["home", "mail"]),
        solution("like", campaigns=["detail"]),
    )
    with deploy(two) as pipeline:
        execution = pipeline.run()
        served = {each: pipeline.served_version(each) for each in ("home", "mail", "detail")}
        taste, like = pipeline.versions("taste")[-1], pipeline.versions("like")[-1]
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "users": "IMPORTED",
        "taste": "DEPLOYED",
        "home": "DEPLOYED",
        "mail": "DEPLOYED",
        "like": "DEPLOYED",
        "detail": "DEPLOYED",
    }
    assert served == {"home": taste, "mail": taste, "detail": like}


def test_a_run_without_any_input_is_a_run_as_configured():
    with deploy() as pipeline:
        execution = pipeline.machine.start({}).wait()
        again = pipeline.machine.start({}).wait()
    assert outcomes(execution)["home"] == "DEPLOYED"
    first, second = report(execution)["runId"], report(again)["runId"]
    assert {first[:9], second[:9]} == {f"{RUN_ID[:8]}-"}, "no slot to be named after: the day"
    assert first != second, "each run has jobs of its own"
    assert execution.output["run"]["trigger"] == "manual"


def test_a_run_knows_how_long_the_runs_before_took():
    with deploy(MOVIES.with_options(skip_when_unchanged=False)) as pipeline:
        pipeline.run()
        week = (datetime.fromisoformat(SLOT) + timedelta(days=7)).isoformat()
        execution = pipeline.run(scheduledTime=week)
    plan = execution.output["plan"]
    assert [each["durations"] for each in plan["imports"]] == [
        [930, 600],
        [745, 600],
        [1245, 600],
    ], "newest first"
    assert plan["solutions"][0]["durations"] == [5430, 5430]
    assert plan["solutions"][0]["campaigns"][0]["durations"] == [930]


def test_an_incremental_import_adds_to_the_data():
    with deploy(MOVIES.with_datasets("items", import_mode="INCREMENTAL")) as pipeline:
        pipeline.bucket.put("items.csv", b"ITEM_ID,GENRE\ni99,g1")
        execution = pipeline.run()
        modes = [each["importMode"] for each in pipeline.requests("CreateDatasetImportJob")]
    assert (outcomes(execution)["items"], modes) == ("IMPORTED", ["INCREMENTAL"])


# Nothing to do


@pytest.mark.parametrize("minutes", [-1, 0, 10])
def test_the_first_event_after_a_deployment_starts_nothing_and_says_how_to(minutes):
    with deploy() as pipeline:
        pipeline.schedule_changed_at = datetime.fromisoformat(SLOT) - timedelta(minutes=minutes)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
        assert pipeline.requests("CreateSolutionVersion") == []
    assert execution.status == "SUCCEEDED", "nobody is to be woken"
    changed = pipeline.schedule_changed_at.isoformat()
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: SKIPPED: the schedule was created or changed at {changed}, "
        "and a deployment starts no training; to retrain now, start an execution with input {}"
    )


@pytest.mark.parametrize("minutes", [11, -40])
def test_an_event_that_no_deployment_caused_starts_a_run(minutes):
    with deploy() as pipeline:
        pipeline.schedule_changed_at = datetime.fromisoformat(SLOT) - timedelta(minutes=minutes)
        execution = pipeline.run()
    assert outcomes(execution)["home"] == "DEPLOYED", (
        "a change after the slot, before a late delivery, did not cause the event"
    )


def test_a_person_may_start_a_run_right_after_a_deployment():
    with deploy() as pipeline:
        pipeline.schedule_changed_at = pipeline.clock.now()
        execution = pipeline.machine.start({"trigger": "manual"}).wait()
    assert outcomes(execution)["home"] == "DEPLOYED"


def test_a_dry_run_plans_and_changes_nothing():
    with deploy() as pipeline:
        execution = pipeline.run(dryRun=True)
        changed = [
            call.operation
            for call in pipeline.personalize.calls
            if call.caller == FUNCTIONS.arn and not call.operation.startswith(("Describe", "List"))
        ]
    assert changed == []
    assert report(execution)["text"] == f"Retraining run {RUN_ID}: SKIPPED: this is a dry run"
    plan = execution.output["plan"]
    assert [each["jobName"] for each in plan["imports"]] == [
        f"{NAME}-interactions-1",
        f"{NAME}-items-1",
        f"{NAME}-users-1",
    ], "the result shows what a real run would do"
    assert [each["versionName"] for each in plan["solutions"]] == [f"{NAME}-0b519087-1"]
