"""Proves what a plan says about each dataset and solution, and why."""

import pytest

from functions.errors import RunRefused
from functions.planning.plan_run import plan_run
from retrain.look.plan_document import plan_document
from retrain.look.plan_facts import PlanFacts
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    FINGERPRINT,
    LAST_RUN,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    held_import,
    imported,
    limits,
    settings,
    solution_resource,
    solution_settings,
    trained_version,
    view,
)

OWN = {"retraining-run": LAST_RUN}
IMPORTED = {"imports": {DATASET: [held_import()]}}


def document(request=None, settings_=None, *, hours=None, **changes):
    """Return the document of the plan in the standard world with these changes."""
    view_of_run = view(request, settings_, **changes)
    try:
        plan, problems = plan_run(view_of_run), []
    except RunRefused as refusal:
        plan, problems = None, refusal.problems
    facts = PlanFacts(
        view=view_of_run,
        plan=plan,
        problems=problems,
        trials=[{"campaigns": [{"campaignArn": CAMPAIGN}]}],
        training_hours=hours or {},
    )
    return plan_document(facts)


def import_step(request=None, settings_=None, **changes):
    (step,) = document(request, settings_, **changes)["imports"]
    return step["action"], step["reason"]


def training_step(request=None, settings_=None, **changes):
    (step,) = document(request, settings_, **changes)["trainings"]
    return step["action"], step["reason"]


def imports(*jobs):
    return {"imports": {DATASET: list(jobs)}}


RUNNING = imported(arn="running", is_running=True, is_active=False, created_at=ago(0.1))
ENDED = f"{ago(47.5):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("request_", "changes", "step"),
    [
        ({}, imports(), ("import", "it was never imported")),
        ({}, {}, ("import", f"no run created the newest import, which ended at {ENDED}")),
        (
            {},
            imports(held_import(fingerprint="old")),
            ("import", f"it has changed since the import that ended at {ENDED}"),
        ),
        ({}, IMPORTED, ("keep", f"it has not changed since the import that ended at {ENDED}")),
        (
            {"force": True},
            IMPORTED,
            ("import", "every export is imported, changed or not"),
        ),
        (
            {},
            imports(RUNNING, imported()),
            ("import", "another import is running, and the run waits for it before it imports"),
        ),
        (
            {},
            imports(RUNNING._replace(run=LAST_RUN, fingerprint=FINGERPRINT), imported()),
            ("import", "an import of this export is running, and the run waits for it"),
        ),
        ({"skipImport": True}, {}, ("leave out", "the options leave it out")),
    ],
)
def test_a_dataset_is_imported_or_kept_for_a_reason(request_, changes, step):
    assert import_step(request_, **changes) == step


LEARNED = {**IMPORTED, "trainings": [trained_version()]}


@pytest.mark.parametrize(
    ("request_", "changes", "step"),
    [
        ({}, {}, ("train", "interactions is imported")),
        ({}, IMPORTED, ("train", "no version of a run was trained on the present data")),
        (
            {},
            {
                **LEARNED,
                "campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION)},
                "campaign_tags": {CAMPAIGN: {"retraining-good": VERSION}},
            },
            ("keep", "its newest version was trained on the present data"),
        ),
        ({"trainingMode": "FULL"}, LEARNED, ("train", "--training-mode asks for it")),
        (
            {},
            {
                **IMPORTED,
                "event_trackers": ["tracker"],
                "trainings": [trained_version(created_at=ago(24 * 40))],
            },
            ("train", "an event tracker or the API may have sent records since the last training"),
        ),
        (
            {},
            {
                **IMPORTED,
                "trainings": [trained_version(is_active=False, is_running=True)],
            },
            ("use", "it is in training, and the run waits for it"),
        ),
    ],
)
def test_a_solution_is_trained_or_kept_for_a_reason(request_, changes, step):
    assert training_step(request_, **changes) == step


