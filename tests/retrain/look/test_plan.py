"""Proves that `retrain plan` says what a run would do, and changes nothing."""

from components.args import ApprovalArgs
from functions.common import prices
from functions.personalize.tags import (
    BLOCKED_VERSION_TAG,
    GOOD_VERSION_TAG,
    REPORTED_VERDICT_TAG,
    write_tags,
)
from functions.personalize.trainings import describe_version
from functions.rules.deployments import format_verdict
from functions.run.execution_input import InputProblem
from retrain.account import target
from retrain.account.errors import OperatorError
from retrain.account.option_words import format_input_problem
from tests.program.sample_stack import SOLUTION
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT
from tests.world import HOUR, MOVIES, campaign, campaign_arn, solution

WRITES = ("CreateDatasetImportJob", "CreateSolutionVersion", "UpdateCampaign", "TagResource")
TWO_SOLUTIONS = MOVIES.with_options(training_hour_price=0.24).with_solutions(
    solution(campaigns=[campaign("home", user_id="u1"), campaign("mail")]),
    solution("similar", campaigns=["shelf"], approval=ApprovalArgs(timeout_hours=24)),
)


def test_golden_plans_of_a_pipeline(golden):
    """The plan before the first run, after it, with a new export, and after a rejection."""
    with account(MOVIES) as prod:
        first = prod.transcript("plan -s prod")
        prod.pipeline.run()
        requests = [len(prod.pipeline.requests(name)) for name in WRITES]
        held = prod.transcript("plan -s prod")
        prod.pipeline.upload_worse_data()
        newer = prod.transcript("plan -s prod", "plan -s prod --force --skip-import --json")
        assert [len(prod.pipeline.requests(name)) for name in WRITES] == requests

        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        rejected = prod.transcript("plan -s prod")
    golden("plan.txt", f"{first}\n{held}\n{newer}\n{rejected}")


def test_golden_plans_of_campaigns(golden, monkeypatch):
    """A price, an approval, a probe, a run under way, a refusal, and a stack without `up`."""

    def not_deployed(_):
        raise OperatorError("the stack prod has no outputs")

    monkeypatch.setattr(prices, "DOLLARS_PER_IMPORTED_GB", 1000)  # The exports are small.
    with account(TWO_SOLUTIONS) as prod:
        prod.pipeline.run()
        prod.pipeline.upload_worse_data()
        run = prod.pipeline.start(scheduledTime=NEXT_SLOT)
        waiting = prod.transcript("plan -s prod")
        run.wait()
        prod.pipeline.bucket.put("items.csv", b"ITEM_ID\n")
        monkeypatch.setattr(target, "read_outputs", not_deployed)
        refused = prod.transcript("plan -s prod", "plan -s prod --export-date 2026-13-01")
    golden("plan_of_campaigns.txt", f"{waiting}\n{refused}")


def test_the_expected_hours_are_those_of_trainings_in_the_same_mode():
    with account(MOVIES.with_solutions(solution(training_mode="UPDATE"))) as prod:
        prod.pipeline.run()
        prod.pipeline.inject_fault("take", job="solution-version", seconds=HOUR)
        prod.pipeline.machine.start({"force": True, "skipImport": True}).wait()
        modes = [
            describe_version(prod.pipeline.client, arn)["trainingMode"]
            for arn in prod.pipeline.versions()
        ]
        steps = prod.retrain("plan --force --skip-import --json").document["steps"]
    (hours,) = (step["expectedTrainingHours"] for step in steps if step["action"] == "train")

    assert modes == ["FULL", "FULL", "UPDATE"]
    assert hours == 1, "a FULL training takes longer"


def test_a_verdict_that_people_know_is_not_reported_beside_a_campaign_that_is_updated():
    with account(MOVIES.with_solutions(solution(campaigns=["home", "mail"]))) as prod:
        prod.pipeline.run()
        old, new = prod.pipeline.versions()
        known = {
            GOOD_VERSION_TAG: old,
            BLOCKED_VERSION_TAG: new,
            REPORTED_VERDICT_TAG: format_verdict(new, "ROLLED_BACK", None),
        }
        write_tags(prod.pipeline.client, campaign_arn("mail"), known)
        for name in ("home", "mail"):
            prod.pipeline.foreign_update(old, name)
        prod.pipeline.sleep(HOUR)
        write_tags(prod.pipeline.client, campaign_arn("home"), {GOOD_VERSION_TAG: old})
        steps = prod.retrain("plan --json").document["steps"]
    actions = {step["name"]: step["action"] for step in steps}

    assert (actions["campaign home"], actions["campaign mail"]) == ("update", "keep")


def test_a_problem_names_the_option_and_the_solutions():
    text = f'"movie" is unknown; expected one of ["{SOLUTION}", "{SOLUTION}-2"]'
    assert format_input_problem(InputProblem("solutions", text)) == (
        '--solution: "movie" is unknown; expected one of ["movies-for-you", "movies-for-you-2"]'
    )
