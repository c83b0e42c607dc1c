"""How a run ended, in data and in words."""

import json

import pytest

from functions.report import report_of, worst
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    EXECUTION,
    FOREIGN_VERSION,
    IMPORT_JOB,
    JOB_NAME,
    NDCG,
    NOW,
    OLD_VERSION,
    RUN_ID,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    campaign_result,
    configured,
    dataset_result,
    ended_job,
    evaluation,
    finished,
    job,
    plan,
    planned_import,
    planned_solution,
    probing,
    solution_result,
)

ERROR = {"Error": "NameTaken", "Cause": json.dumps({"errorMessage": "it exists", "errorType": "x"})}
IMPORTED = {
    "type": "interactions",
    "outcome": "IMPORTED",
    "datasetImportJobArn": IMPORT_JOB,
    "failure": None,
}
DEPLOYED = {
    "campaignArn": CAMPAIGN,
    "outcome": "DEPLOYED",
    "previousVersionArn": OLD_VERSION,
    "metrics": {NDCG: {"new": 0.42, "live": 0.4}},
    "failure": None,
}
RETRAINED = {
    "solutionArn": SOLUTION,
    "outcome": "DEPLOYED",
    "solutionVersionArn": VERSION,
    "trainingMode": "FULL",
    "adopted": False,
    "failure": None,
    "campaigns": [DEPLOYED],
}


def failed(error=None, **changes):
    """A job that ended badly, or an error that kept it from starting."""
    changes = {"phase": "ENDED", "status": "CREATE FAILED", "failure": "too few users", **changes}
    return {"job": None, "error": error} if error else {"job": job(**changes), "error": None}


def retrained(**changes):
    """The report of the first solution."""
    return report_of(finished(solutions=[solution_result(**changes)]))["solutions"][0]


def test_a_run_that_deployed_everything_says_so():
    assert report_of(finished()) == {
        "status": "DEPLOYED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": None,
        "imports": [IMPORTED],
        "solutions": [RETRAINED],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: DEPLOYED\n"
        "  import of interactions: IMPORTED\n"
        f"  {SOLUTION}: DEPLOYED\n"
        f"    version {VERSION}\n"
        f"    {CAMPAIGN}: DEPLOYED",
    }


def test_a_run_that_was_skipped_says_why():
    document = finished(plan=plan(skipped="this is a dry run"))
    del document["imports"], document["solutions"]
    assert report_of(document) == {
        "status": "SKIPPED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": "this is a dry run",
        "imports": [],
        "solutions": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: SKIPPED: this is a dry run",
    }


@pytest.mark.parametrize("given", [{}, [], {"scheduledTime": 5}])
def test_a_run_that_could_not_be_planned_is_reported_whatever_it_was_given(given):
    error = {"Error": "RunRefused", "Cause": '{"errorMessage": "1 problem"}'}
    made = report_of({**configured(given), "error": error})
    assert made == {
        "status": "FAILED",
        "runId": "20261129-f4750e9e",
        "executionArn": EXECUTION,
        "reason": "RunRefused: 1 problem",
        "imports": [],
        "solutions": [],
        "warnings": [],
        "text": "Retraining run 20261129-f4750e9e: FAILED: RunRefused: 1 problem",
    }


def test_a_scheduled_run_that_could_not_be_planned_has_its_slots_name():
    given = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
    error = {"Error": "States.Timeout"}
    made = report_of({**configured(given), "error": error})
    assert (made["runId"], made["reason"]) == (RUN_ID, "States.Timeout: no cause given")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ('{"errorMessage": "1 problem", "errorType": "RunRefused"}', "1 problem"),
        ("no such path", "no such path"),
        ('{"other": 1}', '{"other": 1}'),
        ("[]", "[]"),
        ("", ""),
    ],
)
def test_a_cause_is_given_as_the_functions_message_or_as_it_is(cause, words):
    made = report_of({**finished(), "error": {"Error": "X", "Cause": cause}})
    assert made["reason"] == f"X: {words}"


def test_an_error_outside_of_all_iterations_fails_the_run():
    made = report_of(finished(error=ERROR))
    assert (made["status"], made["reason"]) == ("FAILED", "NameTaken: it exists")


@pytest.mark.parametrize(
    ("how", "arn", "failure"),
    [
        (failed(arn=IMPORT_JOB), IMPORT_JOB, "too few users"),
        (failed(ERROR), None, "NameTaken: it exists"),
    ],
)
def test_a_failed_import_fails_the_run_that_then_trains_nothing(how, arn, failure):
    items = dataset_result(dataset=planned_import(type="items"), outcome="FAILED", **how)
    document = finished(imports={"results": [dataset_result(), items], "anyFailed": True})
    del document["solutions"]
    made = report_of(document)
    assert made["status"] == "FAILED"
    assert made["imports"] == [
        IMPORTED,
        {"type": "items", "outcome": "FAILED", "datasetImportJobArn": arn, "failure": failure},
    ]
    assert made["text"] == (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        f"  import of items: FAILED: {failure}"
    )


