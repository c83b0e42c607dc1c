"""What a run does, from its settings, its request and the state of the world."""

import pytest

from functions.errors import RunRefused
from functions.planned import planned_import
from functions.planning import datasets_of, decide
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    EXECUTION,
    FIELDS,
    FINGERPRINT,
    FOREIGN_VERSION,
    ITEMS,
    JOB_NAME,
    NOW,
    OLD_VERSION,
    OTHER_SOLUTION,
    PREFIX,
    ROLE,
    RULES,
    RUN_ID,
    SOLUTION,
    TAGS,
    VERSION,
    VERSION_NAME,
    ago,
    campaign,
    campaign_update,
    dataset_resource,
    dataset_settings,
    export,
    import_summary,
    iso,
    run,
    s3_object,
    settings,
    solution_resource,
    solution_settings,
    version,
    version_summary,
    world,
)

ATTEMPT_2 = {"jobName": f"{JOB_NAME[:-1]}2", "versionName": f"{VERSION_NAME[:-1]}2"}


def decided(request=None, *, settings_=None, **changes):
    return decide(settings_ or settings(), run(request), world(**changes))


def planned_solution(request=None, *, solution=None, **changes):
    settings_ = settings(solutions=[solution or solution_settings()])
    (planned,) = decided(request, settings_=settings_, **changes)["solutions"]
    return planned


def test_a_run_imports_trains_and_updates_what_is_configured():
    assert decided() == {
        "imports": [
            {
                "type": "interactions",
                "jobName": JOB_NAME,
                "datasetArn": DATASET,
                "dataLocation": "s3://exports/interactions.csv",
                "importMode": "FULL",
                "roleArn": ROLE,
                "tags": TAGS,
                "durations": [1800],
                "maxHours": 6,
            }
        ],
        "solutions": [
            {
                "solutionArn": SOLUTION,
                "versionName": VERSION_NAME,
                "trainingMode": "FULL",
                "existingVersionArn": None,
                "dataAsOf": iso(47.5),
                "tags": TAGS,
                "qualityGate": RULES,
                "durations": [7200],
                "maxHours": 24,
                "campaigns": [
                    {
                        "campaignArn": CAMPAIGN,
                        "probe": None,
                        "durations": [1440000],
                        "maxHours": 3,
                    }
                ],
            }
        ],
        "skipped": None,
        "warnings": [],
    }


ITEM_FIELDS = [{"name": "ITEM_ID", "type": "string"}]


def two_datasets():
    return {
        "datasets": {DATASET: dataset_resource(), ITEMS: dataset_resource(datasetArn=ITEMS)},
        "schemas": {DATASET: FIELDS, ITEMS: ITEM_FIELDS},
        "exports": {DATASET: export(), ITEMS: export()},
    }


def two_of_each():
    return {
        "settings_": settings(
            datasets=[dataset_settings(), dataset_settings(type="items", datasetArn=ITEMS)],
            solutions=[
                solution_settings(),
                solution_settings(solutionArn=OTHER_SOLUTION, campaigns=[]),
            ],
        ),
        **two_datasets(),
        "import_jobs": {DATASET: [], ITEMS: []},
        "solutions": {
            arn: solution_resource(solutionArn=arn) for arn in (SOLUTION, OTHER_SOLUTION)
        },
        "versions": {SOLUTION: [], OTHER_SOLUTION: []},
    }


def test_a_request_may_choose_datasets_and_solutions():
    plan = decided({"datasets": ["items"], "solutions": [OTHER_SOLUTION]}, **two_of_each())
    assert [each["type"] for each in plan["imports"]] == ["items"]
    assert [each["solutionArn"] for each in plan["solutions"]] == [OTHER_SOLUTION]


def test_everything_is_imported_and_trained_where_nothing_is_chosen():
    plan = decided(**two_of_each())
    assert [each["type"] for each in plan["imports"]] == ["interactions", "items"]
    assert [each["solutionArn"] for each in plan["solutions"]] == [SOLUTION, OTHER_SOLUTION]


def test_a_run_may_skip_the_import():
    assert decided({"skipImport": True, "datasets": ["interactions"]})["imports"] == []
    assert len(decided({"skipImport": False})["imports"]) == 1


