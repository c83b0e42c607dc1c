"""Tests of the report of a run, as data and as text."""

import json
import re

import pytest

from functions.campaign_reports import with_trials, worst_outcome
from functions.report import MAX_REPORT_BYTES, output_of, report_of
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    FOREIGN_VERSION,
    IMPORT_JOB,
    NDCG,
    NOW,
    OLD_VERSION,
    RUN_ID,
    SOLUTION,
    VERSION,
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
    solution_result,
    training_item,
)

MAX_CAUSE_CHARACTERS = 32_768
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""
ERROR = {
    "Error": "InvalidInputException",
    "Cause": json.dumps({"errorMessage": "it exists", "errorType": "x"}),
}
IMPORTED = {
    "type": "interactions",
    "outcome": "IMPORTED",
    "datasetImportJobArn": IMPORT_JOB,
    "failure": None,
}
DEPLOYED = {
    "campaignArn": CAMPAIGN,
    "outcome": "DEPLOYED",
    "servedVersionArn": None,
    "previousVersionArn": OLD_VERSION,
    "metrics": {NDCG: {"new": 0.42, "live": 0.4}},
    "failure": None,
}
RETRAINED = {
    "solutionArn": SOLUTION,
    "outcome": "DEPLOYED",
    "solutionVersionArn": VERSION,
    "trainingMode": "FULL",
    "failure": None,
    "campaigns": [DEPLOYED],
}


def without_jobs(status, reason, run_id=RUN_ID):
    """Return the report of a run that did nothing."""
    return {
        "status": status,
        "runId": run_id,
        "executionArn": EXECUTION,
        "reason": reason,
        "imports": [],
        "solutions": [],
        "trials": [],
        "warnings": [],
        "text": f"Retraining run {run_id}: {status}: {reason}",
    }


def solution_report(**changes):
    """Return the report of a solution whose result has these changes."""
    return report_of(finished(solutions=[solution_result(**changes)]))["solutions"][0]


def campaign_report(*result, **changes):
    """Return the report of a campaign with this result."""
    return solution_report(campaigns=[campaign_result(*result, **changes)])["campaigns"][0]


OLD_VERSION_IS_SERVED = (
    f"{SOLUTION}: a campaign keeps an older version. With the recipes User-Personalization and "
    "Next-Best-Action, Personalize adds new items to the newest version only; correct the data or "
    "the rules, and train again soon"
)


# The run


def test_a_run_that_deployed_everything():
    assert report_of(finished()) == {
        "status": "DEPLOYED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": None,
        "imports": [IMPORTED],
        "solutions": [RETRAINED],
        "trials": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: DEPLOYED\n"
        "  import of interactions: IMPORTED\n"
        f"  {SOLUTION}: DEPLOYED\n"
        f"    version {VERSION}\n"
        f"    {CAMPAIGN}: DEPLOYED\n"
        f"      {NDCG}: 0.4 -> 0.42 (+5.0%)",
    }


def test_a_run_that_was_skipped_has_a_reason():
    document = finished(plan=plan(todo="NOTHING", reason="nothing is new"))
    del document["imports"], document["solutions"]
    assert report_of(document) == without_jobs("SKIPPED", "nothing is new")


@pytest.mark.parametrize("execution_input", [{}, [], {"scheduledTime": 5}])
def test_a_run_that_was_refused_is_reported_whatever_its_input_was(execution_input):
    error = {"Error": "RunRefused", "Cause": '{"errorMessage": "1 problem"}'}
    report = report_of({**configured(execution_input), "error": error})
    assert report == without_jobs("FAILED", "RunRefused: 1 problem", "20261129-f4750e9e")


def test_a_scheduled_run_that_could_not_be_planned_has_its_id():
    request = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
    report = report_of({**configured(request), "error": {"Error": "States.Timeout"}})
    assert (report["runId"], report["reason"]) == (RUN_ID, "States.Timeout: no cause given")


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ('{"errorMessage": "1 problem", "errorType": "RunRefused"}', "1 problem"),
        ("no such path", "no such path"),
        ('{"other": 1}', '{"other": 1}'),
        ("[]", "[]"),
        ("", ""),
    ],
)
def test_a_cause_is_shown_as_the_message_of_the_function_or_as_it_is(cause, text):
    report = report_of({**finished(), "error": {"Error": "X", "Cause": cause}})
    assert report["reason"] == f"X: {text}"


def test_an_error_outside_of_the_iterations_fails_the_run():
    report = report_of(finished(error=ERROR))
    assert (report["status"], report["reason"]) == ("FAILED", "InvalidInputException: it exists")


def test_the_status_of_a_run_is_its_worst_outcome():
    outcomes = ["DEPLOYED", "TRAINED", "SKIPPED", "REJECTED", "ROLLED_BACK", "FAILED"]
    assert [worst_outcome(outcomes[: last + 1]) for last in range(6)] == outcomes


