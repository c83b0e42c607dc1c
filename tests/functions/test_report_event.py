"""Tests of the report of a run as the detail of an event."""

import json
from datetime import timedelta

import pytest

from functions.report import report_of
from functions.report_event import MAX_DETAIL_BYTES, Sender, event_detail, sender_of
from functions.texts import json_bytes
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    IMPORT_JOB,
    NDCG,
    NOW,
    OLD_VERSION,
    RUN_ID,
    SOLUTION,
    VERSION,
    ago,
    campaign_result,
    configured,
    dataset_result,
    failed_training,
    finished,
    import_item,
    plan,
    planned_campaign,
    planned_import,
    planned_solution,
    run,
    settings,
    solution_result,
    training_item,
)
from tests.world import PIPELINE

ERROR = {"Error": "Throttled", "Cause": "too many requests"}
SENDER = Sender(PIPELINE, None)
SERVING = {CAMPAIGN: {"servedVersionArn": VERSION, "versionOnTrial": None}}


def detail_of(document=None, *, sender=SENDER, standings=SERVING, ended_at=None):
    """Return the detail about a document. By default, the run ends after two hours."""
    document = document or finished()
    ended_at = ended_at or NOW + timedelta(hours=2)
    return event_detail(sender, document, report_of(document, standings), standings, ended_at)


def only_solution(**changes):
    """Return the solution in the detail about a result with these changes."""
    (solution,) = detail_of(finished(solutions=[solution_result(**changes)]))["solutions"]
    return solution


def only_campaign(*result, **changes):
    """Return the campaign in the detail about this result."""
    (campaign,) = only_solution(campaigns=[campaign_result(*result, **changes)])["campaigns"]
    return campaign


def test_the_event_of_a_good_run_is_complete():
    version = training_item(trainingHours=1.5)
    trained = solution_result(version=version, campaigns=[campaign_result()])
    assert detail_of(finished(solutions=[trained]), sender=Sender(PIPELINE, None, 0.25)) == {
        "schemaVersion": 1,
        "pipeline": PIPELINE,
        "outcome": "DEPLOYED",
        "runId": RUN_ID,
        "trigger": "schedule",
        "executionArn": EXECUTION,
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining",
        "startedAt": NOW.isoformat(),
        "endedAt": (NOW + timedelta(hours=2)).isoformat(),
        "seconds": 7200,
        "reason": None,
        "failingStep": None,
        "trainingHours": 1.5,
        "trainingCost": 0.38,
        "imports": [
            {
                "type": "interactions",
                "outcome": "IMPORTED",
                "datasetImportJobArn": IMPORT_JOB,
                "bytes": 1000,
                "dataWrittenAt": ago(2).isoformat(),
                "seconds": 1800,
                "failure": None,
            }
        ],
        "solutions": [
            {
                "solutionArn": SOLUTION,
                "outcome": "DEPLOYED",
                "solutionVersionArn": VERSION,
                "trainingMode": "FULL",
                "isTrained": True,
                "trainingHours": 1.5,
                "seconds": 1800,
                "failure": None,
                "campaigns": [
                    {
                        "campaignArn": CAMPAIGN,
                        "outcome": "DEPLOYED",
                        "previousVersionArn": OLD_VERSION,
                        "servedVersionArn": VERSION,
                        "metrics": {NDCG: {"new": 0.42, "live": 0.4, "change": 0.05}},
                        "seconds": 1200,
                        "failure": None,
                    }
                ],
            }
        ],
        "trials": [],
        "serving": [
            {
                "campaignArn": CAMPAIGN,
                "isKnown": True,
                "servedVersionArn": VERSION,
                "versionOnTrial": None,
            }
        ],
        "warnings": [],
        "isComplete": True,
        "links": {
            "execution": "https://console.aws.amazon.com/states/home?region=eu-west-1"
            f"#/v2/executions/details/{EXECUTION}",
            "dashboard": None,
        },
    }


def test_the_detail_is_json():
    assert json.loads(json.dumps(detail_of())) == detail_of()


def test_the_sender_comes_from_the_settings():
    notifications = {"topicArn": "t", "on": "problems", "dashboardUrl": "https://dashboard"}
    sender = sender_of(settings(notifications=notifications, trainingHourPrice=0.24))
    assert sender == (PIPELINE, notifications, 0.24)
    assert detail_of(sender=sender)["links"]["dashboard"] == "https://dashboard"