def test_a_dry_run_plans_everything_and_does_nothing():
    plan = decided({"dryRun": True})
    assert plan == {**decided(), "skipped": "this is a dry run"}
    assert decided({"dryRun": False})["skipped"] is None


SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}


def test_an_event_of_the_deployment_is_skipped_even_with_problems():
    settings_ = settings(datasets=[dataset_settings(importMode="INCREMENTAL")])
    changes = {"import_jobs": {DATASET: []}, "schedule_changed_at": NOW}
    plan = decided(SCHEDULED, settings_=settings_, **changes)
    assert plan["skipped"].startswith("the schedule was created or changed at 2026-11-29T03:00:00")


def test_a_run_is_refused_with_every_problem():
    settings_ = settings(
        datasets=[dataset_settings(importMode="INCREMENTAL")],
        solutions=[solution_settings(trainingMode="UPDATE", fullEveryDays=7)],
    )
    changes = {
        "import_jobs": {DATASET: []},
        "solutions": {SOLUTION: solution_resource(recipeArn=f"{ARN}:::recipe/aws-sims")},
        "versions": {SOLUTION: []},
    }
    with pytest.raises(RunRefused) as raised:
        decided({"trainingMode": "UPDATE"}, settings_=settings_, **changes)
    assert str(raised.value) == (
        "4 problems with this run:\n"
        f"  datasets.interactions: importMode INCREMENTAL needs an ACTIVE FULL import of {DATASET} "
        "before; import it once with importMode FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
        "aws-hrnn-coldstart, and this solution's is aws-sims; train it with FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
        "and there is none; start with trainingMode FULL\n"
        "  datasets.interactions: s3://exports/interactions.csv has 1 interactions; an INCREMENTAL "
        "import takes at least 1000 new ones: import less often, or use importMode FULL"
    )


def test_a_single_problem_is_no_problems():
    assert str(RunRefused(["a: b"])) == "1 problem with this run:\n  a: b"


def test_what_the_run_leaves_out_cannot_refuse_it():
    settings_ = settings(datasets=[dataset_settings(importMode="INCREMENTAL")])
    plan = decided({"skipImport": True}, settings_=settings_, import_jobs={DATASET: []})
    assert plan["imports"] == []


# how long jobs take


def test_durations_are_of_the_last_five_imports_that_succeeded_in_this_mode():
    def lasted(minutes, **changes):
        times = {"creationDateTime": ago(minutes=minutes), "lastUpdatedDateTime": NOW}
        return import_summary(**times, **changes)

    old = lasted(3)
    del old["importMode"]
    jobs = [
        lasted(1, status="CREATE FAILED"),
        lasted(2, importMode="INCREMENTAL"),
        old,
        *(lasted(minutes) for minutes in (4, 5, 6, 7, 8)),
    ]
    (planned,) = decided(import_jobs={DATASET: jobs})["imports"]
    assert planned["durations"] == [180, 240, 300, 360, 420]


def test_durations_are_of_versions_trained_in_this_mode():
    other = version_summary(trainingMode="UPDATE", lastUpdatedDateTime=ago(71.5))
    nameless = version_summary(lastUpdatedDateTime=ago(71))
    del nameless["trainingMode"]
    versions = {SOLUTION: [other, nameless, version_summary()]}
    assert planned_solution(versions=versions)["durations"] == [3600, 7200]
    assert planned_solution({"trainingMode": "UPDATE"}, versions=versions)["durations"] == [1800]


@pytest.mark.parametrize(("status", "durations"), [("ACTIVE", [60]), ("UPDATE FAILED", [])])
def test_a_campaign_updates_as_fast_as_the_last_time(status, durations):
    latest = campaign_update(status=status)
    campaigns = {CAMPAIGN: campaign(latestCampaignUpdate=latest)}
    (planned,) = planned_solution(campaigns=campaigns)["campaigns"]
    assert planned["durations"] == durations


# the training mode

UPDATE = solution_settings(trainingMode="UPDATE", fullEveryDays=7)


@pytest.mark.parametrize(
    ("hours", "mode"), [(6.5 * 24 - 0.01, "UPDATE"), (6.5 * 24, "FULL"), (7 * 24 + 1, "FULL")]
)
def test_an_update_becomes_full_when_the_last_full_one_is_too_old(hours, mode):
    versions = {SOLUTION: [version_summary(creationDateTime=ago(hours))]}
    assert planned_solution(solution=UPDATE, versions=versions)["trainingMode"] == mode, (
        "a version may have been created half a day after its run began"
    )


