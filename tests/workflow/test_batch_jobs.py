"""Batch jobs follow the deployments of a run: what they write, when, and with which version."""

import json
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError, IncompleteReadError

from components import BatchJobArgs
from emulator.personalize import Switches
from functions.common.errors import Throttled
from functions.s3 import exports
from tests.printed import all_printed
from tests.workflow.pipeline import NEXT_SLOT, SLOT, deploy
from tests.workflow.summaries import report, skip_reason, warnings_of
from tests.world import HOUR, MOVIES, PERSONALIZE, solution

DAYS = ("2026-11-29", "2026-12-13")
LATER = f"{DAYS[1]}T03:00:00Z"
CREATE = "CreateBatchInferenceJob"


def queries(key, *values):
    """Return an input with a line for each value."""
    return "".join(f"{json.dumps({key: value})}\n" for value in values).encode()


USERS = {"batch/users.json": queries("userId", "u1", "u2")}
OTHER_USERS = queries("userId", "u3")


def group(*, campaigns=("home",), recipe="aws-user-personalization", **changes):
    """Return the dataset group, whose solution has a batch job with these changes."""
    job = {"input": "s3://exports/batch/users.json", "output": "s3://exports/out/{date}/"}
    with_job = solution(campaigns=campaigns, batch_jobs=[BatchJobArgs(**{**job, **changes})])
    recipe_arn = f"arn:aws:personalize:::recipe/{recipe}"

    return replace(MOVIES, solutions=(with_job,), recipe=recipe_arn)


def run(pipeline, files=USERS, **request):
    """Write the input of the batch job, and run the pipeline."""
    for key, content in files.items():
        pipeline.bucket.put(key, content)
    return pipeline.run(**request)


def results(execution):
    """Return the outcome of a run, and the outcome and the reason of its batch job."""
    jobs = [job for item in report(execution)["solutions"] for job in item["batchJobs"]]
    return report(execution)["outcome"], [
        (job["outcome"], "; ".join(all_printed(job["reasons"])) or None) for job in jobs
    ]


def versions_written(pipeline):
    """Return the number of the version of each batch job. The oldest version has the number 0."""
    arns = [request["solutionVersionArn"] for request in pipeline.requests(CREATE)]
    return [pipeline.versions().index(arn) for arn in arns]


def test_results_are_written_once_for_a_version_and_an_input():
    with deploy(group(num_results=3)) as pipeline:
        first = run(pipeline)
        same = pipeline.run(scheduledTime=NEXT_SLOT)
        changed = run(pipeline, {"batch/users.json": OTHER_USERS}, scheduledTime=LATER)
        files = [key for key in pipeline.bucket.objects if key.startswith("out/")]
        lines = pipeline.bucket.objects[files[0]].splitlines()
        last_list = pipeline.requests("ListBatchInferenceJobs")[-1]
        assert "solutionVersionArn" in last_list, "a list of all jobs may be long"
        assert versions_written(pipeline) == [1, 1], "the version of the first run"
        del pipeline.bucket.objects["batch/users.json"]
        without_input = pipeline.run(scheduledTime="2026-12-20T03:00:00Z")

    assert results(first) == ("DEPLOYED", [("WRITTEN", None)])
    assert results(same) == ("SKIPPED", [])
    assert results(changed) == ("WRITTEN", [("WRITTEN", None)]), "nothing was trained for it"
    reason = "its input has no objects; check the job that writes it"
    assert results(without_input) == ("FAILED", [("FAILED", reason)]), "as beside other work"
    assert files == [f"out/{day}/users.json.out" for day in DAYS]
    assert [json.loads(line)["input"] for line in lines] == [{"userId": "u1"}, {"userId": "u2"}]
    assert len(json.loads(lines[0])["output"]["recommendedItems"]) == 3


KEY = "arn:aws:kms:eu-west-1:123456789012:key/{}"


@pytest.mark.parametrize("own_key, key", [(None, "data"), (KEY.format("own"), "own")])
def test_the_key_of_a_batch_job_goes_before_that_of_the_data(own_key, key):
    encrypted = group(kms_key_arn=own_key).with_options(data_kms_key_arn=KEY.format("data"))
    with deploy(encrypted) as pipeline:
        run(pipeline)
        (request,) = pipeline.requests(CREATE)

    assert request["jobInput"]["s3DataSource"]["kmsKeyArn"] == KEY.format(key)


