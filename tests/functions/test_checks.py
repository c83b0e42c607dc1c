"""Each guard: what it refuses, in which words, and what it lets pass."""

from datetime import timedelta

import pytest

from functions.planning.guards import (
    another_run_is_under_way,
    comes_from_deployment,
    exist_and_belong_together,
    imports_are_crowded,
    incremental_needs_full,
    newest_full,
    passes_by_the_gate,
    probes_can_be_answered,
    replaces_no_newer_day,
    trained_often_enough,
    trains_automatically,
    update_needs_full,
    update_needs_recipe,
)
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    EXECUTION,
    GROUP,
    ITEMS,
    NOW,
    OLD_VERSION,
    OTHER_SOLUTION,
    RECIPE,
    SOLUTION,
    ago,
    campaign,
    dataset_resource,
    dataset_settings,
    group_resource,
    import_summary,
    run,
    settings,
    solution_resource,
    solution_settings,
    version_summary,
    world,
)

SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
UPDATE = solution_settings(trainingMode="UPDATE", fullEveryDays=7)
INCREMENTAL = dataset_settings(importMode="INCREMENTAL")
USER_PERSONALIZATION_V2 = "arn:aws:personalize:::recipe/aws-user-personalization-v2"


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=10), timedelta(minutes=-2)])
def test_an_event_right_after_a_deployment_is_skipped_and_says_how_to_start_a_run(after):
    changed = NOW - after
    why = comes_from_deployment(world(schedule_changed_at=changed), SCHEDULED)
    assert why == (
        f"the schedule was created or changed at {changed.isoformat()}, and a deployment starts "
        "no training; to retrain now, start an execution with input {}"
    )


def test_an_event_more_than_ten_minutes_after_a_deployment_is_the_calendars():
    changed = ago(minutes=10, seconds=1)
    assert comes_from_deployment(world(schedule_changed_at=changed), SCHEDULED) is None


def test_an_event_that_was_due_before_a_deployment_only_came_late():
    changed = NOW + timedelta(minutes=2, seconds=1)
    assert comes_from_deployment(world(schedule_changed_at=changed), SCHEDULED) is None


def test_a_person_may_start_a_run_right_after_a_deployment():
    assert comes_from_deployment(world(schedule_changed_at=NOW), {"trigger": "manual"}) is None


def test_a_run_of_which_the_schedule_is_unknown_goes_on():
    assert comes_from_deployment(world(schedule_changed_at=None), SCHEDULED) is None


@pytest.mark.parametrize(
    "jobs",
    [
        [],
        [import_summary(status="CREATE FAILED")],
        [import_summary(status="CREATE IN_PROGRESS")],
        [import_summary(importMode="INCREMENTAL")],
    ],
    ids=["none", "failed", "under way", "incremental"],
)
def test_incremental_is_refused_where_no_full_import_filled_the_dataset(jobs):
    assert incremental_needs_full(world(import_jobs={DATASET: jobs}), [INCREMENTAL]) == [
        (
            "datasets.interactions: importMode INCREMENTAL needs an ACTIVE FULL import of "
            f"{DATASET} before; import it once with importMode FULL"
        )
    ]


def test_incremental_is_fine_after_any_full_import():
    jobs = [import_summary(importMode="INCREMENTAL"), import_summary()]
    assert incremental_needs_full(world(import_jobs={DATASET: jobs}), [INCREMENTAL]) == []
    old = import_summary()
    del old["importMode"]
    assert incremental_needs_full(world(import_jobs={DATASET: [old]}), [INCREMENTAL]) == [], (
        "a job from before there were modes was a full one"
    )


USER = {"userId": "u1", "minResults": 1, "minutes": 1}
ITEM = {"itemId": "i1", "minResults": 1, "minutes": 1}
LIST = {**USER, "inputList": ["i1"]}


@pytest.mark.parametrize(
    ("recipe", "probe", "given", "way_out"),
    [
        ("aws-user-personalization", ITEM, "itemId", "ask with userId"),
        ("aws-user-personalization-v2", LIST, "inputList", "ask with userId"),
        ("aws-similar-items", USER, "userId", "ask with itemId"),
        ("aws-personalized-ranking-v2", USER, "userId", "ask with inputList"),
        ("aws-next-best-action", USER, "userId", "take the probe out"),
    ],
)
def test_a_probe_that_the_recipe_never_answers_is_refused(recipe, probe, given, way_out):
    assert list(probes_can_be_answered(*probed(recipe, probe))) == [
        (
            f"{CAMPAIGN}: its probe asks with {given}, which the recipe {recipe} does not answer; "
            f"{way_out}"
        )
    ]