def test_the_first_training_of_an_updated_solution_is_full():
    assert planned_solution(solution=UPDATE, versions={SOLUTION: []})["trainingMode"] == "FULL"


@pytest.mark.parametrize("mode", ["FULL", "UPDATE"])
@pytest.mark.parametrize("solution", [UPDATE, solution_settings()])
def test_the_request_decides_about_the_mode(mode, solution):
    assert planned_solution({"trainingMode": mode}, solution=solution)["trainingMode"] == mode


# resume


def named(*versions):
    return {each["name"]: each for each in versions}


RESUME = {"resume": RUN_ID}


def test_a_run_that_is_resumed_takes_the_next_attempt_for_what_failed():
    jobs = [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]
    plan = decided(
        RESUME,
        import_jobs={DATASET: jobs},
        named_versions=named(version(status="CREATE STOPPED")),
    )
    assert plan["imports"][0]["jobName"] == ATTEMPT_2["jobName"]
    assert plan["solutions"][0]["versionName"] == ATTEMPT_2["versionName"]
    assert plan["solutions"][0]["existingVersionArn"] is None


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS", "CREATE PENDING"])
def test_a_run_that_is_resumed_keeps_what_did_not_fail(status):
    plan = decided(
        RESUME,
        import_jobs={DATASET: [import_summary(jobName=JOB_NAME, status=status)]},
        named_versions=named(version(status=status)),
    )
    assert plan["imports"][0]["jobName"] == JOB_NAME
    assert plan["solutions"][0]["versionName"] == VERSION_NAME
    assert plan["solutions"][0]["existingVersionArn"] == VERSION


def test_the_third_attempt_follows_the_second():
    versions = named(
        version(status="CREATE FAILED"),
        version(status="CREATE FAILED", name=ATTEMPT_2["versionName"]),
    )
    jobs = [
        import_summary(jobName=name, status="CREATE FAILED")
        for name in (ATTEMPT_2["jobName"], JOB_NAME)
    ]
    plan = decided(RESUME, named_versions=versions, import_jobs={DATASET: jobs})
    assert plan["solutions"][0]["versionName"] == f"{VERSION_NAME[:-1]}3"
    assert plan["imports"][0]["jobName"] == f"{JOB_NAME[:-1]}3"


@pytest.mark.parametrize(
    "job",
    [
        {"import_jobs": {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}},
        {"named_versions": named(version(status="CREATE FAILED"))},
    ],
    ids=["import", "version"],
)
def test_a_run_that_left_a_job_is_resumed_without_a_warning(job):
    assert decided(RESUME, **job)["warnings"] == []


def test_to_resume_a_run_that_left_no_job_is_warned_of():
    assert decided(RESUME)["warnings"] == [
        f"resume: run {RUN_ID} has made no job, so that everything starts anew"
    ]


def test_a_version_that_was_updated_is_kept_in_its_mode():
    earlier = named(version(trainingMode="UPDATE"))
    assert planned_solution(RESUME, named_versions=earlier)["trainingMode"] == "UPDATE"
    modeless = version()
    del modeless["trainingMode"]
    plan = planned_solution(RESUME, solution=UPDATE, named_versions=named(modeless))
    assert plan["trainingMode"] == "FULL", "what exists is compared with what is planned"
    asked = {**RESUME, "trainingMode": "FULL"}
    assert planned_solution(asked, named_versions=earlier)["trainingMode"] == "FULL"


def test_a_run_that_is_not_resumed_is_the_first_attempt_whatever_there_is():
    plan = decided(
        {"skipImport": True},
        import_jobs={DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]},
        named_versions=named(version(status="CREATE FAILED")),
    )
    assert plan["solutions"][0]["versionName"] == VERSION_NAME
    again = decided(
        import_jobs={DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}
    )
    assert again["imports"][0]["jobName"] == JOB_NAME


# a version that waits

WITHOUT_IMPORT = {"skipImport": True}
WAITING = version(
    name=f"{PREFIX}-20261122T030000Z-0b519087-1", status="ACTIVE", creationDateTime=ago(47)
)


