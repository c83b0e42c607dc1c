"""Tests of the report of a run as data, which is the detail of its event."""

import json
from datetime import timedelta

import pytest

from functions.common.errors import RunRefused
from functions.common.messages import as_message
from functions.common.truncation import MAX_TRIALS_BYTES
from functions.report.model import build_report, find_worst_outcome, keep_worst_results
from tests.functions import samples as s
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    FOREIGN_VERSION,
    IMPORT_JOB,
    NDCG,
    NO_BASELINES,
    OLD_VERSION,
    OTHER_CAMPAIGN,
    RECOMMENDER,
    SOLUTION,
    STARTED,
    VERSION,
    batch_result,
    campaign_result,
    configured,
    dataset_result,
    failed_training,
    finished,
    import_status,
    iso,
    planned_campaign,
    planned_import,
    planned_solution,
    run,
    settings,
    solution_result,
    training_status,
)
from tests.printed import all_printed
from tests.world import PIPELINE

ERROR = {
    "Error": "InvalidInputException",
    "Cause": json.dumps({"errorMessage": "it exists", "errorType": "x"}),
}
ERROR_TEXT = "InvalidInputException: it exists"


def serving(served, on_trial=None, *, is_known=True, is_bad=False, pin=None):
    """Return what the campaign serves at the end of the run."""
    return [
        {
            "campaignArn": CAMPAIGN,
            "isKnown": is_known,
            "servedVersionArn": served,
            "minProvisionedTPS": 1,
            "versionOnTrial": on_trial,
            "isBad": is_bad,
            "pin": pin,
        }
    ]


def report(
    document=None,
    serves=None,
    *,
    recommenders=(),
    ended_at=STARTED + timedelta(hours=2),
    **changes,
):
    """Return the report of a run of two hours. `changes` are changes of a good run's document."""
    return build_report(
        document or finished(**changes),
        serving(VERSION) if serves is None else serves,
        recommenders if recommenders is None else [*recommenders],
        pipeline_name=PIPELINE,
        dashboard_url="https://dashboard",
        ended_at=ended_at,
    )


def recommender(**changes):
    """Return the report of a recommender that was updated a quarter over four days ago."""
    return {
        "recommenderArn": RECOMMENDER,
        "status": "ACTIVE",
        "lastUpdatedAt": iso(4.25 * 24),
        "ageDays": 4.25,
        "metrics": {NDCG: 0.0513, "coverage": 0.27},
        **changes,
    }


def without(*keys, **changes):
    """Return the document of a run that ended before these results were written."""
    return {key: value for key, value in finished(**changes).items() if key not in keys}


def skipped(reason, **changes):
    """Return the document of a run that does nothing."""
    reasons = [as_message(reason)] if reason else []
    document = {"plan": s.plan(todo="NOTHING", reasons=reasons, imports=[], solutions=[])}
    return without("imports", "solutions", **{**document, **changes})


def solution(**changes):
    """Return the report of a solution whose result has these changes."""
    (only,) = report(solutions=[solution_result(**changes)])["solutions"]
    return only


def campaign(*result, serves=None, **changes):
    """Return the report of a campaign with this result."""
    result = solution_result(campaigns=[campaign_result(*result, **changes)])
    (only,) = report(serves=serves, solutions=[result])["solutions"][0]["campaigns"]
    return only


def refused_with(*problems):
    """Return the error of a run that was refused with these problems."""
    cause = {"errorMessage": str(RunRefused(problems)), "errorType": "RunRefused"}
    return {"Error": "RunRefused", "Cause": json.dumps(cause)}


# The recommenders


@pytest.mark.parametrize(
    "recommender_, texts",
    [
        (recommender(), []),
        (recommender(status="INACTIVE"), ["is INACTIVE, so it answers no requests"]),
        (recommender(status="CREATE PENDING"), ["is CREATE PENDING, so it answers no requests"]),
        (recommender(status="CREATE FAILED"), ["is CREATE FAILED, so it answers no requests"]),
    ],
)
def test_a_recommender_that_is_not_active_is_a_warning_for_a_person(recommender_, texts):
    warnings = [
        {"text": f"the recommender {RECOMMENDER} {text}", "needsPerson": True} for text in texts
    ]
    assert report(recommenders=[recommender_])["warnings"] == warnings


# The run

START = {"text": "too few rows", "command": "retrain start"}


