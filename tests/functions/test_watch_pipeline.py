"""Tests of the ages: what counts, what is logged, and what is not known.

`tests/workflow/test_watcher.py` shows what the watcher starts and stops.
"""

import pytest

from functions import watch_pipeline
from functions.common.errors import Throttled
from functions.personalize.lists import list_recommenders
from functions.run.executions import DeployedStateMachine
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    EXECUTION,
    GROUP,
    ITEMS,
    NOW,
    OLD_VERSION,
    OTHER_CAMPAIGN,
    SOLUTION,
    ago,
    campaign,
    campaign_settings,
    dataset_settings,
    expect_recommenders,
    import_summary,
    iso,
    items_settings,
    recommender_summary,
    settings,
    solution_settings,
    version,
    version_summary,
)

ONLY_ITEMS = settings(datasets=[items_settings()], solutions=[])
WITHOUT_CAMPAIGNS = settings(datasets=[], solutions=[solution_settings(campaigns=[])])


@pytest.fixture
def measure(personalize, monkeypatch):
    """Return a function that measures a pipeline which was deployed so many hours ago.

    Its last execution began an hour ago, or `last_start` hours. While it is running, nothing is
    started or stopped.
    """
    monkeypatch.setattr(watch_pipeline, "personalize_read_client", lambda: personalize.client)
    monkeypatch.setattr(watch_pipeline, "stepfunctions", lambda: None)
    monkeypatch.setattr(watch_pipeline, "list_recommenders", lambda *_: [])

    def call(settings_, deployed=1000, status="RUNNING", last_start=1):
        def last_executions(*_):
            if status == "UNKNOWN":
                raise Throttled("ListExecutions")
            return [{"status": status, "startDate": ago(last_start)}]

        monkeypatch.setattr(watch_pipeline, "list_latest_executions", last_executions)
        machine = DeployedStateMachine(settings_, ago(deployed))
        monkeypatch.setattr(watch_pipeline, "read_state_machine", lambda *_: machine)
        return watch_pipeline.handler({"stateMachineArn": "machine"}, None)

    return call


def expect_tags(personalize, arn, **tags):
    response = [{"tagKey": f"retraining-{key}", "tagValue": value} for key, value in tags.items()]
    personalize.expect("list_tags_for_resource", {"tags": response}, resourceArn=arn)


def expect_campaign(personalize, trained=72, arn=CAMPAIGN, **changes):
    """Expect a campaign and its version, which was trained so many hours ago, to be described."""
    personalize.expect("describe_campaign", {"campaign": campaign(**changes)}, campaignArn=arn)
    if trained is not None:
        response = {"solutionVersion": version(creationDateTime=ago(trained))}
        personalize.expect("describe_solution_version", response, solutionVersionArn=OLD_VERSION)


def expect_imports(personalize, arn, statuses):
    """Expect the import jobs of a dataset to be listed: the hours since their creation, status."""
    jobs = [
        import_summary(
            creationDateTime=ago(hours), lastUpdatedDateTime=ago(hours - 0.5), status=status
        )
        for hours, status in statuses.items()
    ]
    request = {"datasetArn": arn, "maxResults": 100}
    personalize.expect("list_dataset_import_jobs", {"datasetImportJobs": jobs}, **request)


def expect_versions(personalize, *summaries):
    response = {"solutionVersions": summaries}
    request = {"maxResults": 100}
    personalize.expect("list_solution_versions", response, solutionArn=SOLUTION, **request)