def existing(request=WITHOUT_IMPORT, *versions, **changes):
    versions = versions or (WAITING,)
    return planned_solution(request, named_versions=named(*versions), **changes)[
        "existingVersionArn"
    ]


def test_a_waiting_version_that_knows_all_data_is_deployed_rather_than_trained_again():
    assert existing() == VERSION


@pytest.mark.parametrize(
    "version_",
    [
        {**WAITING, "creationDateTime": ago(47.5)},
        {**WAITING, "creationDateTime": ago(48)},
        {**WAITING, "status": "CREATE IN_PROGRESS"},
        {**WAITING, "status": "CREATE FAILED"},
        {**WAITING, "solutionArn": OTHER_SOLUTION},
        {**WAITING, "name": "by-hand"},
        {**WAITING, "name": f"ffffffff{WAITING['name'][8:]}"},
        {**WAITING, "name": f"{PREFIX}x"},
    ],
    ids=[
        "same time",
        "older",
        "training",
        "failed",
        "other solution",
        "by hand",
        "stack",
        "prefix",
    ],
)
def test_another_version_does_not_wait(version_):
    assert existing(WITHOUT_IMPORT, version_) is None


def test_the_newest_version_of_all_decides():
    by_hand = {**WAITING, "name": "by-hand", "solutionVersionArn": f"{SOLUTION}/by-hand"}
    assert existing(WITHOUT_IMPORT, by_hand, WAITING) is None, "ours is not the newest"
    failed = {**by_hand, "status": "CREATE FAILED"}
    assert existing(WITHOUT_IMPORT, failed, WAITING) == VERSION


def test_a_version_that_every_campaign_serves_does_not_wait():
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    assert existing(campaigns=campaigns) is None


def test_a_version_that_one_campaign_lacks_waits():
    two = [{"campaignArn": CAMPAIGN, "probe": None}, {"campaignArn": f"{CAMPAIGN}2", "probe": None}]
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION), f"{CAMPAIGN}2": campaign()}
    plan = planned_solution(
        WITHOUT_IMPORT,
        solution=solution_settings(campaigns=two),
        campaigns=campaigns,
        named_versions=named(WAITING),
    )
    assert plan["existingVersionArn"] == VERSION
    assert [each["campaignArn"] for each in plan["campaigns"]] == [f"{CAMPAIGN}2"], (
        "the others are left as they are"
    )


def test_a_resumed_run_moves_all_its_campaigns():
    """One that serves the version already may still have to be probed."""
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    plan = planned_solution(RESUME, campaigns=campaigns, named_versions=named(version()))
    assert [each["campaignArn"] for each in plan["campaigns"]] == [CAMPAIGN]


NEWER = version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1))


@pytest.mark.parametrize(
    ("status", "found"),
    [("ACTIVE", None), ("CREATE FAILED", VERSION)],
    ids=["served", "named only"],
)
def test_a_campaign_that_serves_a_newer_version_waits_for_nothing(status, found):
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=FOREIGN_VERSION, status=status)}
    assert existing(campaigns=campaigns, versions={SOLUTION: [NEWER]}) == found


@pytest.mark.parametrize(
    ("update", "waits"),
    [
        ({"status": "ACTIVE", "creationDateTime": ago(1)}, False),
        ({"status": "UPDATE IN_PROGRESS", "creationDateTime": ago(1)}, False),
        ({"status": "ACTIVE", "creationDateTime": WAITING["creationDateTime"]}, True),
        ({"status": "CREATE FAILED", "creationDateTime": ago(1)}, True),
        (
            {
                "status": "UPDATE IN_PROGRESS",
                "creationDateTime": ago(1),
                "solutionVersionArn": VERSION,
            },
            True,
        ),
    ],
    ids=[
        "moved back by hand",
        "on its way back by hand",
        "moved before",
        "our update failed",
        "our update is late",
    ],
)
def test_a_campaign_that_was_moved_since_waits_for_nothing(update, waits):
    latest = {"solutionVersionArn": OLD_VERSION, "lastUpdatedDateTime": ago(1), **update}
    campaigns = {CAMPAIGN: campaign(latestCampaignUpdate=latest)}
    assert existing(campaigns=campaigns) == (VERSION if waits else None)


