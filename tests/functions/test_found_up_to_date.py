"""Tests of the tag that says when a run has found a campaign or a dataset up to date."""

import pytest

from functions.planning.found_up_to_date import found_up_to_date, write_checks
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    campaign,
    held_import,
    settings,
    solution_settings,
    trained_version,
    view,
)

WITHOUT_CAMPAIGNS = settings(solutions=[solution_settings(campaigns=[])])


def up_to_date(request=None, **changes):
    """Return the view of a run that finds nothing new, with these changes."""
    standard = {
        "imports": {DATASET: [held_import()]},
        "trainings": [trained_version()],
        "campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION)},
    }
    return view(request, **{**standard, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [DATASET, CAMPAIGN]),
        ({"settings_": WITHOUT_CAMPAIGNS}, [DATASET, SOLUTION]),
        ({"imports": {DATASET: [held_import(planned="other")]}}, []),
        ({"trainings": []}, [DATASET]),
        ({"request": {"force": True}, "trainings": []}, [DATASET]),
        ({"campaigns": {CAMPAIGN: campaign(solutionVersionArn=OLD_VERSION)}}, [DATASET]),
        (
            {"campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION, status="CREATE FAILED")}},
            [DATASET],
        ),
        *(
            (
                {
                    "settings_": WITHOUT_CAMPAIGNS,
                    "trainings": [trained_version(is_active=False, **{state: True})],
                },
                [DATASET],
            )
            for state in ("is_running", "was_stopped")
        ),
        ({"request": {"skipImport": True}}, []),
        ({"request": {"datasets": ["interactions"]}}, [DATASET]),
        ({"request": {"exportDate": "2026-11-28"}}, []),
        ({"request": {"only": "deployments"}}, []),
        ({"request": {"solutions": [SOLUTION]}}, [DATASET, CAMPAIGN]),
    ],
)
def test_a_run_finds_up_to_date_what_has_the_present_data(changes, expected):
    assert list(found_up_to_date(up_to_date(**changes))) == expected


def expect_tag(personalize, arn, error=None, **details):
    tag = {"tagKey": "retraining-checked", "tagValue": "2026-11-29T03:00:00+00:00"}
    request = {"resourceArn": arn, "tags": [tag]}
    if error:
        personalize.expect_error("tag_resource", error, "no", **details, **request)
    else:
        personalize.expect("tag_resource", {}, **request)


def test_the_time_of_the_plan_is_written(personalize):
    expect_tag(personalize, DATASET)
    expect_tag(personalize, CAMPAIGN)
    assert write_checks(personalize.client, up_to_date()) == []


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (
            "TooManyTagsException",
            400,
            "An error occurred (TooManyTagsException) when calling the TagResource operation: no",
        ),
        ("ThrottlingException", 400, "TagResource: ThrottlingException: no"),
        ("InternalServerError", 500, "TagResource: InternalServerError: no"),
    ],
)
def test_a_tag_that_cannot_be_written_is_a_warning(personalize, error, status, reason):
    expect_tag(personalize, DATASET, error, status=status)
    if error == "TooManyTagsException":
        expect_tag(personalize, CAMPAIGN)  # A service that does not answer is asked no more.
    assert write_checks(personalize.client, up_to_date()) == [
        (
            f"{DATASET}: was found up to date, but the tag retraining-checked cannot be written: "
            f"{reason}; until a run writes it, the alarm about the age may ring"
        )
    ]
