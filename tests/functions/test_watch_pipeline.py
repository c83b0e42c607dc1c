"""Tests of the ages: what counts, what is logged, and what is not known.

`tests/workflow/test_watcher.py` shows what the watcher starts and stops.
"""

import json
import logging

import pytest
from botocore.exceptions import ClientError

from functions import watch_pipeline
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    GROUP,
    ITEMS,
    OLD_VERSION,
    ROLE,
    SOLUTION,
    ago,
    campaign,
    dataset_settings,
    import_summary,
    iso,
    items_settings,
    settings,
    solution_settings,
    version,
    version_summary,
)

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
ONLY_ITEMS = settings(datasets=[items_settings()], solutions=[])
WITHOUT_CAMPAIGNS = settings(datasets=[], solutions=[solution_settings(campaigns=[])])


@pytest.fixture
def measure(personalize, executions, monkeypatch):
    """Return a function that measures a pipeline which was deployed so many hours ago."""
    monkeypatch.setattr(watch_pipeline, "read_client", lambda: personalize.client)
    monkeypatch.setattr(watch_pipeline, "stepfunctions", lambda: executions.client)

    def call(settings_, deployed=1000):
        expect_machine(executions, settings_, deployed)
        expect_executions(executions, "RUNNING")
        return watch_pipeline.handler({"stateMachineArn": MACHINE}, None)

    return call


def expect_machine(executions, settings_, deployed=1000):
    first_state = {"Parameters": {"settings": settings_}}
    definition = {"StartAt": "Configure run", "States": {"Configure run": first_state}}
    response = {
        "stateMachineArn": MACHINE,
        "name": "retraining",
        "definition": json.dumps(definition),
        "roleArn": ROLE,
        "type": "STANDARD",
        "creationDate": ago(deployed),
    }
    executions.expect("describe_state_machine", response, stateMachineArn=MACHINE)


def expect_executions(executions, *statuses):
    """Expect the executions with these statuses to be listed. They were started an hour ago."""
    items = [
        {
            "executionArn": MACHINE.replace(":stateMachine:", ":execution:") + f":{status}",
            "stateMachineArn": MACHINE,
            "name": status,
            "status": status,
            "startDate": ago(1),
        }
        for status in statuses
    ]
    request = {"stateMachineArn": MACHINE, "maxResults": 100}
    executions.expect("list_executions", {"executions": items}, **request)


def expect_tags(personalize, arn, **tags):
    response = [{"tagKey": f"retraining-{key}", "tagValue": value} for key, value in tags.items()]
    personalize.expect("list_tags_for_resource", {"tags": response}, resourceArn=arn)


def expect_campaign(personalize, trained=72, **changes):
    """Expect a campaign and its version, which was trained so many hours ago, to be described."""
    described = campaign(**changes)
    personalize.expect("describe_campaign", {"campaign": described}, campaignArn=CAMPAIGN)
    if trained is not None:
        response = {"solutionVersion": version(creationDateTime=ago(trained))}
        personalize.expect("describe_solution_version", response, solutionVersionArn=OLD_VERSION)


def expect_imports(personalize, arn, *hours, **changes):
    """Expect the import jobs of a dataset to be listed, which were created so many hours ago."""
    jobs = [
        import_summary(creationDateTime=ago(hour), lastUpdatedDateTime=ago(hour - 0.5), **changes)
        for hour in hours
    ]
    request = {"datasetArn": arn, "maxResults": 100}
    personalize.expect("list_dataset_import_jobs", {"datasetImportJobs": jobs}, **request)


def expect_trackers(personalize, *statuses):
    trackers = [{"eventTrackerArn": "tracker", "status": status} for status in statuses]
    personalize.expect("list_event_trackers", {"eventTrackers": trackers}, datasetGroupArn=GROUP)