@pytest.mark.parametrize(
    ("recipe", "probe"),
    [
        ("aws-user-personalization", USER),
        ("aws-sims", ITEM),
        ("aws-personalized-ranking", LIST),
        ("aws-next-best-action", None),
        ("aws-of-next-year", ITEM),
    ],
)
def test_a_probe_that_the_recipe_answers_is_fine(recipe, probe):
    assert list(probes_can_be_answered(*probed(recipe, probe))) == []


def test_nothing_is_held_against_a_probe_where_the_solution_is_not_there():
    _, solutions = probed("aws-sims", USER)
    assert list(probes_can_be_answered(world(solutions={}), solutions)) == []


def probed(recipe, probe):
    """Give a world with a solution of that recipe, and its settings with that probe."""
    resource = solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
    campaigns = [{"campaignArn": CAMPAIGN, "probe": probe}]
    return world(solutions={SOLUTION: resource}), [solution_settings(campaigns=campaigns)]


@pytest.mark.parametrize(
    ("other", "mode", "refused"),
    [
        ("20261206T030000Z", "FULL", True),
        ("20261206-0a1b2c3d", "FULL", True),
        ("20261129T120000Z", "FULL", False),
        ("20261122T030000Z", "FULL", False),
        ("20261206T030000Z", "INCREMENTAL", False),
    ],
)
def test_the_export_of_a_day_does_not_replace_that_of_a_later_day(other, mode, refused):
    dataset = dataset_settings(importMode=mode, dataLocation="s3://exports/2026-11-29.csv")
    known = world(last_import={DATASET: {"retraining-run": other}})
    problem = (
        "datasets.interactions: s3://exports/2026-11-29.csv is of 2026-11-29, and run "
        f"{other} has imported a later day since; start a run with {{}}"
    )
    assert list(replaces_no_newer_day(known, run(), [dataset])) == [problem] * refused


def test_where_nothing_of_ours_was_imported_no_day_is_later():
    assert list(replaces_no_newer_day(world(last_import={}), run(), [dataset_settings()])) == []


def test_full_needs_no_import_before():
    assert incremental_needs_full(world(import_jobs={DATASET: []}), [dataset_settings()]) == []


@pytest.mark.parametrize(
    ("solution", "mode"), [(UPDATE, None), (solution_settings(), "UPDATE"), (UPDATE, "UPDATE")]
)
@pytest.mark.parametrize("recipe", [USER_PERSONALIZATION_V2, None])
def test_update_is_refused_for_a_recipe_that_cannot_do_it(solution, mode, recipe):
    resource = solution_resource(recipeArn=recipe)
    if recipe is None:
        del resource["recipeArn"]
    assert update_needs_recipe(world(solutions={SOLUTION: resource}), [solution], mode) == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
            f"aws-hrnn-coldstart, and this solution's is {(recipe or '').rpartition('/')[2]}; "
            "train it with FULL"
        )
    ]


@pytest.mark.parametrize(
    ("solution", "mode", "recipe"),
    [
        (UPDATE, None, RECIPE),
        (UPDATE, None, "arn:aws:personalize:::recipe/aws-hrnn-coldstart"),
        (UPDATE, "FULL", USER_PERSONALIZATION_V2),
        (solution_settings(), None, USER_PERSONALIZATION_V2),
    ],
)
def test_update_passes_where_the_recipe_can_do_it_or_is_not_asked(solution, mode, recipe):
    known = world(solutions={SOLUTION: solution_resource(recipeArn=recipe)})
    assert update_needs_recipe(known, [solution], mode) == []


WITHOUT_FULL = [
    [],
    [version_summary(status="CREATE FAILED")],
    [version_summary(trainingMode="UPDATE")],
]


@pytest.mark.parametrize("versions", WITHOUT_FULL, ids=["none", "failed", "update"])
def test_an_update_by_name_is_refused_without_a_full_version(versions):
    known = world(versions={SOLUTION: versions})
    assert newest_full(known, UPDATE) is None
    assert update_needs_full(known, [UPDATE], "UPDATE") == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
            "and there is none; start with trainingMode FULL"
        )
    ]


@pytest.mark.parametrize("mode", [None, "FULL"])
def test_a_configured_update_without_a_full_version_becomes_a_full_one(mode):
    assert update_needs_full(world(versions={SOLUTION: []}), [UPDATE], mode) == []