def errors(caplog):
    """Return the messages of the error records, which name the resource that cannot be read."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


# Models


@pytest.mark.parametrize(
    "checked, deployed, age",
    [
        ({}, 1000, 72),
        ({"checked": iso(10)}, 1000, 10),
        ({"checked": iso(100)}, 1000, 72),
        ({"checked": "yesterday"}, 1000, 72),
        ({}, 0.5, 0.5),
    ],
    ids=[
        "as old as its version",
        "found up to date since",
        "found up to date before",
        "no time",
        "not older than the pipeline",
    ],
)
def test_a_model_has_an_age(measure, personalize, checked, deployed, age):
    expect_tags(personalize, CAMPAIGN, **checked)
    expect_campaign(personalize, trained=72)
    assert measure(settings(datasets=[]), deployed)["models"] == {"taste": age}


def test_the_oldest_campaign_of_a_solution_counts(measure, personalize):
    shelf = CAMPAIGN.replace("home", "shelf")
    campaigns = [{"campaignArn": arn, "probe": None} for arn in (CAMPAIGN, shelf)]
    for arn, hours in ((CAMPAIGN, 1), (shelf, 40)):
        expect_tags(personalize, arn, checked=iso(hours))
        expect_campaign(personalize, trained=200, arn=arn)
    with_two = settings(datasets=[], solutions=[solution_settings(campaigns=campaigns)])

    assert measure(with_two)["models"] == {"taste": 40}


@pytest.mark.parametrize("checked, hours", [({}, 70), ({"checked": iso(3)}, 3)])
def test_a_solution_without_campaigns_has_its_newest_version(measure, personalize, checked, hours):
    expect_versions(personalize, version_summary(creationDateTime=ago(70)))
    expect_tags(personalize, SOLUTION, **checked)
    assert measure(WITHOUT_CAMPAIGNS)["models"] == {"taste": hours}


# Trials


def expect_trial(personalize, began, bake_ended=None, arn=CAMPAIGN):
    """Expect a campaign with a trial that began, and whose bake ended so many hours ago."""
    bake = {} if bake_ended is None else {"bake": iso(bake_ended)}
    expect_tags(personalize, arn, trial=f"{OLD_VERSION} {iso(began)} served", **bake)
    expect_campaign(personalize, arn=arn)


@pytest.mark.parametrize(
    "began, bake_ended, count", [(4, None, 0), (6, None, 1), (12, 4, 0), (12, 6, 1)]
)
def test_a_trial_is_late_five_hours_after_its_bake(measure, personalize, began, bake_ended, count):
    expect_trial(personalize, began, bake_ended)
    assert measure(settings(datasets=[]))["unfinishedTrials"] == count


CAMPAIGNS = [campaign_settings(campaignArn=arn) for arn in (CAMPAIGN, OTHER_CAMPAIGN)]
WITH_TWO = settings(datasets=[], solutions=[solution_settings(campaigns=CAMPAIGNS)])


def test_the_trial_that_is_due_first_starts_a_run(measure, personalize, executions, monkeypatch):
    monkeypatch.setattr(watch_pipeline, "stepfunctions", lambda: executions.client)
    expect_trial(personalize, began=4)
    expect_trial(personalize, began=4, bake_ended=-1, arn=OTHER_CAMPAIGN)
    expect_versions(personalize)
    started = {"executionArn": EXECUTION, "startDate": NOW}
    request = {"name": "trial-20261129T031000Z", "input": '{"only": "trials"}'}
    executions.expect("start_execution", started, stateMachineArn="machine", **request)
    measure(WITH_TWO, status="FAILED")


def test_a_young_trial_does_not_shorten_the_pauses_of_an_old_one(measure, personalize):
    expect_trial(personalize, began=4)
    expect_trial(personalize, began=0.2, arn=OTHER_CAMPAIGN)
    expect_versions(personalize)
    measure(WITH_TWO, status="FAILED", last_start=0.5)


# What cannot be measured


def test_a_solution_without_a_version_has_no_age(measure, personalize, caplog):
    expect_versions(personalize, version_summary(status="CREATE FAILED"))
    assert measure(WITHOUT_CAMPAIGNS)["models"] == {"taste": None}
    assert errors(caplog) == [f"watch_pipeline: {SOLUTION}: the solution has no ACTIVE version"]


def test_a_campaign_that_serves_nothing_has_no_age(measure, personalize, caplog):
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize, trained=None, status="CREATE FAILED")
    assert measure(settings(datasets=[]))["models"] == {"taste": None}
    failure = "the campaign serves nothing, because it is not ACTIVE"

    assert errors(caplog) == [f"watch_pipeline: {CAMPAIGN}: {failure}"]


@pytest.mark.parametrize(
    "code, status", [("AccessDeniedException", 400), ("InternalServerError", 500)]
)
def test_a_campaign_that_cannot_be_read_is_logged_and_rings_and_stops_nothing(
    measure, personalize, caplog, code, status
):
    personalize.expect_error(
        "list_tags_for_resource", code, "no", status=status, resourceArn=CAMPAIGN
    )
    expect_imports(personalize, ITEMS, {20: "ACTIVE"})
    expect_tags(personalize, ITEMS)
    ages = measure(settings(datasets=[items_settings()]))
    assert ages == {"models": {"taste": None}, "data": {"items": 20}, "unfinishedTrials": 1}
    (message,) = errors(caplog)

    assert message.startswith(f"watch_pipeline: {CAMPAIGN}: ")
    assert code in message


def test_a_service_that_answers_slowly_does_not_keep_back_what_was_read(
    measure, personalize, caplog, clock
):
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize, trained=72)
    expect_imports(personalize, ITEMS, {20: "ACTIVE"})
    expect_tags(personalize, ITEMS)
    events = personalize.client.meta.events
    name = "after-call.personalize.ListTagsForResource"
    events.register(name, lambda **_: clock.advance(60), "slow")
    try:
        ages = measure(settings(datasets=[items_settings(), dataset_settings()]))
    finally:
        events.unregister(name, unique_id="slow")
    assert ages["models"]["taste"] == pytest.approx(72, abs=0.1)
    assert ages["data"] == {"items": pytest.approx(20, abs=0.1), "interactions": None}
    failure = "the other resources took all the time"

    assert errors(caplog) == [f"watch_pipeline: {DATASET}: {failure}"]


def test_executions_that_cannot_be_listed_are_logged_and_nothing_is_started(
    measure, personalize, caplog
):
    expect_trial(personalize, began=4)
    assert measure(settings(datasets=[]), status="UNKNOWN")["models"] == {"taste": 72}
    assert errors(caplog) == ["watch_pipeline: machine: ListExecutions"]


# Data


@pytest.mark.parametrize(
    "imports, checked, age",
    [
        ({90: "ACTIVE", 20: "ACTIVE", 50: "ACTIVE"}, {}, 20),
        ({20: "CREATE FAILED"}, {}, 1000),
        ({90: "ACTIVE"}, {"checked": iso(2)}, 2),
        ({}, {"checked": iso(2)}, 2),
    ],
    ids=["the newest import", "a failed import", "an unchanged export", "no import"],
)
def test_the_data_of_items_have_an_age(measure, personalize, imports, checked, age):
    expect_imports(personalize, ITEMS, imports)
    expect_tags(personalize, ITEMS, **checked)
    assert measure(ONLY_ITEMS)["data"] == {"items": age}


@pytest.mark.parametrize(
    "dataset, trackers, age",
    [
        (dataset_settings(), [], 90),
        (dataset_settings(type="actionInteractions"), [], 90),
        (dataset_settings(), ["CREATE FAILED"], 90),
        (dataset_settings(), ["ACTIVE"], 2),
        (dataset_settings(streamed=True), None, 2),
    ],
)
def test_an_unchanged_export_of_interactions_means_that_no_data_arrive_without_events(
    measure, personalize, dataset, trackers, age
):
    expect_imports(personalize, DATASET, {90: "ACTIVE"})
    if trackers is not None:
        found = [{"eventTrackerArn": "tracker", "status": status} for status in trackers]
        request = {"datasetGroupArn": GROUP, "maxResults": 100}
        personalize.expect("list_event_trackers", {"eventTrackers": found}, **request)
    if age == 2:
        expect_tags(personalize, DATASET, checked=iso(2))
    ages = measure(settings(solutions=[], datasets=[dataset]))

    assert ages["data"] == {dataset["type"]: age}


# Recommenders


@pytest.fixture
def count(measure, personalize, monkeypatch):
    """Return a function that counts the inactive recommenders of a pipeline that only imports."""
    monkeypatch.setattr(watch_pipeline, "list_recommenders", list_recommenders)
    expect_imports(personalize, ITEMS, {20: "ACTIVE"})
    expect_tags(personalize, ITEMS)
    return lambda: measure(ONLY_ITEMS)["inactiveRecommenders"]


@pytest.mark.parametrize(
    "status", ["INACTIVE", "STOP PENDING", "CREATE PENDING", "CREATE FAILED", "DELETE PENDING"]
)
def test_a_recommender_that_is_not_active_counts_until_it_is(count, personalize, status):
    other = recommender_summary(status=status, datasetGroupArn=f"{GROUP}-2")
    expect_recommenders(personalize, recommender_summary(status=status), other)
    assert count() == 1


def test_an_active_recommender_does_not_count_however_old_it_is(count, personalize):
    old = recommender_summary(lastUpdatedDateTime=ago(10_000))
    expect_recommenders(personalize, old, recommender_summary())
    assert count() == 0


def test_recommenders_that_cannot_be_listed_count_as_one_and_are_logged(count, personalize, caplog):
    personalize.expect_error("list_recommenders", "AccessDeniedException", maxResults=100)
    assert count() == 1
    (message,) = errors(caplog)
    assert message.startswith("watch_pipeline: the recommenders: ")


def test_a_pipeline_with_solutions_counts_no_recommenders(measure, personalize, monkeypatch):
    monkeypatch.setattr(watch_pipeline, "list_recommenders", None)
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize)
    assert "inactiveRecommenders" not in measure(settings(datasets=[]))