def test_a_solution_without_campaigns_has_nothing_waiting():
    assert existing(solution=solution_settings(campaigns=[])) is None


# a version of somebody else's that was adopted

ADOPTED = version(solutionVersionArn=FOREIGN_VERSION, name="by-hand", creationDateTime=ago(1))


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS"])
def test_a_run_that_is_resumed_goes_on_with_the_version_that_it_adopted(status):
    adopted = {SOLUTION: {**ADOPTED, "status": status}}
    plan = planned_solution(RESUME, adopted=adopted)
    assert plan["existingVersionArn"] == FOREIGN_VERSION
    assert plan["versionName"] == VERSION_NAME, "of its own it has none"


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (RESUME, {"adopted": {SOLUTION: {**ADOPTED, "status": "CREATE FAILED"}}}),
        (RESUME, {"adopted": {OTHER_SOLUTION: ADOPTED}}),
        (RESUME, {"adopted": {SOLUTION: ADOPTED}, "verdicts": {FOREIGN_VERSION: "REJECTED"}}),
        ({}, {"adopted": {SOLUTION: ADOPTED}}),
    ],
    ids=["failed", "of another solution", "rejected", "imports anew"],
)
def test_else_it_trains_one(request_, changes):
    assert planned_solution(request_, **changes)["existingVersionArn"] is None


def test_an_adopted_version_waits_like_one_of_our_own():
    assert (
        planned_solution(
            WITHOUT_IMPORT,
            adopted={SOLUTION: {**ADOPTED, "status": "ACTIVE"}},
            named_versions=named(WAITING),
        )["existingVersionArn"]
        == FOREIGN_VERSION
    ), "it is the newer of the two"


def test_a_run_that_is_resumed_keeps_its_own_version_before_any_that_waits():
    own = version(solutionVersionArn=f"{SOLUTION}/own")
    assert existing({**WITHOUT_IMPORT, **RESUME}, own, WAITING) == f"{SOLUTION}/own"


def test_who_asks_for_a_training_mode_gets_a_training():
    assert existing({"skipImport": True, "trainingMode": "FULL"}) is None


def test_a_run_that_imports_trains():
    assert existing({}) is None


def test_without_any_import_a_version_knows_all_data():
    assert existing(import_jobs={DATASET: []}) == VERSION


def test_the_data_is_as_of_the_newest_import_of_any_dataset_that_succeeded():
    jobs = {
        DATASET: [
            import_summary(status="CREATE FAILED", lastUpdatedDateTime=ago(1)),
            import_summary(lastUpdatedDateTime=ago(30)),
        ],
        ITEMS: [import_summary(lastUpdatedDateTime=ago(20))],
    }
    settings_ = settings(
        datasets=[dataset_settings(), dataset_settings(type="items", datasetArn=ITEMS)]
    )
    known = {**two_datasets(), "import_jobs": jobs}
    plan = decided({"skipImport": True}, settings_=settings_, **known)
    assert plan["solutions"][0]["dataAsOf"] == iso(20)


def test_the_data_is_of_no_time_where_nothing_was_imported():
    assert planned_solution(import_jobs={DATASET: []})["dataAsOf"] is None
    assert OLD_VERSION in str(world().campaigns), "the campaign serves an old version all the same"


# the guards: where each of them has its say


def test_a_run_beside_an_older_one_is_skipped_even_with_problems():
    plan = decided(older_run=EXECUTION, datasets={})
    assert plan == {
        "imports": [],
        "solutions": [],
        "skipped": f"{EXECUTION} is under way",
        "warnings": [],
    }


def test_problems_of_the_service_and_of_the_exports_are_given_at_once():
    with pytest.raises(RunRefused) as raised:
        decided(datasets={}, import_jobs={}, exports={DATASET: export(objects=[], beginnings=[])})
    assert str(raised.value) == (
        "2 problems with this run:\n"
        f"  {DATASET}: does not exist; create it, or correct the stack's config\n"
        "  datasets.interactions: nothing lies at s3://exports/interactions.csv; was the export "
        "written?"
    )


def test_nothing_needs_to_exist_for_all_problems_to_be_told():
    with pytest.raises(RunRefused, match="4 problems with this run"):
        decided(
            {"trainingMode": "UPDATE"},
            datasets={},
            groups={},
            schemas={},
            import_jobs={},
            solutions={},
            versions={},
            campaigns={},
        )


