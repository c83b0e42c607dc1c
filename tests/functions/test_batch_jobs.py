"""Tests of the requests for batch jobs, and of the lists and files in which results are found."""

import io
from datetime import timedelta

import pytest
from botocore.response import StreamingBody

from functions.personalize.batch_jobs import (
    clear_hashes_if_results_are_missing,
    create_batch_job,
    list_batch_jobs,
    read_results,
    resolve_batch_jobs,
    warn_of_failed_lines,
)
from functions.personalize.lists import MAX_PAGE_ITEMS
from functions.personalize.tags import BATCH_TAG, CLOCK_TOLERANCE, RUN_TAG
from functions.rules.batch_jobs import HASHED_SETTINGS, BatchJob
from functions.s3 import exports
from functions.s3.exports import Export
from tests.functions.samples import (
    ARN,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    ago,
    run,
    s3_object,
    solution_settings,
)

UNSET = dict.fromkeys(HASHED_SETTINGS)
COMMON = {
    "jobName": "p-run-slot",
    "solutionVersionArn": VERSION,
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
PLAIN = {"numResults": 5, "filterArn": f"{ARN}:filter/unseen"}
WEIGHT = {"batchInferenceJobConfig": {"itemExplorationConfig": {"explorationWeight": "0"}}}
CUT_OFF = {"batchInferenceJobConfig": {"itemExplorationConfig": {"explorationItemAgeCutOff": "30"}}}


@pytest.mark.parametrize(
    "settings, expected",
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
    create_batch_job(personalize.client, "aws-sims", job, None, {**COMMON})


def test_a_key_is_sent_for_the_input_and_the_results(personalize):
    key = {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k"}
    locations = {
        "jobInput": {"s3DataSource": {"path": "s3://batch/in/", **key}},
        "jobOutput": {"s3DataDestination": {"path": "s3://batch/out/", **key}},
    }
    personalize.expect("create_batch_inference_job", {}, **COMMON, **locations)
    job = {**UNSET, "input": "s3://batch/in/", "output": "s3://batch/out/"}
    create_batch_job(personalize.client, "aws-sims", job, key["kmsKeyArn"], {**COMMON})


def test_each_date_in_a_location_is_the_day_of_the_run():
    job = {"input": "s3://batch/{date}/{date}.json", "output": "s3://batch/{date}/{date}/"}
    (found,) = resolve_batch_jobs(solution_settings(batchJobs=[job]), run())

    assert found["input"] == "s3://batch/2026-11-29/2026-11-29.json"
    assert found["output"] == "s3://batch/2026-11-29/2026-11-29/"


def test_the_jobs_of_an_output_are_listed_back_to_the_last_one_that_succeeded(personalize):
    jobs = [
        ("p-run-1-slot", OLD_VERSION, "ACTIVE"),
        ("q-run-2-slot", f"{SOLUTION}-2/1", "ACTIVE"),
        ("p-run-3-slot", VERSION, "CREATE FAILED"),
        ("p-slot-5-other", VERSION, "ACTIVE"),
        ("p-run-5-slot", VERSION, "IN PROGRESS"),
    ]
    shown = [
        {
            "batchInferenceJobArn": f"{ARN}:batch-inference-job/{name}",
            "solutionVersionArn": version,
            "status": status,
            "creationDateTime": ago(9 - hours),
            "lastUpdatedDateTime": ago(8.5 - hours),
        }
        for hours, (name, version, status) in enumerate(jobs)
    ]
    request = {"maxResults": MAX_PAGE_ITEMS, "solutionVersionArn": VERSION}
    personalize.expect("list_batch_inference_jobs", {"batchInferenceJobs": shown}, **request)
    expected = [("p-run-5-slot", True, False), ("p-run-3-slot", False, False)]
    expected += [("q-run-2-slot", False, True)]
    for name, _, _ in expected:
        value = "content 2026-11-22"
        tags = [{"tagKey": RUN_TAG, "tagValue": name}, {"tagKey": BATCH_TAG, "tagValue": value}]
        arn = f"{ARN}:batch-inference-job/{name}"
        personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)
    found = list_batch_jobs(personalize.client, "aws-sims", "slot", VERSION)

    assert [(job.run_id, job.is_running, job.is_active) for job in found] == expected, (
        "another solution has written to the output meanwhile"
    )
    assert {(job.content_hash, job.day) for job in found} == {("content", "2026-11-22")}
    assert (found[0].created_at, found[0].ended_at) == (ago(5), ago(4.5))


JOB = BatchJob(
    arn=f"{ARN}:batch-inference-job/p-run-slot",
    version_arn=VERSION,
    is_running=False,
    is_active=True,
    created_at=ago(3),
    ended_at=ago(2),
    content_hash="content",
    day="2026-11-22",
)
FAILED = JOB._replace(is_active=False, created_at=ago(1))
SETTINGS = {"output": "s3://batch/2026-11-29/out/", "output_pattern": "s3://batch/{date}/out/"}
LOCATION = "s3://batch/2026-11-22/out/"


def files(*keys, location=LOCATION, **changes):
    """Return files with these keys, which were written during the last job."""
    objects = [s3_object(**{"key": key, "modified_at": ago(2.5), **changes}) for key in keys]
    return Export(location=location, objects=objects)


INPUT = files("in/a.json", "in/deep/b.json", location="s3://batch/in/")
EMPTY = s3_object(key="in/_SUCCESS", size=0)


def test_results_that_cannot_be_listed_do_not_count_as_deleted(s3):
    s3.stubber.add_client_error("list_objects_v2", "AccessDenied", "no")
    results = read_results(SETTINGS, [JOB])

    assert results.read_error == f"{LOCATION} cannot be read: AccessDenied: no"
    assert clear_hashes_if_results_are_missing([JOB], INPUT, results) == [JOB]
    assert warn_of_failed_lines([JOB], results) == [results.read_error], "nobody has read the lines"


BEFORE = JOB.created_at - CLOCK_TOLERANCE - timedelta(seconds=1)


@pytest.mark.parametrize(
    "results, are_present",
    [
        (files("out/a.json.out", "out/b.json.out"), True),
        (files("out/a.json.out", "out/deep/b.json.out", "out/old.json.out"), True),
        (files("out/a.json.out"), False),
        (files(), False),
        (files("out/a.json.out", "out/b.json.out", modified_at=BEFORE), False),
        (files("out/a.json.out", "out/b.json.out", modified_at=ago(3, seconds=60)), True),
        (files("out/part-1.out"), True),
        (files("out/a.json.out", "out/part-1.out"), True),
    ],
    ids=[
        "all",
        "deep",
        "one",
        "none",
        "of an earlier job",
        "of another clock",
        "other names",
        "one more name",
    ],
)
def test_a_job_has_no_content_any_more_if_its_results_were_deleted(results, are_present):
    batch_input = Export(location=INPUT.location, objects=[*INPUT.objects, EMPTY])
    present = clear_hashes_if_results_are_missing([FAILED, JOB], batch_input, results)
    assert [job.content_hash for job in present] == ["content" if are_present else None] * 2


def test_failed_lines_are_counted_in_the_beginning_of_the_last_results(s3, monkeypatch):
    monkeypatch.setattr(exports, "MAX_RESULT_BYTES", 1500)
    good = b'{"input":{},"output":{},"error":null}'
    bad = b'{"input":{},"output":null,"error":"%s"}'
    lines = {
        "out/a.json.out": (1500, [good, bad % b"first", b'{"output":{}}']),
        "out/b.json.out": (500, [b"5", bad % b"second", bad[:9]]),
    }
    for key, (size, content) in lines.items():
        body = io.BytesIO(b"\n".join(content))
        response = {"Body": StreamingBody(body, len(body.getvalue()))}
        s3.expect("get_object", response, Bucket="batch", Key=key, Range=f"bytes=0-{size - 1}")
    old = files("out/old.json.out", modified_at=BEFORE).objects
    empty = files("out/empty.json.out", size=0).objects
    read = files(*lines, "out/c.json.out").objects
    (warning,) = warn_of_failed_lines(
        [JOB], Export(location=LOCATION, objects=[*old, *empty, *read])
    )

    assert warning == (
        "at least 2 of 4 lines that were read failed; correct them in the input; the first error: "
        "first"
    )
