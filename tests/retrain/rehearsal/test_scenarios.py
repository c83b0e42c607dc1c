"""Proves how a run is compared with what a scenario expects, and which stacks can play it."""

import pytest

from components.args import ApprovalArgs
from retrain.rehearsal.scenarios import (
    SCENARIOS,
    ScenarioName,
    check_report,
    list_scenarios,
    merge_reports,
)
from tests.world import MOVIES, campaign, campaign_arn, solution, solution_arn

OLD, NEW = (f"{solution_arn()}/{number}" for number in (1, 2))
SERVES_OLD, SERVES_NEW = (
    [{"campaignArn": campaign_arn(), "servedVersionArn": arn}] for arn in (OLD, NEW)
)
SERVES_NOTHING = [{"campaignArn": campaign_arn(), "servedVersionArn": None}]
IMPORTED = [{"type": kind, "outcome": "IMPORTED"} for kind in ("interactions", "users")]
TRAINED = {
    "solutionArn": solution_arn(),
    "solutionVersionArn": NEW,
    "trainedBy": "pipeline",
    "isTrained": True,
    "trainingHours": 0.5,
}
NOT_TRAINED = {**TRAINED, "trainingHours": None}
BATCHED = {**NOT_TRAINED, "solutionVersionArn": OLD, "isTrained": False}
"""A solution whose served version only wrote batch results."""
STACK = MOVIES.with_datasets("interactions", "users").with_solutions(solution()).args
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def expected_report(scenario):
    """Return the report of a run of STACK that did what is expected."""
    is_deployed = scenario.outcome == "DEPLOYED"
    return {
        "outcome": scenario.outcome,
        "reasons": [{"text": f"because {scenario.expected_reason} is 1"}],
        "imports": IMPORTED if scenario.trains and not scenario.deletes_user else [],
        "solutions": [TRAINED] if scenario.trains else [BATCHED],
        "serving": SERVES_NEW if is_deployed else SERVES_OLD,
    }


def failed_checks(scenario, report, args=STACK):
    return [check.text for check in check_report(scenario, args, report) if not check.is_met]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_run_that_does_what_is_expected_fails_no_check(scenario):
    assert failed_checks(scenario, expected_report(scenario)) == []
    assert failed_checks(scenario, None) == [f"{ENDED} {scenario.outcome}"], "it has no report"


ENDED = "the run ended as"
SERVES = "home serves its"
ACTIVE = "every solution has a new version, which is ACTIVE"


def test_a_run_that_waits_for_an_approval_is_as_designed_if_the_stack_asks_for_it():
    scenario = BY_NAME["happy-path"]
    args = MOVIES.with_datasets("interactions", "users").with_solutions(
        solution(approval=ApprovalArgs())
    )
    report = expected_report(scenario)
    waiting = {**report, "outcome": "AWAITING_APPROVAL", "serving": SERVES_OLD}
    assert failed_checks(scenario, waiting, args.args) == []

    failed = [f"{ENDED} AWAITING_APPROVAL", f"{SERVES} previous version"]
    assert failed_checks(scenario, report, args.args) == failed, "a deployment without the approval"


@pytest.mark.parametrize(
    "solutions, outcome",
    [
        ([], "IMPORTED"),
        ([solution(campaigns=[])], "TRAINED"),
        ([solution(), solution("series", campaigns=[])], "DEPLOYED"),
    ],
)
def test_a_stack_without_campaigns_or_solutions_is_expected_only_to_train_or_import(
    solutions, outcome
):
    args = MOVIES.with_solutions(*solutions).args
    assert BY_NAME["happy-path"].find_expected_outcome(args) == outcome
    assert BY_NAME["nothing-new"].find_expected_outcome(args) == "SKIPPED"


def test_of_a_stack_without_solutions_no_version_is_expected():
    args = MOVIES.with_datasets("interactions", "users").with_solutions().args
    report = {"outcome": "IMPORTED", "imports": IMPORTED, "solutions": [], "serving": []}
    checks = list(check_report(BY_NAME["happy-path"], args, report))
    assert [check.text for check in checks] == [f"{ENDED} IMPORTED", "every dataset was imported"]
    assert all(check.is_met for check in checks)


def test_what_personalize_has_trained_is_new_although_no_run_has_trained_it():
    group = MOVIES.with_datasets().with_solutions(solution(trained_by="personalize"))
    scenario = BY_NAME["happy-path"]
    judged = {**TRAINED, "trainedBy": "personalize", "isTrained": False, "trainingHours": None}
    report = {**expected_report(scenario), "imports": [], "solutions": [judged]}
    assert failed_checks(scenario, report, group.args) == []

    old = {**report, "serving": SERVES_OLD}
    assert failed_checks(scenario, old, group.args) == [f"{SERVES} new version"]
    assert BY_NAME["deleted-user"].find_obstacle(group.args).startswith("runs of the stack train")
    assert BY_NAME["nothing-new"].find_obstacle(group.args).startswith("the stack imports nothing")