def test_an_update_by_name_passes_after_a_full_version():
    assert update_needs_full(world(), [UPDATE], "UPDATE") == []


def test_the_newest_full_version_is_the_first_one_that_succeeded():
    old = version_summary()
    del old["trainingMode"]
    versions = [
        version_summary(solutionVersionArn=f"{SOLUTION}/3", status="CREATE FAILED"),
        version_summary(solutionVersionArn=f"{SOLUTION}/2", trainingMode="UPDATE"),
        old,
        version_summary(solutionVersionArn=f"{SOLUTION}/0"),
    ]
    found = newest_full(world(versions={SOLUTION: versions}), UPDATE)
    assert found["solutionVersionArn"] == OLD_VERSION


def test_update_is_not_judged_for_a_solution_that_does_not_exist():
    assert update_needs_recipe(world(solutions={}), [UPDATE], None) == []


# another run


def test_a_run_beside_an_older_one_is_skipped():
    assert another_run_is_under_way(world(older_run=EXECUTION)) == f"{EXECUTION} is under way"
    assert another_run_is_under_way(world()) is None


# they exist and belong together


def apart(trained=None, **changes):
    trained = [solution_settings()] if trained is None else trained
    return list(exist_and_belong_together(world(**changes), settings(), trained))


def test_what_exists_and_belongs_together_has_no_problem():
    assert apart() == []


def test_everything_that_does_not_exist_is_told_at_once():
    assert apart(datasets={}, groups={}, solutions={}, campaigns={}) == [
        f"{DATASET}: does not exist; create it, or correct the stack's config",
        f"{SOLUTION}: does not exist; create it, or correct the stack's config",
        f"{CAMPAIGN}: does not exist; create it, or take it out of the stack's config",
    ]


def test_of_a_dataset_that_does_not_exist_the_others_are_judged_all_the_same():
    two = settings(datasets=[dataset_settings(datasetArn=ITEMS), dataset_settings()])
    stopped = world(groups={GROUP: group_resource(status="CREATE FAILED")})
    assert list(exist_and_belong_together(stopped, two, [])) == [
        f"{ITEMS}: does not exist; create it, or correct the stack's config",
        f"{GROUP}: its status is CREATE FAILED; retraining needs it ACTIVE",
    ]


@pytest.mark.parametrize("status", ["CREATE PENDING", "CREATE FAILED", "DELETE IN_PROGRESS"])
def test_everything_that_is_not_active_is_told_at_once(status):
    known = {
        "datasets": {DATASET: dataset_resource(status=status)},
        "groups": {GROUP: group_resource(status=status)},
        "solutions": {SOLUTION: solution_resource(status=status)},
    }
    assert apart(**known) == [
        f"{arn}: its status is {status}; retraining needs it ACTIVE"
        for arn in (DATASET, GROUP, SOLUTION)
    ]


def test_a_domain_group_is_a_group_like_any():
    assert apart(groups={GROUP: group_resource(domain="VIDEO_ON_DEMAND")}) == []


def test_a_solution_of_another_group_is_refused():
    other = f"{ARN}:dataset-group/books"
    assert apart(solutions={SOLUTION: solution_resource(datasetGroupArn=other)}) == [
        (
            f"{SOLUTION}: trains on {other}, and the datasets belong to {GROUP}; name the datasets "
            "of the solution's own group"
        )
    ]


@pytest.mark.parametrize("status", ["DELETE PENDING", "DELETE IN_PROGRESS"])
def test_a_campaign_that_is_being_deleted_is_refused(status):
    assert apart(campaigns={CAMPAIGN: campaign(status=status)}) == [
        f"{CAMPAIGN}: its status is {status}; take it out of the stack's config"
    ]


@pytest.mark.parametrize("status", ["CREATE PENDING", "CREATE FAILED"])
def test_a_campaign_that_is_not_active_yet_is_waited_for_or_repaired_later(status):
    assert apart(campaigns={CAMPAIGN: campaign(status=status)}) == []


@pytest.mark.parametrize("served", [f"{OTHER_SOLUTION}/1", f"{SOLUTION}-2/1"])
def test_a_campaign_of_another_solution_is_refused(served):
    assert apart(campaigns={CAMPAIGN: campaign(solutionVersionArn=served)}) == [
        (
            f"{CAMPAIGN}: serves {served}, which is no version of {SOLUTION}; put the campaign "
            "under its own solution"
        )
    ]