def test_a_rejected_version_writes_nothing():
    with deploy(group()) as pipeline:
        run(pipeline)
        pipeline.upload_worse_data()
        rejected = run(pipeline, {"batch/users.json": OTHER_USERS}, scheduledTime=NEXT_SLOT)
        unchanged = pipeline.run(scheduledTime=LATER)
        assert versions_written(pipeline) == [1]
        reason = f"no campaign serves {pipeline.versions()[-1]} as its good version"

    assert results(rejected) == ("REJECTED", [("SKIPPED", reason)])
    assert f"taste: a batch job is not written, because {reason}" in skip_reason(unchanged)


def test_a_run_says_why_nothing_is_written_with_what_personalize_has_trained():
    trained = group(campaigns=())
    (with_job,) = trained.solutions
    trained = trained.with_solutions(replace(with_job, trained_by="personalize"))
    with deploy(trained) as pipeline:
        run(pipeline)
        unchanged = pipeline.run(scheduledTime=NEXT_SLOT)
        assert versions_written(pipeline) == []

    assert "taste: a batch job is not written, because it was trained on" in skip_reason(unchanged)


def test_after_a_rejection_the_served_version_is_written_on_request():
    with deploy(group(on_rejected="live")) as pipeline:
        run(pipeline)
        pipeline.upload_worse_data()
        rejected = run(pipeline, {"batch/users.json": OTHER_USERS}, scheduledTime=NEXT_SLOT)
        assert versions_written(pipeline) == [1, 1]

    assert results(rejected) == ("REJECTED", [("WRITTEN", None)])


def test_without_campaigns_the_gate_compares_with_the_version_of_the_last_results():
    with deploy(group(campaigns=[])) as pipeline:
        first = run(pipeline)
        pipeline.upload_worse_data()
        worse = pipeline.run(scheduledTime=NEXT_SLOT)
        unchanged = pipeline.machine.start({}).wait()
        assert versions_written(pipeline) == [1]

    assert results(first) == ("TRAINED", [("WRITTEN", None)])
    (warning,) = warnings_of(first)
    assert warning.startswith("s3://exports/out/2026-11-29/: NDCG@10 was not compared")
    outcome, [(batch_outcome, reason)] = results(worse)
    assert (outcome, batch_outcome) == ("TRAINED", "SKIPPED")
    assert reason.startswith("NDCG@10 fell from 0.4")
    assert f"a batch job is not written, because {reason}" in skip_reason(unchanged)


def test_a_recipe_of_user_segments_gets_a_batch_segment_job():
    items = {"batch/users.json": queries("itemId", "i5")}
    with deploy(group(campaigns=[], recipe="aws-item-affinity", num_results=4)) as pipeline:
        execution = run(pipeline, items)
        line = json.loads(pipeline.bucket.objects[f"out/{DAYS[0]}/users.json.out"])
        assert len(pipeline.requests("CreateBatchSegmentJob")) == 1

    assert results(execution) == ("TRAINED", [("WRITTEN", None)])
    assert (len(line["output"]["recommendedUsers"]), line["input"]) == (4, {"itemId": "i5"})


@pytest.mark.parametrize(
    "fault, reason",
    [
        ({"fault": "fail", "job": "batch-inference-job", "reason": "it broke"}, "it broke"),
        (
            {"fault": "deny", "operation": CREATE},
            "ClientError: An error occurred (AccessDeniedException)",
        ),
    ],
)
def test_a_failed_batch_job_keeps_the_deployment_and_is_tried_again_by_the_next_run(fault, reason):
    with deploy(group()) as pipeline:
        pipeline.inject_fault(**fault)
        failed = run(pipeline)
        served = pipeline.served_version() == pipeline.versions()[-1]
        again = run(pipeline, scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests(CREATE)) == 2

    outcome, [(batch_outcome, found)] = results(failed)
    assert (outcome, batch_outcome, served) == ("FAILED", "FAILED", True)
    assert found.startswith(reason)
    assert results(again) == ("WRITTEN", [("WRITTEN", None)])


