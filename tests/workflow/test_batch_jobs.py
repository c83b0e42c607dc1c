"""Batch jobs follow the deployments of a run: what they write, when, and with which version."""

import json
from dataclasses import replace

import pytest

from components import ApprovalArgs, BatchJobArgs
from functions.personalize.campaigns import approval_tags
from functions.personalize.tags import write_tags
from tests.workflow.pipeline import NEXT_SLOT, deploy, killed_after_work
from tests.workflow.summaries import report, skip_reason
from tests.world import MOVIES, solution, solution_arn

DAYS = ("2026-11-29", "2026-12-06", "2026-12-13")
LATER = f"{DAYS[2]}T03:00:00Z"
CREATE = "CreateBatchInferenceJob"


def queries(key, *values):
    """Return an input with a line for each value."""
    return "".join(f"{json.dumps({key: value})}\n" for value in values).encode()


USERS = {"batch/users.json": queries("userId", "u1", "u2")}
OTHER_USERS = queries("userId", "u3")


def group(*, campaigns=("home",), recipe="aws-user-personalization", gate=None, **changes):
    """Return the dataset group, whose solution has a batch job with these changes."""
    job = {"input": "s3://exports/batch/users.json", "output": "s3://exports/out/{date}/"}
    options = {"quality_gate": gate} if gate else {}
    jobs = [BatchJobArgs(**{**job, **changes})]
    with_job = solution(campaigns=campaigns, batch_jobs=jobs, **options)
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
    return report(execution)["outcome"], [(job["outcome"], job["reason"]) for job in jobs]


def versions_written(pipeline, operation=CREATE):
    """Return the number of the version of each batch job. The oldest version has the number 0."""
    arns = [request["solutionVersionArn"] for request in pipeline.requests(operation)]
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
        remove_input(pipeline)
        without_input = pipeline.run(scheduledTime="2026-12-20T03:00:00Z")
    assert results(first) == ("DEPLOYED", [("WRITTEN", None)])
    assert results(same) == ("SKIPPED", [])
    assert results(changed) == ("WRITTEN", [("WRITTEN", None)]), "nothing was trained for it"
    assert "not written, because its input has no objects; check" in skip_reason(without_input)
    assert files == [f"out/{day}/users.json.out" for day in (DAYS[0], DAYS[2])]
    assert [json.loads(line)["input"] for line in lines] == [{"userId": "u1"}, {"userId": "u2"}]
    assert len(json.loads(lines[0])["output"]["recommendedItems"]) == 3


@pytest.mark.parametrize(
    ("on_rejected", "outcome", "versions"), [("skip", "SKIPPED", [1]), ("live", "WRITTEN", [1, 1])]
)
def test_a_rejected_version_writes_nothing_and_the_live_one_only_on_request(
    on_rejected, outcome, versions
):
    with deploy(group(on_rejected=on_rejected)) as pipeline:
        run(pipeline)
        pipeline.upload_worse_data()
        rejected = run(pipeline, {"batch/users.json": OTHER_USERS}, scheduledTime=NEXT_SLOT)
        unchanged = pipeline.run(scheduledTime=LATER)
        assert versions_written(pipeline) == versions
        (version,) = pipeline.versions()[2:]
    reason = f"no campaign serves {version} as its good version" if outcome == "SKIPPED" else None
    assert results(rejected) == ("REJECTED", [(outcome, reason)])
    later_reason = f"taste: a batch job is not written, because {reason}"
    assert (later_reason in skip_reason(unchanged)) == (outcome == "SKIPPED")


def test_without_campaigns_the_gate_compares_with_the_version_of_the_last_results():
    with deploy(group(campaigns=[])) as pipeline:
        first = run(pipeline)
        pipeline.upload_worse_data()
        worse = pipeline.run(scheduledTime=NEXT_SLOT)
        assert versions_written(pipeline) == [1]
    assert results(first) == ("TRAINED", [("WRITTEN", None)])
    outcome, [(batch_outcome, reason)] = results(worse)
    assert (outcome, batch_outcome) == ("TRAINED", "SKIPPED")
    assert reason.startswith("NDCG@10 fell from 0.4")