def test_golden_report_of_a_good_run(golden):
    version = training_status(trainingHours=1.5, createdAt=iso(1.25))
    other = planned_campaign(campaignArn=OTHER_CAMPAIGN)
    imported = dataset_result(status=import_status(bytes=2 * 10**9))
    good = report(
        plan=s.plan(users=40, warnings=[as_message("the config has no probe")]),
        settings=settings(trainingHourPrice=0.25),
        imports={"results": [imported], "anyFailed": False},
        solutions=[
            solution_result(
                solution=planned_solution(trainingMode="UPDATE"),
                version=version,
                batchJobs=[batch_result()],
            )
        ],
        trials=[campaign_result("SKIPPED", "it was moved", campaign=other, metrics=[])],
    )
    golden("report.json", json.dumps(good, indent=2) + "\n")


ENDS = {
    "nothing to do": (skipped("nothing is new"), "SKIPPED", None, ["nothing is new"]),
    "refused before planning": (
        {**configured(), "error": refused_with(START, "the input is wrong")},
        "FAILED",
        "RunRefused",
        ["too few rows: `retrain start`", "the input is wrong"],
    ),
    "error after planning": (
        without("solutions", error=ERROR),
        "FAILED",
        "InvalidInputException",
        [ERROR_TEXT],
    ),
    "all trainings held back": (finished(solutions=[]), "IMPORTED", None, []),
}


@pytest.mark.parametrize("document, outcome, error, reasons", ENDS.values(), ids=ENDS)
def test_a_run_may_end_at_any_state(document, outcome, error, reasons):
    ended = report(document)
    assert (ended["outcome"], ended["error"]) == (outcome, error)
    assert all_printed(ended["reasons"]) == reasons


@pytest.mark.parametrize("execution_input", [{}, [], {"scheduledTime": 5}, {"trigger": "x" * 999}])
def test_a_run_that_was_refused_is_reported_whatever_its_input_was(execution_input):
    refused = report({**configured(execution_input), "error": ERROR}, [])
    assert refused["runId"].startswith("20261129-")
    assert refused["trigger"] == ("unknown" if "trigger" in execution_input else "manual")
    assert (refused["imports"], refused["solutions"], refused["trainingCost"]) == ([], [], None)


@pytest.mark.parametrize("trigger", ["schedule", "export", "trials", "deployments", "manual"])
def test_a_known_trigger_is_named(trigger):
    assert report(run=run(trigger=trigger))["trigger"] == trigger


@pytest.mark.parametrize(
    "cause, text",
    [
        ('{"errorMessage": "1 problem", "errorType": "X"}', "1 problem"),
        ("no such path", "no such path"),
        ('{"other": 1}', '{"other": 1}'),
        ("[]", "[]"),
        (None, "no cause given"),
    ],
)
def test_a_cause_is_shown_as_the_message_of_the_function_or_as_it_is(cause, text):
    error = {"Error": "X", **({} if cause is None else {"Cause": cause})}
    assert report(error=error)["reasons"] == [{"text": f"X: {text}"}]


def test_the_outcome_of_a_run_is_the_worst_one():
    outcomes = ["IMPORTED", "SKIPPED", "TRAINED", "DEPLOYED", "REJECTED", "ROLLED_BACK", "FAILED"]
    assert [find_worst_outcome(outcomes[: last + 1]) for last in range(7)] == outcomes
    failed = solution_result(version=failed_training(), campaigns=[])
    assert report(solutions=[solution_result(), failed])["outcome"] == "FAILED"
    not_written = solution_result(batchJobs=[batch_result(outcome="FAILED")])
    assert report(solutions=[not_written])["outcome"] == "FAILED"
    imports = [dataset_result(), dataset_result(outcome="FAILED")]
    document = without("solutions", imports={"results": imports, "anyFailed": True})

    assert report(document)["outcome"] == "FAILED"


@pytest.mark.parametrize(
    "host, partition",
    [
        ("console.amazonaws.cn", "aws-cn"),
        ("console.amazonaws-us-gov.com", "aws-us-gov"),
        ("console.aws.amazon.com", "aws-new"),
    ],
)
def test_each_partition_has_its_console(host, partition):
    execution = EXECUTION.replace("arn:aws:", f"arn:{partition}:")
    url = report(run=run(executionArn=execution))["executionUrl"]
    assert url.startswith(f"https://{host}/states/home?region=eu-west-1#")