def test_a_solution_that_the_options_leave_out_has_no_campaigns():
    chosen = {"solutions": [f"{SOLUTION}-2"]}
    both = settings(
        solutions=[
            solution_settings(),
            solution_settings(solutionArn=f"{SOLUTION}-2", campaigns=[]),
        ]
    )
    solutions = {f"{SOLUTION}-2": solution_resource(solutionArn=f"{SOLUTION}-2")}
    steps = document(chosen, both, solutions=solutions)["trainings"]
    assert [(step["action"], step["campaigns"]) for step in steps] == [
        ("leave out", []),
        ("train", []),
    ]


def test_a_version_that_waits_for_its_campaign_is_used():
    (step,) = document({}, **LEARNED)["trainings"]
    assert (step["action"], step["solutionVersionArn"]) == ("use", VERSION)
    assert step["reason"] == "it is trained already; campaigns wait for it"
    assert step["campaigns"][0]["action"] == "update"


def test_a_training_beyond_the_limit_is_held_back():
    limited = limits(maxTrainingsPerMonth=1)
    other = [trained_version(digest="other")]
    served = {
        "campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION)},
        "campaign_tags": {CAMPAIGN: {"retraining-good": VERSION}},
    }
    action, reason = training_step({}, limited, trainings=other, **served)
    assert action == "hold back"
    assert reason.startswith(f"{SOLUTION}: trainings of this pipeline within 30 days: 1")


def test_a_refused_run_has_problems_and_trials_but_no_steps():
    refused = document({}, datasets={})
    assert refused["outcome"] == "REFUSED"
    assert len(refused["problems"]) == 1
    assert (refused["imports"], refused["trainings"]) == ([], [])
    assert (refused["trials"], refused["warnings"]) == ([CAMPAIGN], [])


@pytest.mark.parametrize(
    ("recipe", "price", "cost"),
    [
        ("aws-user-personalization", 0.24, 2.95),
        ("aws-user-personalization", None, None),
        ("aws-user-personalization-v2", 0.24, None),
    ],
)
def test_a_training_costs_its_hours_unless_the_recipe_is_priced_otherwise(recipe, price, cost):
    arn = f"arn:aws:personalize:::recipe/{recipe}"
    planned = document(
        {},
        settings(trainingHourPrice=price),
        hours={SOLUTION: 12.3},
        solutions={SOLUTION: solution_resource(recipeArn=arn)},
    )
    (step,) = planned["trainings"]
    assert (step["expectedTrainingHours"], step["expectedCost"]) == (12.3, cost)
    assert planned["expectedCost"] == cost
    assert step["pricedByInteractions"] is recipe.endswith("v2")


def test_approval_is_a_condition_of_the_update():
    approved = settings(solutions=[solution_settings(approval={"timeoutHours": 72})])
    (step,) = document({}, approved)["trainings"]
    assert step["campaigns"][0]["approvalHours"] == 72


@pytest.mark.parametrize(
    ("changes", "is_own"),
    [({}, False), (IMPORTED, True), ({"trainings": [trained_version()]}, True)],
)
def test_a_job_is_the_pipelines_own_if_a_run_created_it(changes, is_own):
    assert document({}, **changes)["hasOwnJobs"] is is_own


OLDER = f"{SOLUTION}/older"
SERVES_NEW = campaign(solutionVersionArn=VERSION)
TAKEN_BACK = {CAMPAIGN: {"retraining-bad": VERSION}}


@pytest.mark.parametrize(
    ("changes", "rolled_back"),
    [
        ({}, None),
        ({"campaign_tags": TAKEN_BACK}, VERSION),
        ({"campaign_tags": TAKEN_BACK, "campaigns": {CAMPAIGN: SERVES_NEW}}, None),
        ({"campaign_tags": TAKEN_BACK, "trainings": []}, None),
    ],
)
def test_a_campaign_whose_newest_version_was_rolled_back_names_it(changes, rolled_back):
    standard = {
        "campaigns": {CAMPAIGN: campaign(solutionVersionArn=OLDER)},
        "trainings": [trained_version()],
    }
    (step,) = document({"force": True}, **{**standard, **changes})["trainings"]
    assert step["campaigns"][0]["rolledBackVersionArn"] == rolled_back