def test_an_import_that_found_no_slot_has_no_arn():
    waiting = ended_job(DATASET, phase="ENDED", status="WAITING", failure="no slot")
    del waiting["createdAt"]
    document = finished(imports={"results": [dataset_result(job=waiting, outcome="FAILED")]})
    assert report_of(document)["imports"] == [
        {**IMPORTED, "outcome": "FAILED", "datasetImportJobArn": None, "failure": "no slot"}
    ]


@pytest.mark.parametrize("phase", ["ENDED", "OVERDUE", "UNDER_WAY"])
def test_a_training_that_is_not_active_failed(phase):
    version = job(phase=phase, failure="too few users")
    assert retrained(version=version, campaigns=[]) == {
        **RETRAINED,
        "outcome": "FAILED",
        "failure": "too few users",
        "campaigns": [],
    }


def test_a_training_that_could_not_start_has_no_version():
    assert retrained(version=None, error=ERROR, campaigns=[]) == {
        **RETRAINED,
        "outcome": "FAILED",
        "solutionVersionArn": None,
        "failure": "NameTaken: it exists",
        "campaigns": [],
    }


def test_a_training_whose_campaigns_could_not_be_updated_at_all_failed():
    made = retrained(error=ERROR, campaigns=[])
    assert (made["outcome"], made["failure"]) == ("FAILED", "NameTaken: it exists")


def test_a_solution_without_campaigns_is_trained():
    assert retrained(campaigns=[]) == {**RETRAINED, "outcome": "TRAINED", "campaigns": []}


def test_an_updated_solution_and_an_adopted_version_are_named_so():
    made = retrained(
        solution=planned_solution(trainingMode="UPDATE"),
        version=ended_job(FOREIGN_VERSION, foreign=True),
    )
    assert made == {
        **RETRAINED,
        "trainingMode": "UPDATE",
        "adopted": True,
        "solutionVersionArn": FOREIGN_VERSION,
    }
    assert (
        f"    version {FOREIGN_VERSION}, foreign and adopted\n"
        in (
            report_of(
                finished(
                    solutions=[solution_result(version=ended_job(FOREIGN_VERSION, foreign=True))]
                )
            )["text"]
        )
    )


@pytest.mark.parametrize(
    ("update", "error", "outcome", "expected"),
    [
        (
            ended_job(phase="ENDED", failure="no capacity"),
            None,
            "FAILED",
            {"previousVersionArn": None, "failure": "no capacity"},
        ),
        (None, ERROR, "FAILED", {"previousVersionArn": None, "failure": "NameTaken: it exists"}),
        (
            ended_job(phase="SUPERSEDED", failure="it serves x"),
            None,
            "SKIPPED",
            {"previousVersionArn": None, "failure": "it serves x"},
        ),
    ],
)
def test_each_campaign_has_its_own_outcome_and_the_solution_the_worst(
    update, error, outcome, expected
):
    other = campaign_result(update=update, error=error, outcome=outcome)
    assert retrained(campaigns=[campaign_result(), other]) == {
        **RETRAINED,
        "outcome": outcome,
        "campaigns": [DEPLOYED, {**DEPLOYED, "outcome": outcome, **expected}],
    }


def test_a_failed_solution_fails_the_run_whatever_the_others_did():
    bad = solution_result(version=None, error=ERROR, campaigns=[])
    made = report_of(finished(solutions=[solution_result(), bad]))
    assert made["status"] == "FAILED"
    assert made["text"] == (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        f"  {SOLUTION}: DEPLOYED\n"
        f"    version {VERSION}\n"
        f"    {CAMPAIGN}: DEPLOYED\n"
        f"  {SOLUTION}: FAILED: NameTaken: it exists"
    )


def test_the_worst_outcome_counts():
    outcomes = ["DEPLOYED", "TRAINED", "SKIPPED", "REJECTED", "ROLLED_BACK", "FAILED"]
    assert [worst(outcomes[: last + 1]) for last in range(6)] == outcomes