def test_the_settings_of_an_earlier_release_name_no_topic():
    earlier = settings()
    del earlier["notifications"], earlier["trainingHourPrice"]
    assert sender_of(earlier) == (PIPELINE, None, None)


def test_without_a_price_there_is_no_cost():
    solution = solution_result(version=training_item(trainingHours=1.5))
    detail = detail_of(finished(solutions=[solution]))
    assert (detail["trainingHours"], detail["trainingCost"]) == (1.5, None)


@pytest.mark.parametrize(
    ("host", "partition"),
    [
        ("console.amazonaws.cn", "aws-cn"),
        ("console.amazonaws-us-gov.com", "aws-us-gov"),
        ("console.aws.amazon.com", "aws-new"),
    ],
)
def test_each_partition_has_its_console(host, partition):
    execution = EXECUTION.replace("arn:aws:", f"arn:{partition}:")
    detail = detail_of(finished(run=run(executionArn=execution)))
    assert detail["links"]["execution"].startswith(f"https://{host}/states/home?region=eu-west-1#")


@pytest.mark.parametrize("trigger", ["manual", "trials", "deployments", "export"])
def test_a_known_trigger_is_named(trigger):
    assert detail_of(finished(run=run(trigger=trigger)))["trigger"] == trigger


def test_a_refused_input_may_have_any_trigger():
    assert detail_of(finished(run=run(trigger="x" * 5000)))["trigger"] == "unknown"


def test_a_run_that_could_not_begin_has_an_event():
    detail = detail_of({**configured(), "error": {"Error": "RunRefused", "Cause": "no"}})
    assert (detail["outcome"], detail["reason"]) == ("FAILED", "RunRefused: no")
    assert (detail["imports"], detail["solutions"], detail["trials"]) == ([], [], [])


def test_a_clock_that_is_a_little_behind_gives_no_negative_duration():
    assert detail_of(ended_at=NOW - timedelta(seconds=1))["seconds"] == 0


@pytest.mark.parametrize(
    ("item", "size", "seconds"),
    [
        (None, 1000, None),
        (import_item(endedAt=None, bytes=7), 7, None),
        (import_item(arn=None, createdAt=None, endedAt=None, bytes=7), 7, None),
        (import_item(bytes=7), 7, 1800),
    ],
)
def test_an_import_has_a_size_and_after_its_end_a_duration(item, size, seconds):
    planned = planned_import(newestObjectAt=None)
    result = dataset_result(dataset=planned, item=item, error=ERROR, outcome="FAILED")
    document = finished(imports={"results": [result], "anyFailed": True})
    (imported,) = detail_of(document)["imports"]
    assert (imported["bytes"], imported["seconds"]) == (size, seconds)
    assert imported["dataWrittenAt"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"solution": planned_solution(existingVersionArn=VERSION)},
        {},
    ],
    ids=["waiting version", "version of an earlier run"],
)
def test_a_version_that_the_run_did_not_train_costs_the_run_nothing(changes):
    version = training_item(isOfRun=False, trainingHours=2)
    solution = only_solution(version=version, **changes)
    assert (solution["isTrained"], solution["trainingHours"], solution["seconds"]) == (
        False,
        None,
        None,
    )


def test_a_solution_without_a_version_is_not_trained():
    solution = only_solution(version=None, error=ERROR, campaigns=[])
    assert (solution["isTrained"], solution["solutionVersionArn"]) == (False, None)


@pytest.mark.parametrize(
    ("new", "live", "change"),
    [(0.3, 0.4, -0.25), (0.3, None, None), (None, 0.4, None), (0.3, 0, None), (-1, -2, 0.5)],
)
def test_the_change_of_a_metric_is_a_share_of_the_live_value(new, live, change):
    metrics = {NDCG: {"new": new, "live": live}}
    metric = {"new": new, "live": live, "change": change}
    assert only_campaign(metrics=metrics)["metrics"] == {NDCG: metric}


def test_a_campaign_that_could_not_be_read_is_not_known():
    (serving,) = detail_of(standings={})["serving"]
    assert serving == {
        "campaignArn": CAMPAIGN,
        "isKnown": False,
        "servedVersionArn": None,
        "versionOnTrial": None,
    }


def test_a_run_of_a_deleted_state_machine_has_no_campaigns():
    document = {"run": run(), "error": {"Error": "ExecutionDoesNotExist", "Cause": "deleted"}}
    assert detail_of(document, standings={})["serving"] == []


