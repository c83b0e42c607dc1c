"""Tests of the requests for batch jobs, and of the lists and files in which results are found."""

import pytest

from functions.personalize.batch_jobs import (
    create_batch_job,
    list_batch_jobs,
)
from functions.personalize.lists import PAGE_SIZE
from functions.personalize.tags import BATCH, RUN
from functions.rules.batch_jobs import KEYS_OF_RESULTS
from tests.functions import samples as s

UNSET = dict.fromkeys(KEYS_OF_RESULTS)
COMMON = {
    "jobName": "p-run-slot",
    "solutionVersionArn": s.VERSION,
    "roleArn": "arn:aws:iam::123456789012:role/b",
}
LOCATIONS = {
    "jobInput": {"s3DataSource": {"path": "s3://batch/in/"}},
    "jobOutput": {"s3DataDestination": {"path": "s3://batch/out/"}},
}
THEMES = {
    "batchInferenceJobMode": "THEME_GENERATION",
    "themeGenerationConfig": {"fieldsForThemeGeneration": {"itemName": "TITLE"}},
}
PLAIN = {"numResults": 5, "filterArn": f"{s.ARN}:filter/unseen"}
WEIGHT = {"batchInferenceJobConfig": {"itemExplorationConfig": {"explorationWeight": "0"}}}
CUT_OFF = {"batchInferenceJobConfig": {"itemExplorationConfig": {"explorationItemAgeCutOff": "30"}}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {}),
        ({**PLAIN, "themes": "TITLE"}, {**PLAIN, **THEMES}),
        ({"explorationWeight": 0}, WEIGHT),
        ({"explorationItemAgeCutOff": 30.0}, CUT_OFF),
    ],
)
def test_a_create_sends_the_settings_that_are_set(personalize, settings, expected):
    personalize.expect("create_batch_inference_job", {}, **COMMON, **LOCATIONS, **expected)
    job = {**UNSET, "input": "s3://batch/in/", "output": "s3://batch/out/", **settings}
    create_batch_job(personalize.client, "aws-sims", job, {**COMMON})


def test_the_jobs_of_an_output_are_listed_back_to_the_last_one_that_succeeded(personalize):
    jobs = [
        ("p-run-1-slot", s.OLD_VERSION, "ACTIVE"),
        ("q-run-2-slot", f"{s.SOLUTION}-2/1", "ACTIVE"),
        ("p-run-3-slot", s.VERSION, "CREATE FAILED"),
        ("p-run-5-other", s.VERSION, "ACTIVE"),
        ("p-run-5-slot", s.VERSION, "IN PROGRESS"),
    ]
    shown = [
        {
            "batchInferenceJobArn": f"{s.ARN}:batch-inference-job/{name}",
            "solutionVersionArn": version,
            "status": status,
            "creationDateTime": s.ago(9 - hours),
            "lastUpdatedDateTime": s.ago(9 - hours),
        }
        for hours, (name, version, status) in enumerate(jobs)
    ]
    request = {"maxResults": PAGE_SIZE["PageSize"], "solutionVersionArn": s.VERSION}
    personalize.expect("list_batch_inference_jobs", {"batchInferenceJobs": shown}, **request)
    expected = [("p-run-5-slot", True, False), ("p-run-3-slot", False, False)]
    expected += [("q-run-2-slot", False, True)]
    for name, _, _ in expected:
        value = "content"
        tags = [{"tagKey": RUN, "tagValue": name}, {"tagKey": BATCH, "tagValue": value}]
        arn = f"{s.ARN}:batch-inference-job/{name}"
        personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)
    found = list_batch_jobs(personalize.client, "aws-sims", "slot", s.VERSION)
    assert [(job.run, job.is_running, job.is_active) for job in found] == expected, (
        "another solution has written to the output meanwhile"
    )
    assert {job.content for job in found} == {"content"}