def test_only_what_the_run_trains_is_looked_at():
    assert apart([], solutions={}, campaigns={}) == []


# automatic training


@pytest.mark.parametrize("automatic", [False, None])
def test_a_solution_that_does_not_train_automatically_passes(automatic):
    changes = {} if automatic is None else {"performAutoTraining": automatic}
    known = world(solutions={SOLUTION: solution_resource(**changes)})
    assert list(trains_automatically(known, [solution_settings()])) == []


def test_a_solution_that_trains_automatically_is_told_with_the_way_out():
    known = world(solutions={SOLUTION: solution_resource(performAutoTraining=True)})
    both = [solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)]
    assert list(trains_automatically(known, both)) == [
        (
            f"{SOLUTION}: also trains automatically; turn that off with 'aws personalize "
            f"update-solution --solution-arn {SOLUTION} --no-perform-auto-training'"
        )
    ], "of the other, which does not exist, another guard speaks"


# past the gate


def past_the_gate(solution=None, **changes):
    known = world(campaigns={CAMPAIGN: campaign(**changes)})
    return list(passes_by_the_gate(known, [solution or solution_settings()]))


FOLLOWING = {"campaignConfig": {"syncWithLatestSolutionVersion": True}}


def test_a_campaign_that_takes_every_version_is_refused_beside_a_gate():
    assert past_the_gate(**FOLLOWING) == [
        (
            f"{CAMPAIGN}: syncWithLatestSolutionVersion deploys every version past the quality "
            f"gate; turn it off with 'aws personalize update-campaign --campaign-arn {CAMPAIGN} "
            "--campaign-config syncWithLatestSolutionVersion=false', or set "
            "qualityGateEnabled to false"
        )
    ]


def test_a_campaign_that_waits_for_the_gate_passes():
    assert past_the_gate() == []
    assert past_the_gate(campaignConfig={"syncWithLatestSolutionVersion": False}) == []
    bare = campaign()
    del bare["campaignConfig"]
    assert list(passes_by_the_gate(world(campaigns={CAMPAIGN: bare}), [solution_settings()])) == []


def test_without_a_gate_a_campaign_may_take_every_version():
    assert past_the_gate(solution_settings(qualityGate=[]), **FOLLOWING) == []


def test_of_a_campaign_that_does_not_exist_another_guard_speaks():
    assert list(passes_by_the_gate(world(campaigns={}), [solution_settings()])) == []


# how often


def often(most, *versions):
    return list(trained_often_enough(world(versions={SOLUTION: versions}), [UPDATE], most))


RECENT = version_summary(creationDateTime=ago(24 * 30, seconds=-1))
MONTH_OLD = version_summary(creationDateTime=ago(24 * 30))


def test_a_solution_that_was_trained_as_often_as_paid_for_is_told():
    assert often(2, RECENT, RECENT) == [
        f"{SOLUTION}: versions created within 30 days: 2, and limits.maxTrainingsPerMonth is 2"
    ]


@pytest.mark.parametrize(
    ("most", "versions", "found"),
    [
        (3, [RECENT, RECENT], 0),
        (2, [RECENT, RECENT, RECENT], 1),
        (2, [RECENT, MONTH_OLD], 0),
        (1, [], 0),
        (0, [RECENT] * 100, 0),
    ],
    ids=["once more", "more than that", "the 30th day is over", "never", "no limit"],
)
def test_versions_of_the_last_thirty_days_are_counted(most, versions, found):
    assert len(often(most, *versions)) == found


def test_every_solution_has_the_limit_of_its_own():
    both = [solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)]
    known = world(versions={SOLUTION: [RECENT], OTHER_SOLUTION: [RECENT]})
    assert len(list(trained_often_enough(known, both, 2))) == 0
    assert len(list(trained_often_enough(known, both, 1))) == 2
    assert list(trained_often_enough(world(versions={}), both, 1)) == []


# how many imports at once


@pytest.mark.parametrize(("used", "ours", "crowded"), [(3, 1, False), (4, 1, True), (0, 5, True)])
def test_imports_are_crowded_when_more_than_four_of_five_slots_are_used(used, ours, crowded):
    datasets = [dataset_settings()] * ours
    assert list(imports_are_crowded(world(import_slots_used=used), datasets)) == (
        [f"5 imports for 5 slots: {used} under way and {ours} of this run; some will wait"]
        if crowded
        else []
    )


def test_a_run_that_imports_nothing_waits_for_no_slot():
    assert list(imports_are_crowded(world(import_slots_used=4), [])) == []