def test_a_clock_that_is_a_little_behind_gives_no_negative_duration():
    assert report(ended_at=STARTED - timedelta(seconds=1))["seconds"] == 0


# Imports


@pytest.mark.parametrize(
    "status, error, facts",
    [
        (None, ERROR, ([{"text": ERROR_TEXT}], None, 1000, None)),
        (
            import_status(endedAt=None, bytes=7, reasons=[START, {"text": "too few items"}]),
            None,
            ([START, {"text": "too few items"}], IMPORT_JOB, 7, None),
        ),
        (
            import_status(bytes=7, reasons=[{"text": "it hangs"}]),
            ERROR,
            ([{"text": ERROR_TEXT}, {"text": "it hangs"}], IMPORT_JOB, 7, 1800),
        ),
    ],
    ids=["not created", "failed", "failed later"],
)
def test_a_failed_import_has_its_reason(status, error, facts):
    planned = planned_import(newestObjectAt=None)
    result = dataset_result(dataset=planned, status=status, error=error, outcome="FAILED")
    (failed,) = report(imports={"results": [result], "anyFailed": True})["imports"]
    assert (failed["outcome"], failed["dataWrittenAt"]) == ("FAILED", None)
    keys = ("reasons", "datasetImportJobArn", "bytes", "seconds")

    assert tuple(failed[key] for key in keys) == facts


# Solutions

SOLUTIONS = {
    "failed": ({"version": failed_training("too few users"), "campaigns": []}, "FAILED"),
    "skipped": (
        {"version": failed_training("the limit", outcome="SKIPPED"), "campaigns": []},
        "SKIPPED",
    ),
    "ended by an error": (
        {"version": training_status(outcome=None), "error": ERROR, "campaigns": []},
        "FAILED",
    ),
    "not started": ({"version": None, "error": ERROR, "campaigns": []}, "FAILED"),
    "campaigns not reached": ({"error": ERROR, "campaigns": []}, "FAILED"),
    "without campaigns": ({"campaigns": []}, "TRAINED"),
    "worst campaign": (
        {"campaigns": [campaign_result("SKIPPED"), campaign_result()]},
        "DEPLOYED",
    ),
}


@pytest.mark.parametrize("result, outcome", SOLUTIONS.values(), ids=SOLUTIONS)
def test_a_solution_has_the_outcome_of_its_training_or_of_its_campaigns(result, outcome):
    version = result.get("version", training_status())
    error = result.get("error")
    reasons = [*([{"text": ERROR_TEXT}] if error else []), *(version["reasons"] if version else [])]
    found = solution(**result)

    assert (found["outcome"], found["reasons"]) == (outcome, reasons)
    assert found["solutionVersionArn"] == (VERSION if version else None)


def test_a_version_that_the_run_did_not_train_costs_the_run_nothing():
    existing = solution(version=training_status(isNew=False, trainingHours=2))
    assert [existing[key] for key in ("isTrained", "trainingHours", "seconds")] == [
        False,
        None,
        None,
    ]
    assert report(solutions=[solution_result()])["trainingCost"] is None, "no price is set"


def test_a_deletion_is_named_if_the_run_has_trained():
    earlier = solution_result(version=training_status(isNew=False))
    plan = s.plan(dataDeletionJobArn="job")
    all_results = ([solution_result()], [earlier], [])
    reports = [report(plan=plan, solutions=results) for results in all_results]

    assert [one["dataDeletionJobArn"] for one in reports] == ["job", None, None]


def test_a_run_costs_its_training_hours_unless_the_recipe_is_priced_otherwise_and_its_imports():
    def costs(recipe):
        planned = planned_solution(recipe=recipe)
        result = solution_result(solution=planned, version=training_status(trainingHours=2))
        imported = dataset_result(status=import_status(bytes=20 * 10**9))
        not_begun = dataset_result(dataset=planned_import(bytes=10**12), status=None)
        imports = {"results": [imported, not_begun], "anyFailed": True}
        priced = settings(trainingHourPrice=0.24)
        found = report(settings=priced, imports=imports, solutions=[result])

        return found["trainingCost"], found["importCost"]

    assert costs("aws-user-personalization") == (0.48, 1.0)
    assert costs("aws-user-personalization-v2") == (0, 1.0)


# Campaigns