def test_warnings_of_the_plan_and_of_every_job_are_given_in_running_order():
    def warned(arn):
        return ended_job(arn, warnings=[f"about {arn[-4:]}"])

    document = finished(
        plan=plan(warnings=["about the plan"]),
        imports={"results": [dataset_result(job=warned(IMPORT_JOB)), dataset_result(job=None)]},
        solutions=[
            solution_result(
                version=warned(VERSION),
                campaigns=[campaign_result(update=warned(CAMPAIGN)), campaign_result(update=None)],
            ),
            solution_result(version=None),
        ],
    )
    made = report_of(document)
    assert made["warnings"] == [
        "about the plan",
        f"{IMPORT_JOB}: about ns-1",
        f"{VERSION}: about /new",
        f"{CAMPAIGN}: about home",
    ]
    assert made["text"].endswith(
        f"  warning: about the plan\n  warning: {IMPORT_JOB}: about ns-1\n"
        f"  warning: {VERSION}: about /new\n  warning: {CAMPAIGN}: about home"
    )


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        ("ServiceUnavailable", True),
        ("Lambda.Unknown", True),
        ("Sandbox.Timedout", True),
        ("Runtime.ExitError", True),
        ("States.Timeout", True),
        ("Throttled", True),
        ("ResourceNotFoundException", True),
        ("LimitExceededException", False),
        ("InvalidInputException", False),
        ("NameTaken", False),
    ],
)
def test_what_may_have_been_created_unseen_is_told_by_its_name(error, unknown):
    unanswered = {"Error": error, "Cause": "no answer"}
    nothing = dataset_result(job=None, error=unanswered, outcome="FAILED")
    seen = dataset_result(job=job(IMPORT_JOB), error=unanswered, outcome="FAILED")
    document = finished(
        imports={"results": [nothing, seen]},
        solutions=[
            solution_result(version=None, error=unanswered),
            solution_result(version=job(), error=unanswered),
        ],
    )
    adopts = f"may have been created; to resume run {RUN_ID} adopts it"
    expected = [f"{JOB_NAME} {adopts}", f"{VERSION_NAME} {adopts}"] if unknown else []
    assert report_of(document)["warnings"] == expected, "what has an ARN is in the report"


def test_the_text_fits_into_a_state_machines_cause():
    made = report_of(finished(plan=plan(warnings=["x" * 40_000])))
    assert len(made["text"]) == 30_000
    assert made["warnings"] == ["x" * 40_000], "the data is whole"


# the guards


def campaign_reported(**changes):
    return retrained(campaigns=[campaign_result(**changes)])["campaigns"][0]


def test_a_rejected_version_is_told_with_its_reasons_and_both_values():
    metrics = {NDCG: {"new": 0.1, "live": 0.4}}
    judged = evaluation(verdict="REJECTED", reasons=["it fell", "it is low"], metrics=metrics)
    assert campaign_reported(evaluation=judged, update=None, outcome="REJECTED") == {
        "campaignArn": CAMPAIGN,
        "outcome": "REJECTED",
        "previousVersionArn": None,
        "metrics": metrics,
        "failure": "it fell; it is low",
    }


def test_a_campaign_that_was_not_judged_has_no_metrics():
    assert campaign_reported(evaluation=None, update=None, error=ERROR, outcome="FAILED") == {
        "campaignArn": CAMPAIGN,
        "outcome": "FAILED",
        "previousVersionArn": None,
        "metrics": {},
        "failure": "NameTaken: it exists",
    }


def test_a_rollback_is_told_with_the_last_bad_answer():
    failed_probe = probing(phase="FAILED", badInARow=3, failure="0 results, fewer than 5")
    back = ended_job(CAMPAIGN)
    assert campaign_reported(probing=failed_probe, rollback=back, outcome="ROLLED_BACK") == {
        **DEPLOYED,
        "outcome": "ROLLED_BACK",
        "failure": "the probe failed: 0 results, fewer than 5",
    }


def test_a_rollback_that_failed_says_why_beside_the_probe():
    failed_probe = probing(phase="FAILED", badInARow=3, failure="no campaign")
    stuck = ended_job(CAMPAIGN, phase="ENDED", failure="no capacity")
    made = campaign_reported(probing=failed_probe, rollback=stuck, outcome="FAILED")
    assert made["failure"] == "no capacity; the probe failed: no campaign"


def test_what_an_update_and_its_rollback_warned_of_is_told():
    update, rollback = (
        ended_job(CAMPAIGN, warnings=[f"unknown status {status}"]) for status in ("ODD", "EVEN")
    )
    campaign = campaign_result(update=update, rollback=rollback, outcome="ROLLED_BACK")
    made = report_of(finished(solutions=[solution_result(campaigns=[campaign])]))
    assert made["warnings"] == [
        f"{CAMPAIGN}: unknown status ODD",
        f"{CAMPAIGN}: unknown status EVEN",
    ]


def test_a_probe_that_passed_is_no_failure_although_an_answer_was_bad():
    passed = probing(phase="PASSED", failure="0 results, fewer than 5")
    assert campaign_reported(probing=passed) == DEPLOYED


def test_a_solution_whose_training_was_left_out_is_skipped():
    skipped = {
        **job(SOLUTION, phase="SKIPPED", status="SKIPPED", failure=f"{EXECUTION} is under way"),
    }
    del skipped["createdAt"]
    assert retrained(version=skipped, campaigns=[]) == {
        **RETRAINED,
        "outcome": "SKIPPED",
        "solutionVersionArn": None,
        "failure": f"{EXECUTION} is under way",
        "campaigns": [],
    }


def test_what_the_gate_could_not_compare_is_a_warning():
    judged = evaluation(notes=["x could not be compared"])
    unjudged = campaign_result(evaluation=None, error=ERROR, outcome="FAILED")
    solution = solution_result(campaigns=[campaign_result(evaluation=judged), unjudged])
    assert report_of(finished(solutions=[solution]))["warnings"] == [
        f"{CAMPAIGN}: x could not be compared"
    ]
