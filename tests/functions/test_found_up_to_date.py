"""Tests of the tag that says when a run has found a campaign or a dataset up to date."""

import pytest

from functions.planning.found_up_to_date import found_up_to_date, write_checks
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    NOW,
    SOLUTION,
    VERSION,
    campaign,
    held_import,
    settings,
    situation,
    solution_settings,
    trained_version,
    version_summary,
)

WITHOUT_CAMPAIGNS = settings(solutions=[solution_settings(campaigns=[])])


def up_to_date(request=None, *, settings_=None, version=None, **changes):
    """Return the situation of a run that finds nothing new, with these changes."""
    standard = {
        "imports": {DATASET: [held_import()]},
        "trainings": [version or trained_version()],
        "versions": {SOLUTION: [version_summary(solutionVersionArn=VERSION)]},
        "campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION)},
    }
    return situation(request, settings_, **{**standard, **changes})


def found(request=None, **changes):
    """Return the ARNs that a run finds up to date."""
    return list(found_up_to_date(up_to_date(request, **changes)))


def test_a_run_that_finds_nothing_new_finds_its_dataset_and_its_campaign_up_to_date():
    assert found() == [DATASET, CAMPAIGN]


def test_a_solution_without_campaigns_is_found_itself():
    assert found(settings_=WITHOUT_CAMPAIGNS) == [DATASET, SOLUTION]


def test_a_changed_export_makes_the_dataset_and_the_campaign_outdated():
    assert found(imports={DATASET: [held_import(planned="other")]}) == []


def test_a_dataset_is_found_although_its_solution_has_to_be_trained():
    assert found({"force": True}, trainings=[]) == [DATASET]
    assert found(trainings=[]) == [DATASET]


@pytest.mark.parametrize("served", ["old", "$LATEST"])
def test_a_campaign_that_serves_another_version_is_outdated(served):
    live = campaign(solutionVersionArn=f"{SOLUTION}/{served}")
    newest_first = [version_summary(solutionVersionArn=f"{SOLUTION}/newer"), version_summary()]
    outdated = {"campaigns": {CAMPAIGN: live}, "versions": {SOLUTION: newest_first}}
    assert found(**outdated) == [DATASET]


def test_a_campaign_that_serves_nothing_is_outdated():
    failed = campaign(solutionVersionArn=VERSION, status="CREATE FAILED")
    assert found(campaigns={CAMPAIGN: failed}) == [DATASET]


@pytest.mark.parametrize("state", ["is_running", "was_stopped"])
def test_a_version_that_is_not_active_is_no_model(state):
    version = trained_version(is_active=False, **{state: True})
    assert found(settings_=WITHOUT_CAMPAIGNS, version=version) == [DATASET]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"skipImport": True}, []),
        ({"datasets": ["interactions"]}, [DATASET]),
        ({"exportDate": "2026-11-28"}, []),
        ({"only": "deployments"}, []),
        ({"solutions": [SOLUTION]}, [DATASET, CAMPAIGN]),
    ],
    ids=lambda value: next(iter(value), "nothing"),
)
def test_a_run_that_does_not_look_at_every_export_finds_no_campaign(request_, expected):
    assert found(request_) == expected


# Writing


def expect_tag(personalize, arn, error=None, **details):
    tag = {"tagKey": "retraining-checked", "tagValue": "2026-11-29T03:00:00+00:00"}
    request = {"resourceArn": arn, "tags": [tag]}
    if error:
        personalize.expect_error("tag_resource", error, "no", **details, **request)
    else:
        personalize.expect("tag_resource", {}, **request)


def write(personalize, **changes):
    return write_checks(personalize.client, up_to_date(**changes))


def warning(arn, reason):
    return (
        f"{arn}: was found up to date, but the tag retraining-checked cannot be written: {reason}; "
        "until a run writes it, the alarm about the age may ring"
    )


def test_the_time_of_the_plan_is_written(personalize):
    expect_tag(personalize, DATASET)
    expect_tag(personalize, CAMPAIGN)
    assert NOW.isoformat() == "2026-11-29T03:00:00+00:00"
    assert write(personalize) == []


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (
            "AccessDeniedException",
            400,
            "An error occurred (AccessDeniedException) when calling the TagResource operation: no",
        ),
        ("TooManyTagsException", 400, "the resource already has 50 tags; remove a tag"),
        ("ThrottlingException", 400, "TagResource: ThrottlingException: no"),
        ("InternalServerError", 500, "TagResource: InternalServerError: no"),
    ],
)
def test_a_tag_that_cannot_be_written_is_a_warning(personalize, error, status, reason):
    expect_tag(personalize, DATASET, error, status=status)
    expect_tag(personalize, CAMPAIGN)
    assert write(personalize) == [warning(DATASET, reason)]


@pytest.mark.parametrize("count", [45, 46])
def test_the_tag_leaves_a_trial_its_places(personalize, count):
    tags = {f"team-{number}": "x" for number in range(count)}
    expect_tag(personalize, DATASET)
    if count == 45:
        expect_tag(personalize, CAMPAIGN)
    reason = "the campaign has 46 tags, and a trial needs the rest of the 50; remove a tag"
    expected = [] if count == 45 else [warning(CAMPAIGN, reason)]
    assert write(personalize, campaign_tags={CAMPAIGN: tags}) == expected


def test_an_existing_tag_can_always_be_written_again(personalize):
    tags = {**{f"team-{number}": "x" for number in range(49)}, "retraining-checked": "x"}
    expect_tag(personalize, DATASET)
    expect_tag(personalize, CAMPAIGN)
    assert write(personalize, campaign_tags={CAMPAIGN: tags}) == []


def test_no_tag_is_written_when_the_time_is_up(personalize, clock):
    slow = personalize.client.tag_resource

    class SlowClient:
        exceptions = personalize.client.exceptions

        def tag_resource(self, **request):
            clock.advance(31)
            return slow(**request)

    expect_tag(personalize, DATASET)
    assert write_checks(SlowClient(), up_to_date()) == [warning(CAMPAIGN, "there is no time left")]
