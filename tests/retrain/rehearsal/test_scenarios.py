"""Proves how a run is compared with what a scenario expects, and which stacks can play it."""

import pytest

from components.args import ApprovalArgs
from retrain.rehearsal.scenarios import SCENARIOS, Name, Snapshot, judge, list_scenarios
from tests.world import MOVIES, campaign, campaign_arn, dataset_arn, solution, solution_arn

CAMPAIGN = campaign_arn()
DATASET = dataset_arn()
OLD, NEW = (f"{solution_arn()}/{number}" for number in (1, 2))
OTHER_OLD, OTHER_NEW = (f"{solution_arn('series')}/{number}" for number in (1, 2))
BEFORE = Snapshot({DATASET: 1}, {OLD: "ACTIVE", OTHER_OLD: "ACTIVE"}, {CAMPAIGN: OLD})
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def outcome_of(scenario, **changes):
    """Return the report and the account after a run that did what is expected, with changes."""
    trained = {NEW: "ACTIVE", OTHER_NEW: "ACTIVE"} if scenario.trains else {}
    account = {
        "imports": {DATASET: 2 if scenario.trains and not scenario.deletes_user else 1},
        "version_statuses": {**BEFORE.version_statuses, **trained},
        "served_versions": {CAMPAIGN: NEW if scenario.serves_new_version else OLD},
    }
    reason = {"text": f"because {scenario.message} is 1"}
    report = {"outcome": scenario.outcomes[0], "reasons": [reason]}
    report |= {key: changes.pop(key) for key in ("outcome", "reasons") if key in changes}
    return report, Snapshot(**(account | changes))


def failed_checks(scenario, report, after):
    return [check.text for check in judge(scenario, report, BEFORE, after) if not check.is_met]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_run_that_does_what_is_expected_fails_no_check(scenario):
    assert failed_checks(scenario, *outcome_of(scenario)) == []
    checks = list(judge(scenario, None, BEFORE, BEFORE))
    assert not checks[0].is_met, "a run without a report"


ENDED = "the run ended as"
SERVES = "home serves its"
ACTIVE = "every solution has a new version, which is ACTIVE"


def test_a_run_that_waits_for_an_approval_is_as_designed_if_the_stack_asks_for_it():
    scenario = BY_NAME["happy-path"]
    waits = {"outcome": "AWAITING_APPROVAL", "served_versions": {CAMPAIGN: OLD}}
    report, after = outcome_of(scenario, **waits, approved_campaigns=[CAMPAIGN])
    assert failed_checks(scenario, report, after) == []

    report, after = outcome_of(scenario, approved_campaigns=[CAMPAIGN])
    failed = [f"{ENDED} AWAITING_APPROVAL", f"{SERVES} previous version"]
    assert failed_checks(scenario, report, after) == failed, "a deployment without the approval"


def test_of_a_stack_without_solutions_no_version_is_expected():
    report = {"outcome": "IMPORTED", "reasons": []}
    scenario = BY_NAME["happy-path"].adapt_to(MOVIES.with_solutions().args)
    before, after = (Snapshot({DATASET: count}, {}, {}) for count in (1, 2))
    checks = list(judge(scenario, report, before, after))

    assert all(check.is_met for check in checks)
    assert [check.text for check in checks] == [
        f"{ENDED} IMPORTED",
        "every dataset was imported",
    ]


@pytest.mark.parametrize(
    "solutions, promise, outcome",
    [
        ([], "Every dataset is imported.", "IMPORTED"),
        ([solution(campaigns=[])], "Every solution is trained.", "TRAINED"),
        ([solution(), solution("series", campaigns=[])], BY_NAME["happy-path"].promise, "DEPLOYED"),
    ],
)
def test_a_stack_promises_only_what_it_configures(solutions, promise, outcome):
    args = MOVIES.with_solutions(*solutions).args
    happy, *others = [scenario.adapt_to(args) for scenario in SCENARIOS]

    assert (happy.promise, happy.outcomes) == (promise, [outcome])
    assert any("train" in other.promise for other in others[:1]) == bool(solutions)


@pytest.mark.parametrize(
    "name, changes, failed",
    [
        ("happy-path", {"outcome": "REJECTED"}, f"{ENDED} DEPLOYED"),
        ("happy-path", {"imports": {DATASET: 1}}, "every dataset was imported"),
        ("happy-path", {"served_versions": {CAMPAIGN: OLD}}, f"{SERVES} new version"),
        ("happy-path", {"served_versions": {CAMPAIGN: "other"}}, f"{SERVES} new version"),
        ("deleted-user", {"imports": {DATASET: 2}}, "nothing was imported"),
        ("deleted-user", {"served_versions": {CAMPAIGN: OLD}}, f"{SERVES} new version"),
        ("nothing-new", {"outcome": "DEPLOYED"}, f"{ENDED} SKIPPED"),
        ("nothing-new", {"reasons": []}, "its report has the reason"),
        ("truncated-export", {"reasons": [{"text": "no files"}]}, "its report has the reason"),
        ("truncated-export", {"imports": {DATASET: 2}}, "nothing was imported"),
        (
            "truncated-export",
            {"version_statuses": {**BEFORE.version_statuses, NEW: "CREATE STOPPED"}},
            "no training was paid for",
        ),
        ("worse-model", {"served_versions": {CAMPAIGN: NEW}}, f"{SERVES} previous version"),
        (
            "worse-model",
            {"version_statuses": {**BEFORE.version_statuses, NEW: "ACTIVE"}},
            ACTIVE,
        ),
        (
            "worse-model",
            {"version_statuses": {**BEFORE.version_statuses, NEW: "ACTIVE", OTHER_NEW: "FAILED"}},
            ACTIVE,
        ),
    ],
)
def test_each_difference_fails_one_check(name, changes, failed):
    scenario = BY_NAME[name]
    assert failed_checks(scenario, *outcome_of(scenario, **changes)) == [failed]


def test_the_happy_path_comes_first_and_all_means_all():
    assert [row.name for row in SCENARIOS] == [name for name in Name if name != Name.ALL]
    assert [row.name for row in list_scenarios([])] == [Name.HAPPY_PATH]
    names = [Name.WORSE_MODEL, Name.NOTHING_NEW]
    assert [row.name for row in list_scenarios(names)] == [Name.HAPPY_PATH, *names[::-1]]
    assert list_scenarios([Name.ALL, Name.BAD_PROBE]) == list(SCENARIOS)


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