def test_a_campaign_whose_function_failed_has_the_error():
    failed = {**campaign_result("FAILED", error=ERROR), "status": None}
    (found,) = solution(campaigns=[failed])["campaigns"]

    assert found == {
        "campaignArn": CAMPAIGN,
        "outcome": "FAILED",
        "reasons": [{"text": ERROR_TEXT}],
        "versionArn": None,
        "previousVersionArn": None,
        "metrics": [],
        "seconds": None,
    }


def test_the_change_of_a_metric_is_that_of_the_multiples_of_its_baselines():
    values = {"metric": NDCG, "new": 0.3, "served": 0.4, "newBaseline": 0.1, "servedBaseline": 0.2}
    reported = campaign(metrics=[{**values, "hasDropped": True}])["metrics"]
    assert reported == [{**NO_BASELINES, **values, "hasDropped": True, "change": 0.5}]


@pytest.mark.parametrize(
    "outcome, serves, outcome_now, reasons",
    [
        ("DEPLOYED", serving(VERSION), "DEPLOYED", []),
        ("DEPLOYED", serving(None, is_known=False), "DEPLOYED", []),
        (
            "DEPLOYED",
            serving(FOREIGN_VERSION),
            "SKIPPED",
            [f"the campaign serves {FOREIGN_VERSION} now"],
        ),
        ("DEPLOYED", serving(None), "SKIPPED", ["the campaign serves nothing now"]),
        ("ROLLED_BACK", serving(OLD_VERSION), "ROLLED_BACK", ["0 results"]),
        (
            "ROLLED_BACK",
            serving(VERSION),
            "FAILED",
            ["0 results", f"the campaign serves {VERSION} now"],
        ),
    ],
)
def test_an_outcome_says_what_the_campaign_serves_now(outcome, serves, outcome_now, reasons):
    found = campaign(outcome, *(["0 results"] if outcome == "ROLLED_BACK" else []), serves=serves)
    assert (found["outcome"], all_printed(found["reasons"])) == (outcome_now, reasons)


# Trials of earlier runs

TRIAL = campaign_result("ROLLED_BACK", "the probe failed: 0 results")
OTHER_TRIAL = campaign_result(campaign=planned_campaign(campaignArn=OTHER_CAMPAIGN))
RETRAINED = [solution_result()]


@pytest.mark.parametrize(
    "trials, solutions, served, outcomes",
    [
        ([campaign_result(), TRIAL], [], OLD_VERSION, ["SKIPPED", "ROLLED_BACK"]),
        ([campaign_result()], [], VERSION, ["DEPLOYED"]),
        ([OTHER_TRIAL, TRIAL], RETRAINED, VERSION, ["DEPLOYED", "ROLLED_BACK"]),
        ([campaign_result(versionArn=OLD_VERSION)], RETRAINED, VERSION, ["DEPLOYED"]),
    ],
    ids=["moved since", "passed", "before the work", "before another version was deployed"],
)
def test_trials_have_their_outcomes_and_the_run_the_worst(trials, solutions, served, outcomes):
    ended = report(serves=serving(served), trials=trials, solutions=solutions)
    assert [trial["outcome"] for trial in ended["trials"]] == outcomes
    assert ended["outcome"] == outcomes[-1]


def test_only_the_worst_trials_stay_if_there_are_many():
    many = [campaign_result(outcome) for outcome in ("DEPLOYED", "FAILED", "SKIPPED") * 9]
    kept = keep_worst_results(many)

    assert [result["outcome"] for result in kept] == ["FAILED"] * 9 + ["DEPLOYED"] * 6
    assert len(json.dumps(kept)) <= MAX_TRIALS_BYTES < len(json.dumps([*kept, many[0]]))
    assert keep_worst_results([]) == []


# Warnings


def test_the_warnings_of_the_plan_and_of_each_job_are_listed():
    result = solution_result(
        version=training_status(warnings=["about /new"]),
        campaigns=[
            campaign_result(warnings=["about home"]),
            {**campaign_result("FAILED", error=ERROR), "status": None},
        ],
        batchJobs=[batch_result(warnings=["about the results"])],
    )
    document = finished(
        plan=s.plan(warnings=[as_message("about the plan")]),
        solutions=[result, solution_result(version=None)],
    )

    warnings = report(document)["warnings"]
    assert all_printed(warnings) == [
        "about the plan",
        f"{CAMPAIGN}: about home",
        f"{SOLUTION}: about /new",
        "s3://batch/out/: about the results",
    ]
    assert ["needsPerson" in warning for warning in warnings] == [False, True, True, True], (
        "what a job warns of is sent with notifications.on: problems"
    )