def test_results_of_a_solution_that_was_deleted_and_created_again_do_not_count():
    with deploy(group(campaigns=[])) as pipeline:
        run(pipeline)
        pipeline.client.delete_solution(solutionArn=solution_arn())
        pipeline.sleep(600)
        pipeline.client.create_solution(
            name="taste",
            datasetGroupArn=pipeline.group.arn,
            recipeArn=pipeline.group.recipe,
            performAutoTraining=False,
        )
        pipeline.sleep(600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        again = run(pipeline, {"batch/users.json": OTHER_USERS}, scheduledTime=LATER)
    assert results(execution) == ("TRAINED", [("WRITTEN", None)])
    assert results(again) == ("WRITTEN", [("WRITTEN", None)])


@pytest.mark.parametrize(
    ("recipe", "files", "output"),
    [
        (
            "aws-item-affinity",
            {"batch/users.json": queries("itemId", "i5")},
            {"input": {"itemId": "i5"}},
        ),
        (
            "aws-item-attribute-affinity",
            {"batch/users.json": queries("itemAttributes", 'ITEMS.GENRE = "g1"')},
            {"itemAttributes": 'ITEMS.GENRE = "g1"'},
        ),
    ],
)
def test_a_recipe_of_user_segments_gets_a_batch_segment_job(recipe, files, output):
    with deploy(group(campaigns=[], recipe=recipe, num_results=4)) as pipeline:
        execution = run(pipeline, files)
        line = json.loads(pipeline.bucket.objects[f"out/{DAYS[0]}/users.json.out"])
        assert len(pipeline.requests("CreateBatchSegmentJob")) == 1
    assert results(execution) == ("TRAINED", [("WRITTEN", None)])
    assert (len(line.pop("output")["recommendedUsers"]), line) == (4, output)


def fail(pipeline):
    pipeline.inject_fault("fail", job="batch-inference-job", reason="it broke")


def deny(pipeline):
    pipeline.inject_fault("deny", operation=CREATE)


def hang(pipeline):
    pipeline.inject_fault("hang", job="batch-inference-job")


def remove_input(pipeline):
    del pipeline.bucket.objects["batch/users.json"]


@pytest.mark.parametrize(
    ("break_it", "reason", "creates"),
    [
        (fail, "it broke", 2),
        (deny, "ClientError: An error occurred (AccessDeniedException)", 2),
        (remove_input, "its input has no objects; check the job that writes it", 1),
    ],
)
def test_a_failed_batch_job_keeps_the_deployment_and_is_tried_again_by_the_next_run(
    break_it, reason, creates
):
    with deploy(group()) as pipeline:
        pipeline.bucket.put("batch/users.json", USERS["batch/users.json"])
        break_it(pipeline)
        failed = pipeline.run()
        served = pipeline.served_version() == pipeline.versions()[-1]
        again = run(pipeline, scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests(CREATE)) == creates
    outcome, [(batch_outcome, found)] = results(failed)
    assert (outcome, batch_outcome, served) == ("FAILED", "FAILED", True)
    assert found.startswith(reason)
    assert results(again) == ("WRITTEN", [("WRITTEN", None)])


def test_a_batch_job_that_does_not_end_is_followed_by_the_next_run():
    with deploy(group(max_hours=2)) as pipeline:
        hang(pipeline)
        first = run(pipeline)
        second = run(pipeline, {"batch/users.json": OTHER_USERS}, scheduledTime=NEXT_SLOT)
        (job,) = pipeline.client.list_batch_inference_jobs()["batchInferenceJobs"]
        assert len(pipeline.requests(CREATE)) == 1, "two jobs would mix their files"
    reason = (
        f"{job['batchInferenceJobArn']} is still running after 2 hours; it goes on, because no "
        "batch job can be stopped, and the next run waits for it"
    )
    assert results(first) == ("FAILED", [("FAILED", reason)])
    assert results(second) == ("FAILED", [("FAILED", reason)])


@pytest.mark.parametrize(
    ("fault", "creates"),
    [
        ({"fault": "lost-answer", "operation": CREATE}, 1),
        ({"fault": "limit-exceeded", "operation": CREATE, "times": 3}, 4),
        ({"fault": "server-error", "operation": "ListBatchInferenceJobs", "times": 9}, 1),
        ({"fault": "unknown-status", "job": "batch-inference-job"}, 1),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else None,
)
def test_a_passing_fault_changes_nothing(fault, creates):
    with deploy(group()) as pipeline:
        pipeline.inject_fault(**fault)
        execution = run(pipeline)
        jobs = pipeline.client.list_batch_inference_jobs()["batchInferenceJobs"]
        assert len(pipeline.requests(CREATE)) == creates
    assert results(execution) == ("DEPLOYED", [("WRITTEN", None)])
    assert len(jobs) == 1


def test_a_function_that_is_killed_after_the_create_finds_its_job():
    with deploy(group(), handlers=killed_after_work("run_batch_job")) as pipeline:
        execution = run(pipeline)
        assert len(pipeline.requests(CREATE)) == 1
    assert results(execution) == ("DEPLOYED", [("WRITTEN", None)])


def test_the_job_of_an_aborted_run_is_finished_by_the_next_one():
    with deploy(group(), durations={"batch-inference-job": 7200}) as pipeline:
        pipeline.bucket.put("batch/users.json", USERS["batch/users.json"])
        started = pipeline.start()
        while not pipeline.requests(CREATE):
            pipeline.sleep(60)
        started.abort()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests(CREATE)) == 1
    assert results(execution) == ("WRITTEN", [("WRITTEN", None)])


def test_results_are_written_once_a_person_has_approved_the_version():
    asking = replace(group().solutions[0], approval=ApprovalArgs(timeout_hours=24))
    with deploy(group().with_solutions(asking)) as pipeline:
        waiting = run(pipeline)
        version = pipeline.versions()[-1]
        tags = approval_tags("APPROVED", pipeline.clock.now(), "boss")
        write_tags(pipeline.client, version, tags)
        approved = pipeline.machine.start({"only": "deployments"}).wait()
        assert versions_written(pipeline) == [1]
    reason = f"no campaign serves {version} as its good version"
    assert results(waiting) == ("AWAITING_APPROVAL", [("SKIPPED", reason)])
    assert results(approved) == ("DEPLOYED", [("WRITTEN", None)])