def test_the_first_run_counts_for_imports_and_own_trainings_and_the_second_for_the_others():
    judged = {**TRAINED, "solutionArn": solution_arn("series"), "trainedBy": "personalize"}
    tried = {**judged, "solutionVersionArn": OLD}
    first = {"outcome": "AWAITING_APPROVAL", "imports": IMPORTED, "solutions": [TRAINED, tried]}
    second = {"outcome": "DEPLOYED", "imports": [], "solutions": [BATCHED, judged], "serving": []}
    assert merge_reports(first, second) == {
        **second,
        "outcome": "AWAITING_APPROVAL",
        "imports": IMPORTED,
        "solutions": [TRAINED, judged],
    }


@pytest.mark.parametrize(
    "name, changes, failed",
    [
        ("happy-path", {"outcome": "REJECTED"}, f"{ENDED} DEPLOYED"),
        ("happy-path", {"imports": IMPORTED[1:]}, "every dataset was imported"),
        (
            "happy-path",
            {"imports": [IMPORTED[0], {**IMPORTED[1], "outcome": "FAILED"}]},
            "every dataset was imported",
        ),
        ("happy-path", {"serving": SERVES_OLD}, f"{SERVES} new version"),
        ("happy-path", {"serving": SERVES_NOTHING}, f"{SERVES} new version"),
        ("deleted-user", {"imports": IMPORTED}, "nothing was imported"),
        ("deleted-user", {"serving": SERVES_OLD}, f"{SERVES} new version"),
        ("nothing-new", {"outcome": "DEPLOYED"}, f"{ENDED} SKIPPED"),
        ("nothing-new", {"reasons": []}, "its report has the reason"),
        ("truncated-export", {"reasons": [{"text": "no files"}]}, "its report has the reason"),
        ("truncated-export", {"imports": IMPORTED}, "nothing was imported"),
        ("truncated-export", {"solutions": [NOT_TRAINED]}, "no training was paid for"),
        ("worse-model", {"serving": SERVES_NEW}, f"{SERVES} previous version"),
        ("worse-model", {"serving": SERVES_NOTHING}, f"{SERVES} previous version"),
        ("worse-model", {"solutions": []}, ACTIVE),
        ("worse-model", {"solutions": [NOT_TRAINED]}, ACTIVE),
    ],
)
def test_each_difference_fails_one_check(name, changes, failed):
    scenario = BY_NAME[name]
    assert failed_checks(scenario, expected_report(scenario) | changes) == [failed]


def test_the_happy_path_comes_first_and_all_means_all():
    assert [*(row.name for row in SCENARIOS), ScenarioName.ALL] == [*ScenarioName]
    assert [row.name for row in list_scenarios([])] == [ScenarioName.HAPPY_PATH]
    names = [ScenarioName.WORSE_MODEL, ScenarioName.NOTHING_NEW]
    assert [row.name for row in list_scenarios(names)] == [ScenarioName.HAPPY_PATH, *names[::-1]]
    assert list_scenarios([ScenarioName.ALL, ScenarioName.BAD_PROBE]) == list(SCENARIOS)


FULL_IMPORT = (
    "the stack has no FULL import of interactions; set importMode to FULL in datasets.interactions"
)
NO_CAMPAIGNS = "the stack has no campaigns; add the campaigns of a solution in the config"
NO_PROBE = "no campaign has a probe; set solutions[].campaigns[].probe.userId of a campaign"
DAILY = (
    "the stack's locations contain {date}, so the export of each day is new, and this scenario "
    "needs an export that has not changed"
)


APPROVAL = "a version that needs an approval is not tried before a person has approved it"
NO_BAKE = "not every campaign has a bake; set solutions[].campaigns[].bake of each campaign"
BAKED = {"ringing-alarm": NO_BAKE}
PROBED = campaign(user_id="1")
APPROVED = {"campaigns": [PROBED], "approval": ApprovalArgs()}
NO_FULL_IMPORT = dict.fromkeys(["truncated-export", "wrong-header", "worse-model"], FULL_IMPORT)
UNCHANGED = dict.fromkeys(["nothing-new", "deleted-user"], DAILY)
DATED = {"import_mode": "INCREMENTAL", "data_location": "s3://bucket/{date}/"}


@pytest.mark.parametrize(
    "dataset, changes, taste, obstacles",
    [
        ("interactions", {}, {"campaigns": ["mail", PROBED]}, BAKED),
        ("interactions", {}, {}, {"bad-probe": NO_PROBE} | BAKED),
        (
            "interactions",
            {},
            {"campaigns": []},
            dict.fromkeys(
                ["deleted-user", "worse-model", "bad-probe", "ringing-alarm"], NO_CAMPAIGNS
            ),
        ),
        ("interactions", {}, APPROVED, {"bad-probe": APPROVAL} | BAKED),
        ("users", {}, {"campaigns": [PROBED]}, NO_FULL_IMPORT | BAKED),
        ("interactions", DATED, {"campaigns": [PROBED]}, UNCHANGED | NO_FULL_IMPORT | BAKED),
    ],
)
def test_a_stack_that_cannot_play_a_scenario_has_a_reason(dataset, changes, taste, obstacles):
    group = MOVIES.with_datasets(dataset, **changes).with_solutions(solution(**taste))
    reasons = {scenario.name: scenario.find_obstacle(group.args) for scenario in SCENARIOS}
    assert {str(name): reason for name, reason in reasons.items() if reason} == obstacles