def test_the_text_fits_into_the_cause_of_a_state_machine():
    warnings = [f"{number} {'x' * 990}" for number in range(40)]
    report = report_of(finished(plan=plan(warnings=warnings)))
    assert report["warnings"] == [*warnings[:8], "… and 32 more"]
    assert len(json.dumps(report["text"])) <= MAX_REPORT_BYTES < MAX_CAUSE_CHARACTERS


def test_the_text_of_a_refused_run_with_the_longest_reason_begins_with_the_reason():
    error = {"Error": "RunRefused", "Cause": "y" * 40_000}
    report = report_of({**configured(), "run": run(), "error": error, "plan": plan()})
    assert report["text"].startswith(f"Retraining run {RUN_ID}: FAILED: RunRefused: yyy")
    assert len(report["text"]) > 15_000, "only the end of the reason is cut"
    assert len(json.dumps(report["text"])) <= MAX_REPORT_BYTES


def test_a_failure_of_several_lines_is_one_line_of_the_text():
    failure = "too few users\r\n\n  arn: DEPLOYED"
    solutions = [solution_result(version=failed_training(failure), campaigns=[])]
    trial = campaign_result("FAILED", error={"Error": "E", "Cause": failure})
    lines = report_of(finished(solutions=solutions, trials=[trial]))["text"].splitlines()
    assert f"  {SOLUTION}: FAILED: too few users arn: DEPLOYED" in lines
    assert f"  trial at {CAMPAIGN}: FAILED: E: too few users arn: DEPLOYED" in lines


def test_a_text_that_is_too_long_begins_with_the_worst_outcomes():
    good, bad = (
        campaign_result(campaign=planned_campaign(campaignArn=f"{CAMPAIGN}-{number}"))
        for number in range(2)
    )
    failure = "x" * 500
    bad = {**bad, "outcome": "FAILED", "error": {"Error": "E", "Cause": failure}}
    good_solution = solution_result(campaigns=[good])
    bad_solution = solution_result(campaigns=[good, bad])
    imports = [
        dataset_result(),
        dataset_result(outcome="FAILED", error={"Error": "E", "Cause": "no"}),
    ]
    document = finished(
        imports={"results": imports, "anyFailed": True},
        solutions=[*[good_solution] * 3, *[bad_solution] * 60],
    )
    report = report_of(document)
    lines = report["text"].splitlines()
    assert lines[:6] == [
        f"Retraining run {RUN_ID}: FAILED",
        "  import of interactions: FAILED: E: no",
        "  import of interactions: IMPORTED",
        f"  {SOLUTION}: FAILED",
        f"    version {VERSION}",
        f"    {CAMPAIGN}-1: FAILED: E: {failure}",
    ]
    assert re.fullmatch(
        r"… and \d+ more lines; the output of this execution has the whole report", lines[-1]
    )
    assert NDCG not in report["text"], "the metrics are left out before the failures"
    assert len(json.dumps(report["text"])) <= MAX_REPORT_BYTES
    assert [item["outcome"] for item in report["solutions"]] == ["DEPLOYED"] * 3 + ["FAILED"] * 60


def test_the_output_has_the_document_and_the_report():
    document = finished()
    report = report_of(document)
    assert output_of(document, report) == {**document, "outcome": report}


def test_an_output_that_would_be_too_large_has_only_the_report():
    document = finished(plan=plan(warnings=["x" * 250_000]))
    report = report_of(document)
    assert output_of(document, report) == {"run": document["run"], "outcome": report}
    document = finished(plan=plan(warnings=["x" * 200_000]))
    assert "plan" in output_of(document, report_of(document))


# Imports

NOT_IMPORTED = import_item(outcome="FAILED", reasons=["too few users", "too few items"])


@pytest.mark.parametrize(
    ("result", "arn", "failure"),
    [
        ({"item": NOT_IMPORTED, "error": None}, IMPORT_JOB, "too few users; too few items"),
        ({"item": None, "error": ERROR}, None, "InvalidInputException: it exists"),
    ],
    ids=["failed", "not created"],
)
def test_a_failed_import_fails_the_run(result, arn, failure):
    items = dataset_result(dataset=planned_import(type="items"), outcome="FAILED", **result)
    document = finished(imports={"results": [dataset_result(), items], "anyFailed": True})
    del document["solutions"]
    report = report_of(document)
    assert report["status"] == "FAILED"
    assert report["imports"] == [
        IMPORTED,
        {"type": "items", "outcome": "FAILED", "datasetImportJobArn": arn, "failure": failure},
    ]
    assert report["text"] == (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        f"  import of items: FAILED: {failure}"
    )


# Solutions