def errors(caplog):
    """Return the messages of the error records, which name the resource that cannot be read."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


# Models


def model_age(measure, deployed=1000):
    """Return the age of the model of a pipeline without datasets."""
    return measure(settings(datasets=[]), deployed)["models"]["taste"]


def test_a_model_is_as_old_as_the_version_that_its_campaign_serves(measure, personalize):
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize, trained=72)
    assert model_age(measure) == 72


def test_a_model_that_was_found_up_to_date_is_as_old_as_this_check(measure, personalize):
    expect_tags(personalize, CAMPAIGN, checked=iso(10))
    expect_campaign(personalize, trained=72)
    assert model_age(measure) == 10


def test_a_check_of_an_earlier_version_does_not_make_a_model_older(measure, personalize):
    expect_tags(personalize, CAMPAIGN, checked=iso(100))
    expect_campaign(personalize, trained=72)
    assert model_age(measure) == 72


@pytest.mark.parametrize("value", ["yesterday", "2026-11-29T03:00:00", iso(-1), ""])
def test_a_time_that_no_run_has_written_does_not_count(measure, personalize, value):
    expect_tags(personalize, CAMPAIGN, checked=value)
    expect_campaign(personalize, trained=72)
    assert model_age(measure) == 72


def test_a_model_is_not_older_than_the_pipeline(measure, personalize):
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize, trained=72)
    assert model_age(measure, deployed=0.5) == 0.5


def test_the_oldest_campaign_of_a_solution_counts(measure, personalize):
    shelf = CAMPAIGN.replace("home", "shelf")
    campaigns = [{"campaignArn": arn, "probe": None} for arn in (CAMPAIGN, shelf)]
    expect_tags(personalize, CAMPAIGN, checked=iso(1))
    expect_campaign(personalize, trained=200)
    expect_tags(personalize, shelf, checked=iso(40))
    personalize.expect("describe_campaign", {"campaign": campaign()}, campaignArn=shelf)
    response = {"solutionVersion": version(creationDateTime=ago(200))}
    personalize.expect("describe_solution_version", response, solutionVersionArn=OLD_VERSION)
    with_two = settings(datasets=[], solutions=[solution_settings(campaigns=campaigns)])
    assert measure(with_two)["models"] == {"taste": 40}


@pytest.mark.parametrize(("checked", "hours"), [({}, 70), ({"checked": iso(3)}, 3)])
def test_a_solution_without_campaigns_has_its_newest_version(measure, personalize, checked, hours):
    versions = [version_summary(creationDateTime=ago(70))]
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", {"solutionVersions": versions}, **request)
    expect_tags(personalize, SOLUTION, **checked)
    assert measure(WITHOUT_CAMPAIGNS)["models"] == {"taste": hours}


# What cannot be measured


def test_a_solution_without_a_version_has_no_age(measure, personalize, caplog):
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", {"solutionVersions": []}, **request)
    assert measure(WITHOUT_CAMPAIGNS)["models"] == {"taste": None}
    assert errors(caplog) == [f"watch_pipeline: {SOLUTION}: the solution has no ACTIVE version"]


def test_a_campaign_that_serves_nothing_has_no_age(measure, personalize, caplog):
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize, trained=None, status="CREATE FAILED")
    assert model_age(measure) is None
    (message,) = errors(caplog)
    failure = "the campaign serves nothing, because it is not ACTIVE"
    assert message == f"watch_pipeline: {CAMPAIGN}: {failure}"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 400),
        ("ThrottlingException", 400),
        ("InternalServerError", 500),
    ],
)
def test_a_campaign_that_cannot_be_read_is_logged_and_rings_and_stops_nothing(
    measure, personalize, caplog, code, status
):
    caplog.set_level(logging.INFO)
    personalize.expect_error(
        "list_tags_for_resource", code, "no", status=status, resourceArn=CAMPAIGN
    )
    expect_imports(personalize, ITEMS, 20)
    expect_tags(personalize, ITEMS)
    ages = measure(settings(datasets=[items_settings()]))
    assert ages == {"models": {"taste": None}, "data": {"items": 20}, "unfinishedTrials": 1}
    (message,) = errors(caplog)
    assert message.startswith(f"watch_pipeline: {CAMPAIGN}: ")
    assert code in message
    names = [record.getMessage() for record in caplog.records]
    assert names[-3:] == [
        "metrics: DataAgeHours",
        "metrics: DataAgeHours, UnfinishedTrials",
        "watch_pipeline: the oldest model has None hours, and the data 20.0",
    ]


def test_a_service_that_answers_slowly_does_not_keep_back_what_was_read(
    measure, personalize, caplog, clock
):
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize, trained=72)
    expect_imports(personalize, ITEMS, 20)
    expect_tags(personalize, ITEMS)
    personalize.client.meta.events.register(
        "after-call.personalize.ListTagsForResource", lambda **_: clock.advance(60), "slow"
    )
    datasets = [items_settings(), dataset_settings()]
    try:
        ages = measure(settings(datasets=datasets))
    finally:
        personalize.client.meta.events.unregister(
            "after-call.personalize.ListTagsForResource", unique_id="slow"
        )
    assert ages["models"]["taste"] == pytest.approx(72, abs=0.1)
    assert ages["data"]["items"] == pytest.approx(20, abs=0.1)
    assert ages["data"]["interactions"] is None
    (message,) = errors(caplog)
    assert message.startswith(f"watch_pipeline: {DATASET}: the other ")


# Data


def data_age(measure, deployed=1000):
    """Return the age of the dataset items of a pipeline without solutions."""
    return measure(ONLY_ITEMS, deployed)["data"]["items"]


def test_data_are_as_old_as_the_newest_import_job(measure, personalize):
    expect_imports(personalize, ITEMS, 90, 20, 50)
    expect_tags(personalize, ITEMS)
    assert data_age(measure) == 20


def test_an_import_that_has_not_succeeded_does_not_count(measure, personalize):
    expect_imports(personalize, ITEMS, 20, status="CREATE FAILED")
    expect_tags(personalize, ITEMS)
    assert data_age(measure, deployed=600) == 600


def test_an_unchanged_export_of_items_makes_the_data_new(measure, personalize):
    expect_imports(personalize, ITEMS, 90)
    expect_tags(personalize, ITEMS, checked=iso(2))
    assert data_age(measure) == 2


def test_data_that_were_only_found_unchanged_have_that_age(measure, personalize):
    expect_imports(personalize, ITEMS)
    expect_tags(personalize, ITEMS, checked=iso(2))
    assert data_age(measure) == 2


@pytest.mark.parametrize("dataset_type", ["interactions", "actionInteractions"])
@pytest.mark.parametrize(("statuses", "hours"), [((), 90), (("CREATE FAILED",), 90)])
def test_an_unchanged_export_of_interactions_means_that_no_data_arrive(
    measure, personalize, dataset_type, statuses, hours
):
    expect_imports(personalize, DATASET, 90)
    expect_trackers(personalize, *statuses)
    dataset = dataset_settings(type=dataset_type)
    ages = measure(settings(solutions=[], datasets=[dataset]))
    assert ages["data"] == {dataset_type: hours}


def test_an_unchanged_export_beside_an_event_tracker_makes_the_data_new(measure, personalize):
    expect_imports(personalize, DATASET, 90)
    expect_trackers(personalize, "ACTIVE")
    expect_tags(personalize, DATASET, checked=iso(2))
    assert measure(settings(solutions=[]))["data"] == {"interactions": 2}


def test_an_unchanged_export_of_a_streamed_dataset_makes_the_data_new(measure, personalize):
    expect_imports(personalize, DATASET, 90)
    expect_tags(personalize, DATASET, checked=iso(2))
    streamed = settings(solutions=[], datasets=[dataset_settings(streamed=True)])
    assert measure(streamed)["data"] == {"interactions": 2}


# The state machine


def test_a_state_machine_that_cannot_be_read_is_an_error(executions, monkeypatch):
    monkeypatch.setattr(watch_pipeline, "stepfunctions", lambda: executions.client)
    code = "StateMachineDoesNotExist"
    executions.expect_error("describe_state_machine", code, "no", stateMachineArn=MACHINE)
    with pytest.raises(ClientError, match=code):
        watch_pipeline.handler({"stateMachineArn": MACHINE}, None)