def test_the_event_lists_trials_of_earlier_runs():
    document = finished(
        trials=[campaign_result()],
        plan=plan(todo="NOTHING"),
    )
    for key in ("imports", "solutions"):
        del document[key]
    (trial,) = detail_of(document)["trials"]
    assert (trial["outcome"], trial["servedVersionArn"]) == ("DEPLOYED", VERSION)


# The failing step


def step_of(**changes):
    """Return the failing step of a document with these changes. None removes a key."""
    document = {key: value for key, value in finished(**changes).items() if value is not None}
    return detail_of(document)["failingStep"]


TRIALS = plan(todo="TRIALS")
NO_PARTS = {"imports": None, "solutions": None}
FAILED_JOB = {"phase": "ENDED", "failure": "no"}


def failed_campaign(**changes):
    return [solution_result(campaigns=[campaign_result("FAILED", **changes)])]


FAILED_IMPORT = dataset_result(item=None, error=ERROR, outcome="FAILED")


STEPS = {
    "begin": ({**NO_PARTS, "plan": None, "error": ERROR}, "Plan retraining"),
    "trials": ({**NO_PARTS, "plan": TRIALS, "error": ERROR}, "Retrain solutions"),
    "plan": ({"imports": None, "plan": TRIALS, "error": ERROR}, "Plan retraining"),
    "imports": ({**NO_PARTS, "error": ERROR}, "Import datasets"),
    "solutions": ({"solutions": None, "error": ERROR}, "Retrain solutions"),
    "import": (
        {"imports": {"results": [dataset_result(), FAILED_IMPORT], "anyFailed": True}},
        "Import dataset (interactions)",
    ),
    "create version": (
        {"solutions": [solution_result(version=None, error=ERROR, campaigns=[])]},
        "Train solution (taste)",
    ),
    "watch version": (
        {"solutions": [solution_result(version=failed_training("no"), campaigns=[])]},
        "Train solution (taste)",
    ),
    "update campaigns": (
        {"solutions": [solution_result(error=ERROR, campaigns=[])]},
        "Update campaigns (taste)",
    ),
    "deploy": ({"solutions": failed_campaign()}, "Deploy version (home)"),
    "deploy after an error": (
        {"solutions": failed_campaign(error=ERROR)},
        "Deploy version (home)",
    ),
    "end a trial": (
        {"trials": [campaign_result("FAILED")]},
        "Deploy version (home)",
    ),
    "nothing": ({}, None),
}


@pytest.mark.parametrize(("changes", "step"), STEPS.values(), ids=STEPS)
def test_the_failing_step_is_the_first_state_that_failed(changes, step):
    assert step_of(**changes) == step


def test_an_execution_that_ended_without_a_report_has_no_failing_step():
    document = {**configured(), "run": run(), "error": {"Error": "ABORTED", "Cause": "by hand"}}
    assert detail_of(document)["failingStep"] is None


# The size


def many_campaigns(count, failure):
    failed = campaign_result("FAILED", error={"Error": "E", "Cause": failure})
    campaigns = [
        {**failed, "campaign": planned_campaign(campaignArn=f"{CAMPAIGN}-{number}")}
        for number in range(count)
    ]
    return finished(
        solutions=[solution_result(campaigns=campaigns)], plan=plan(warnings=["w" * 900] * 8)
    )


@pytest.mark.parametrize(("count", "text_bytes"), [(250, 500), (400, 120), (600, 40)])
def test_an_event_that_would_be_too_large_has_shorter_texts(count, text_bytes):
    detail = detail_of(many_campaigns(count, "f" * 900))
    assert len(json.dumps(detail)) <= MAX_DETAIL_BYTES
    assert detail["isComplete"] is False
    campaigns = detail["solutions"][0]["campaigns"]
    assert len(campaigns) == count
    assert json_bytes(campaigns[-1]["failure"]) == text_bytes
    assert detail["solutions"][0]["campaigns"][0]["campaignArn"] == f"{CAMPAIGN}-0"


def test_the_reason_of_a_run_is_never_shortened():
    document = many_campaigns(2000, "f" * 900)
    detail = detail_of({**document, "error": {"Error": "E", "Cause": "x" * 15_000}})
    assert detail["reason"] == "E: " + "x" * 15_000
    assert len(json.dumps(detail)) <= MAX_DETAIL_BYTES


def test_an_event_that_is_too_large_even_then_has_no_parts():
    detail = detail_of(many_campaigns(2000, "f" * 900))
    assert len(json.dumps(detail)) <= MAX_DETAIL_BYTES
    assert (detail["outcome"], detail["solutions"], detail["isComplete"]) == ("FAILED", [], False)