def test_a_campaign_past_the_gate_refuses_the_run():
    following = campaign(campaignConfig={"syncWithLatestSolutionVersion": True})
    with pytest.raises(RunRefused, match="past the quality gate"):
        decided(campaigns={CAMPAIGN: following})


AUTOMATIC = {"solutions": {SOLUTION: solution_resource(performAutoTraining=True)}}
ALSO_TRAINS = (
    f"{SOLUTION}: also trains automatically; turn that off with 'aws personalize update-solution "
    f"--solution-arn {SOLUTION} --no-perform-auto-training'"
)


def test_automatic_training_is_warned_of_or_refused_as_configured():
    assert decided(**AUTOMATIC)["warnings"] == [ALSO_TRAINS]
    assert decided(settings_=settings(autoTraining="refuse"))["warnings"] == [], "none does"
    with pytest.raises(RunRefused) as raised:
        decided(settings_=settings(autoTraining="refuse"), **AUTOMATIC)
    assert str(raised.value) == f"1 problem with this run:\n  {ALSO_TRAINS}"


def test_crowded_imports_are_warned_of():
    assert decided(import_slots_used=4)["warnings"] == [
        "5 imports for 5 slots: 4 under way and 1 of this run; some will wait"
    ]


def test_an_import_that_is_resumed_takes_no_slot_of_its_own():
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE IN_PROGRESS")]}
    assert decided(RESUME, import_jobs=jobs, import_slots_used=4)["warnings"] == []


# nothing new

UNCHANGED = {
    "last_import": {DATASET: {"retraining-fingerprint": FINGERPRINT}},
    "versions": {SOLUTION: [version_summary(creationDateTime=ago(47))]},
}
NOTHING_NEW = "nothing is new: the exports are those imported last"


@pytest.mark.parametrize(
    ("request_", "skipped"), [({}, None), ({"dryRun": True}, "this is a dry run")]
)
def test_where_nothing_is_new_a_version_that_waits_is_deployed_without_an_import(request_, skipped):
    plan = decided(request_, **UNCHANGED, named_versions=named(WAITING))
    assert (plan["imports"], plan["skipped"]) == ([], skipped)
    assert [each["existingVersionArn"] for each in plan["solutions"]] == [VERSION]


def test_a_run_with_nothing_new_is_skipped():
    plan = decided(**UNCHANGED)
    assert plan["skipped"].startswith(NOTHING_NEW)
    assert (plan["imports"], plan["solutions"]) == ([], [])


def test_an_export_that_is_not_new_is_no_problem():
    """Its marker and its objects are older than the import that took them."""
    marked = dataset_settings(readyMarker="s3://exports/_SUCCESS", importMode="INCREMENTAL")
    old = {"exports": {DATASET: export(objects=[s3_object(modified=ago(100))])}, **UNCHANGED}
    assert decided(settings_=settings(datasets=[marked]), **old)["skipped"].startswith(NOTHING_NEW)


@pytest.mark.parametrize(
    ("request_", "settings_"),
    [
        ({"force": True}, settings()),
        ({"resume": RUN_ID}, settings()),
        ({}, settings(skipWhenUnchanged=False)),
    ],
    ids=["force", "resume", "configured"],
)
def test_a_run_with_nothing_new_goes_on_where_that_was_asked_for(request_, settings_):
    plan = decided(request_, settings_=settings_, **UNCHANGED)
    assert (plan["skipped"], len(plan["imports"])) == (None, 1)


def test_force_may_be_false():
    assert decided({"force": False}, **UNCHANGED)["skipped"].startswith(NOTHING_NEW)


def test_problems_are_told_although_nothing_is_new():
    with pytest.raises(RunRefused, match="CREATE FAILED"):
        decided(**UNCHANGED, datasets={DATASET: dataset_resource(status="CREATE FAILED")})


# the exports

BAD_EXPORT = {"exports": {DATASET: export(objects=[], beginnings=[])}}


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS"])
def test_what_a_resumed_run_has_imported_is_not_judged_again(status):
    """Its objects are older than its own import by now, and may be gone."""
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status=status)]}
    assert len(decided(RESUME, import_jobs=jobs, **BAD_EXPORT)["imports"]) == 1