@pytest.mark.parametrize("outcome", ["FAILED", "SKIPPED"])
def test_a_training_without_success_has_its_reason(outcome):
    version = failed_training("too few users", outcome=outcome)
    assert solution_report(version=version, campaigns=[]) == {
        **RETRAINED,
        "outcome": outcome,
        "failure": "too few users",
        "campaigns": [],
    }


def test_a_training_that_an_error_of_the_state_machine_has_ended_is_failed():
    version = training_item(outcome=None, phase="TRAINING")
    report = solution_report(version=version, error=ERROR, campaigns=[])
    assert (report["outcome"], report["failure"]) == ("FAILED", "InvalidInputException: it exists")


def test_a_training_that_was_not_started_has_no_version():
    assert solution_report(version=None, error=ERROR, campaigns=[]) == {
        **RETRAINED,
        "outcome": "FAILED",
        "solutionVersionArn": None,
        "failure": "InvalidInputException: it exists",
        "campaigns": [],
    }


def test_a_solution_whose_campaigns_could_not_be_updated_at_all_is_failed():
    report = solution_report(error=ERROR, campaigns=[])
    assert (report["outcome"], report["failure"]) == ("FAILED", "InvalidInputException: it exists")


def test_a_solution_without_campaigns_is_trained():
    assert solution_report(campaigns=[]) == {**RETRAINED, "outcome": "TRAINED", "campaigns": []}


def test_the_training_mode_is_that_of_the_plan():
    report = solution_report(solution=planned_solution(trainingMode="UPDATE"))
    assert report == {**RETRAINED, "trainingMode": "UPDATE"}


def test_a_failed_solution_fails_the_run():
    failed = solution_result(version=None, error=ERROR, campaigns=[])
    report = report_of(finished(solutions=[solution_result(), failed]))
    assert report["status"] == "FAILED"
    assert report["text"] == (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        f"  {SOLUTION}: DEPLOYED\n"
        f"    version {VERSION}\n"
        f"    {CAMPAIGN}: DEPLOYED\n"
        f"      {NDCG}: 0.4 -> 0.42 (+5.0%)\n"
        f"  {SOLUTION}: FAILED: InvalidInputException: it exists"
    )


# Campaigns


@pytest.mark.parametrize(
    ("reasons", "error", "outcome", "failure"),
    [
        (["no capacity"], None, "FAILED", "no capacity"),
        (["no capacity"], ERROR, "FAILED", "InvalidInputException: it exists; no capacity"),
        (["it serves x"], None, "SKIPPED", "it serves x"),
    ],
)
def test_the_outcome_of_a_solution_is_the_worst_of_its_campaigns(reasons, error, outcome, failure):
    other = campaign_result(outcome, *reasons, error=error)
    expected = {"outcome": outcome, "failure": failure}
    assert solution_report(campaigns=[campaign_result(), other]) == {
        **RETRAINED,
        "outcome": outcome,
        "campaigns": [DEPLOYED, {**DEPLOYED, **expected}],
    }


def test_a_rejected_version_has_the_reasons_and_both_values():
    metrics = {NDCG: {"new": 0.1, "live": 0.4}}
    assert campaign_report("REJECTED", "it fell", "it is low", metrics=metrics) == {
        "campaignArn": CAMPAIGN,
        "outcome": "REJECTED",
        "servedVersionArn": None,
        "previousVersionArn": OLD_VERSION,
        "metrics": metrics,
        "failure": "it fell; it is low",
    }


def test_a_campaign_whose_function_failed_has_the_error():
    failed = {**campaign_result("FAILED", error=ERROR), "item": None}
    report = solution_report(campaigns=[failed])["campaigns"][0]
    assert (report["outcome"], report["metrics"]) == ("FAILED", {})
    assert report["failure"] == "InvalidInputException: it exists"


# What the campaigns serve at the end of the run


def final_report(result, served, on_trial=None):
    """Return the report of a run with this result, after which the campaign serves a version."""
    standings = {CAMPAIGN: {"servedVersionArn": served, "versionOnTrial": on_trial}}
    document = finished(solutions=[solution_result(campaigns=[result])])
    return report_of(document, standings)


def final_campaign(result, served):
    (campaign,) = final_report(result, served)["solutions"][0]["campaigns"]
    return campaign


def test_a_version_is_deployed_if_the_campaign_serves_it_now():
    assert final_campaign(campaign_result(), VERSION) == {**DEPLOYED, "servedVersionArn": VERSION}


def test_a_version_is_not_deployed_if_somebody_has_moved_the_campaign_since():
    failure = (
        f"the campaign serves {FOREIGN_VERSION} now, not {VERSION}: somebody has moved it since"
    )
    moved = {"outcome": "SKIPPED", "failure": failure, "servedVersionArn": FOREIGN_VERSION}
    assert final_campaign(campaign_result(), FOREIGN_VERSION) == {**DEPLOYED, **moved}


