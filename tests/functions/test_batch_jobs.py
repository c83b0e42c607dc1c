"""Tests of the requests for batch jobs, and of the lists in which they are found."""

import pytest

from functions.personalize.batch_jobs import create_batch_job, list_batch_jobs
from functions.personalize.lists import PAGE_SIZE
from functions.personalize.tags import BATCH, RUN
from tests.functions import samples as s

HOME = s.SOLUTION.partition(":solution/")[0]
JOB = {
    "input": "s3://batch/in/",
    "output": "s3://batch/out/",
    "numResults": None,
    "filterArn": None,
    "themes": None,
    "explorationWeight": None,
    "explorationItemAgeCutOff": None,
}
COMMON = {
    "jobName": "p-run-slot",
    "solutionVersionArn": s.VERSION,
    "roleArn": "arn:aws:iam::123456789012:role/b",
}
REQUEST = {
    **COMMON,
    "jobInput": {"s3DataSource": {"path": "s3://batch/in/"}},
    "jobOutput": {"s3DataDestination": {"path": "s3://batch/out/"}},
}
THEMES = {
    "batchInferenceJobMode": "THEME_GENERATION",
    "themeGenerationConfig": {"fieldsForThemeGeneration": {"itemName": "TITLE"}},
}
FILTER = f"{HOME}:filter/unseen"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {}),
        ({"numResults": 5, "filterArn": FILTER}, {"numResults": 5, "filterArn": FILTER}),
        ({"themes": "TITLE"}, THEMES),
        (
            {"explorationWeight": 0, "explorationItemAgeCutOff": 30.0},
            {
                "batchInferenceJobConfig": {
                    "itemExplorationConfig": {
                        "explorationWeight": "0",
                        "explorationItemAgeCutOff": "30",
                    }
                }
            },
        ),
    ],
)
def test_a_create_sends_the_settings_that_are_set(personalize, settings, expected):
    personalize.expect("create_batch_inference_job", {}, **REQUEST, **expected)
    create_batch_job(personalize.client, "aws-sims", {**JOB, **settings}, {**COMMON})


def expect_list(personalize, *jobs):
    """Expect the list of batch inference jobs. A job is its name, its version and its status."""
    shown = [
        {
            "batchInferenceJobArn": f"{HOME}:batch-inference-job/{name}",
            "jobName": name,
            "solutionVersionArn": version,
            "status": status,
            "creationDateTime": s.ago(hours),
            "lastUpdatedDateTime": s.ago(hours),
        }
        for hours, (name, version, status) in enumerate(jobs, 1)
    ]
    page = {"maxResults": PAGE_SIZE["PageSize"]}
    listed = {"batchInferenceJobs": shown[::-1]}
    personalize.expect("list_batch_inference_jobs", listed, **page, solutionVersionArn=s.VERSION)


def test_the_jobs_of_an_output_are_listed_back_to_the_last_one_that_succeeded(personalize):
    expect_list(
        personalize,
        ("p-run-5-slot", s.VERSION, "IN PROGRESS"),
        ("p-run-5-other", s.VERSION, "ACTIVE"),
        ("q-run-4-slot", f"{s.SOLUTION}-2/1", "ACTIVE"),
        ("p-run-3-slot", s.VERSION, "CREATE FAILED"),
        ("p-run-2-slot", s.OLD_VERSION, "ACTIVE"),
        ("p-run-1-slot", s.OLD_VERSION, "ACTIVE"),
    )
    for name in ("p-run-5-slot", "p-run-3-slot", "p-run-2-slot"):
        tags = [{"tagKey": RUN, "tagValue": name}, {"tagKey": BATCH, "tagValue": "content"}]
        arn = f"{HOME}:batch-inference-job/{name}"
        personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)
    jobs = list_batch_jobs(personalize.client, s.SOLUTION, "aws-sims", "slot", s.VERSION)
    assert [(job.run, job.is_running, job.is_active) for job in jobs] == [
        ("p-run-5-slot", True, False),
        ("p-run-3-slot", False, False),
        ("p-run-2-slot", False, True),
    ]
    assert {job.content for job in jobs} == {"content"}