@pytest.mark.parametrize("request_", [{}, {"resume": RUN_ID}])
def test_what_will_be_imported_is_judged(request_):
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}
    with pytest.raises(RunRefused, match="was the export written"):
        decided(request_, import_jobs=jobs, **BAD_EXPORT)


def test_only_a_resumed_run_goes_on_with_an_import_of_its_name():
    jobs = {DATASET: [import_summary(jobName=JOB_NAME)]}
    with pytest.raises(RunRefused, match="was the export written"):
        decided(import_jobs=jobs, **BAD_EXPORT)


# how often

ONCE = settings(
    limits={
        "maxImportHours": 6,
        "maxTrainingHours": 24,
        "maxCampaignHours": 3,
        "maxTrainingsPerMonth": 1,
    }
)
OFTEN = f"{SOLUTION}: versions created within 30 days: 1, and limits.maxTrainingsPerMonth is 1"


def test_a_solution_that_was_trained_often_enough_skips_the_run():
    assert decided(settings_=ONCE) == {**decided(), "skipped": OFTEN}
    assert decided({"dryRun": True}, settings_=ONCE)["skipped"] == OFTEN


def test_a_version_that_exists_is_used_however_often_was_trained():
    assert decided(RESUME, settings_=ONCE, named_versions=named(version()))["skipped"] is None
    assert decided(WITHOUT_IMPORT, settings_=ONCE, named_versions=named(WAITING))["skipped"] is None


# what is remembered


def test_a_version_remembers_all_exports_together():
    plan = decided(**two_of_each())
    assert [each["tags"]["retraining-bytes"] for each in plan["imports"]] == ["1000", "1000"]
    assert plan["solutions"][0]["tags"] == {
        "team": "recommendations",
        "retraining-run": RUN_ID,
        "retraining-bytes": "2000",
        "retraining-objects": "2",
        "retraining-fingerprint": "05eccbb24ea50472c333e10d7e0a29b4",
    }


def test_a_version_without_imports_remembers_the_run():
    tags = planned_solution(WITHOUT_IMPORT, exports={})["tags"]
    assert tags == {"team": "recommendations", "retraining-run": RUN_ID}


def test_our_own_facts_are_not_the_stacks_to_change():
    planned = planned_import(
        settings(tags={"retraining-run": "x"}), run(), world(), dataset_settings()
    )
    assert planned["tags"]["retraining-run"] == RUN_ID


@pytest.mark.parametrize("verdict", ["REJECTED", "ROLLED_BACK"])
def test_a_version_that_must_not_be_deployed_again_is_neither_resumed_nor_waiting(verdict):
    known = {"verdicts": {VERSION: verdict}}
    own = version(status="ACTIVE")
    resumed = planned_solution(RESUME, named_versions=named(own), **known)
    assert (resumed["versionName"], resumed["existingVersionArn"]) == (
        ATTEMPT_2["versionName"],
        None,
    )
    assert existing(WITHOUT_IMPORT, WAITING, **known) is None


# where the data lies

DATED = dataset_settings(
    dataLocation="s3://exports/{date}/{date}.csv", readyMarker="s3://exports/{date}/_SUCCESS"
)


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"id": "20261128T233000Z"}, "2026-11-28"),
        ({"id": "20261128-0a1b2c3d"}, "2026-11-28"),
        ({"id": "20261128T233000Z", "startedAt": "2026-12-01T00:00:00Z"}, "2026-11-28"),
        ({"id": "20261128-0a1b2c3d", "startedAt": "2026-12-01T00:00:00Z"}, "2026-11-28"),
    ],
    ids=["its slot", "its start", "its slot, also when resumed", "its start, when resumed"],
)
def test_a_date_in_a_location_is_the_runs_day(changes, day):
    (dataset,) = datasets_of(settings(datasets=[DATED]), run(**changes))
    assert dataset == {
        **DATED,
        "dataLocation": f"s3://exports/{day}/{day}.csv",
        "readyMarker": f"s3://exports/{day}/_SUCCESS",
    }


def test_what_has_no_date_stays_as_it_is():
    assert datasets_of(settings(), run()) == [dataset_settings()]