def test_a_campaign_is_not_rolled_back_if_it_serves_the_version_again():
    rolled_back = campaign_result("ROLLED_BACK", "the probe failed: 0 results")
    assert final_campaign(rolled_back, OLD_VERSION)["outcome"] == "ROLLED_BACK"
    again = final_campaign(rolled_back, VERSION)
    assert again["outcome"] == "FAILED"
    assert again["failure"] == (
        f"the probe failed: 0 results; the campaign serves {VERSION} again: somebody has moved it"
    )


def test_a_version_that_is_still_on_trial_is_a_warning():
    report = final_report(campaign_result("FAILED"), VERSION, on_trial=VERSION)
    (warning,) = report["warnings"]
    assert warning == (
        f"{CAMPAIGN}: {VERSION} is on trial, and the trial has not ended; watch_pipeline starts a "
        "run that finishes the trial"
    )


# Warnings


def test_the_warnings_of_the_plan_and_of_every_job_are_in_running_order():
    version = training_item(warnings=["about /new"])

    document = finished(
        plan=plan(warnings=["about the plan"]),
        solutions=[
            solution_result(
                version=version,
                campaigns=[campaign_result(warnings=["about home"]), campaign_result()],
            ),
            solution_result(version=None),
        ],
    )
    report = report_of(document)
    assert report["warnings"] == [
        "about the plan",
        f"{CAMPAIGN}: about home",
        f"{SOLUTION}: about /new",
    ]
    lines = report["text"].splitlines()[-3:]
    assert lines == [f"  warning: {warning}" for warning in report["warnings"]]


def test_a_version_that_waits_for_an_approval_is_no_warning():
    waiting = campaign_result("AWAITING_APPROVAL")
    report = report_of(finished(solutions=[solution_result(campaigns=[waiting])]))
    assert report["warnings"] == [], "nothing is wrong yet"


def test_a_metric_that_could_not_be_compared_is_a_warning():
    noted = campaign_result(warnings=["x could not be compared"])
    not_judged = {**campaign_result("FAILED", error=ERROR), "item": None}
    solution = solution_result(campaigns=[noted, not_judged])
    report = report_of(finished(solutions=[solution]))
    assert report["warnings"] == [f"{CAMPAIGN}: x could not be compared"]


# Trials that an earlier run has left


def finished_trial(outcome):
    reasons = ["the probe failed: 0 results"] if outcome == "ROLLED_BACK" else []
    return campaign_result(outcome, *reasons, metrics={})


def planned_after(*outcomes, **changes):
    """Return the report of a run that has finished trials with these outcomes, and was planned."""
    trials = [finished_trial(outcome) for outcome in outcomes]
    return report_of(finished(plan=with_trials(plan(**changes), trials)))


def only_trials(*outcomes):
    """Return the report of an execution that only finishes trials."""
    document = finished(
        trials=[finished_trial(outcome) for outcome in outcomes],
        plan=plan(todo="NOTHING", reason=None if outcomes else "no campaign is on trial"),
    )
    for key in ("imports", "solutions"):
        del document[key]
    return report_of(document)


TRIAL_LINE = f"trial at {CAMPAIGN}: ROLLED_BACK: the probe failed: 0 results"


def test_a_finished_trial_has_a_line():
    assert planned_after("ROLLED_BACK", warnings=["w"])["warnings"] == [
        TRIAL_LINE,
        "w",
    ]
    assert only_trials("ROLLED_BACK")["text"].endswith(f"\n  {TRIAL_LINE}")


@pytest.mark.parametrize("outcome", ["FAILED", "ROLLED_BACK"])
def test_a_trial_that_ended_badly_makes_the_run_worse(outcome):
    assert planned_after(outcome)["status"] == outcome
    assert planned_after(outcome, todo="NOTHING", reason="nothing is new")["status"] == outcome


def test_a_trial_that_ended_well_does_not_count_in_a_run_that_does_more():
    assert planned_after("DEPLOYED", todo="NOTHING", reason="nothing is new")["status"] == "SKIPPED"


def test_an_execution_that_only_finishes_trials_has_their_worst_outcome():
    assert only_trials("DEPLOYED")["status"] == "DEPLOYED"
    report = only_trials("DEPLOYED", "ROLLED_BACK")
    assert report["status"] == "ROLLED_BACK"
    assert [trial["outcome"] for trial in report["trials"]] == ["DEPLOYED", "ROLLED_BACK"]


def test_an_execution_without_a_trial_to_finish_is_skipped():
    report = only_trials()
    assert (report["status"], report["reason"]) == ("SKIPPED", "no campaign is on trial")
    assert report["warnings"] == []