def test_a_create_whose_answer_is_lost_is_not_repeated():
    with deploy(group()) as pipeline:
        pipeline.inject_fault("lost-answer", operation=CREATE)
        execution = run(pipeline)
        assert len(pipeline.requests(CREATE)) == 1

    assert results(execution) == ("DEPLOYED", [("WRITTEN", None)])


def test_an_input_that_cannot_be_read_fails_whatever_else_is_new():
    with deploy(group(input="s3://others/users.json")) as pipeline:
        done = [results(pipeline.run(scheduledTime=slot)) for slot in (NEXT_SLOT, LATER)]

    reason = (
        "ClientError: An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation"
    )
    assert done == [("FAILED", [("FAILED", f"{reason}: it does not exist")])] * 2


def warnings(execution):
    """Return the warnings about the batch job."""
    return [text for text in warnings_of(execution) if "s3://exports/out/" in text]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        Throttled("too many requests"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_results_that_cannot_be_read_are_a_warning(error):
    with deploy(group()) as pipeline, patch.object(exports, "read_result_lines", side_effect=error):
        execution = run(pipeline)

    assert results(execution) == ("DEPLOYED", [("WRITTEN", None)]), "the results are there"
    warning = f"its results were not searched for lines that failed: {error}"
    assert warnings(execution) == [f"s3://exports/out/{DAYS[0]}/: {warning}"]


def test_results_whose_input_is_gone_are_a_warning_and_deleted_ones_are_written_again():
    files = {f"batch/{name}.json": queries("userId", name) for name in ("u1", "u2", "u3")}
    folders = {"input": "s3://exports/batch/", "output": "s3://exports/out/"}
    with deploy(group(**folders)) as pipeline:
        first = run(pipeline, files)
        pipeline.bucket.put("out/notes.txt", b"of somebody else")
        del pipeline.bucket.objects["batch/u1.json"]
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        for name in ("u1", "u2"):
            del pipeline.bucket.objects[f"out/{name}.json.out"]
        again = pipeline.run(scheduledTime=LATER)

        assert "out/u2.json.out" in pipeline.bucket.objects

    warning = (
        "batch job to s3://exports/out/: has results whose input is gone, for example "
        "out/u1.json.out; delete them, or put {date} into the output"
    )
    assert [warnings(item) for item in (first, second)] == [[], [warning]]
    assert results(second) == results(again) == ("WRITTEN", [("WRITTEN", None)])


def test_a_filter_that_was_created_again_with_another_expression_is_another_content():
    arn = f"{PERSONALIZE}:filter/short"
    outcomes = []
    with deploy(group(filter_arn=arn)) as pipeline:
        for genre, slot in (("g1", SLOT), ("g1", NEXT_SLOT), ("g2", LATER)):
            pipeline.client.create_filter(
                name="short",
                datasetGroupArn=pipeline.group.arn,
                filterExpression=f'INCLUDE ItemID WHERE Items.GENRE IN ("{genre}")',
            )
            pipeline.sleep(600)
            outcomes.append(results(run(pipeline, scheduledTime=slot))[0])
            pipeline.client.delete_filter(filterArn=arn)
            pipeline.sleep(600)

    assert outcomes == ["DEPLOYED", "SKIPPED", "WRITTEN"]


def test_a_batch_job_waits_while_users_are_deleted():
    durations = {"data-deletion-job": 3 * HOUR}
    switches = Switches(deletions_exclude_jobs=False)
    with deploy(group(), durations=durations, switches=switches) as pipeline:
        run(pipeline)
        pipeline.bucket.put("batch/users.json", OTHER_USERS)
        pipeline.delete_users("u9")
        deleted_at = pipeline.clock.now() + timedelta(hours=3)
        execution = pipeline.machine.start({"only": "deployments"}).wait()
        jobs = pipeline.client.list_batch_inference_jobs()["batchInferenceJobs"]

    assert results(execution) == ("WRITTEN", [("WRITTEN", None)])
    assert max(job["creationDateTime"] for job in jobs) >= deleted_at
