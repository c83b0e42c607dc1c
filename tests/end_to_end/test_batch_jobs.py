"""Batch jobs of the second stack write recommendations to S3, with the roles of the stack."""

import json

BUCKET = "films-batch"


def batch_job(run):
    """Return the report about the batch job of a run."""
    [solution] = run.report["solutions"]
    [reported] = solution["batchJobs"]
    return reported


def written(stack, prefix=""):
    """Return the lines of the output files, by the key."""
    s3 = stack.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    keys = [item["Key"] for item in listed if item["Key"].endswith(".out")]
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    return {
        key: [json.loads(line) for line in body.splitlines()]
        for key, body in zip(keys, bodies, strict=True)
    }


def test_the_first_run_writes_recommendations_of_its_version(films, first_runs):
    run = first_runs.films_run
    reported = batch_job(run)
    assert (reported["outcome"], reported["versionArn"]) == ("WRITTEN", run.version_arn)
    lines = written(films, "2031-01-06/")["2031-01-06/users.json.out"]
    assert [len(line["output"]["recommendedItems"]) for line in lines] == [2, 2, 2]
    assert {line["error"] for line in lines} == {None}
    described = films.client("personalize").describe_batch_inference_job(
        batchInferenceJobArn=reported["jobArn"]
    )["batchInferenceJob"]
    role = films.resources("iam/role:Role")["retraining-films-batch"]["arn"]
    assert (described["status"], described["roleArn"]) == ("ACTIVE", role)


def test_a_changed_input_is_written_once_without_a_training(films, first_runs):
    versions = films.version_arns()
    films.client("s3").put_object(Bucket=BUCKET, Key="users.json", Body=b'{"userId": "user-009"}')
    run = films.run(skipImport=True)
    assert (batch_job(run)["outcome"], films.version_arns()) == ("WRITTEN", versions)
    again = films.run(skipImport=True)
    assert again.report["outcome"] == "SKIPPED"
    jobs = films.client("personalize").list_batch_inference_jobs()["batchInferenceJobs"]
    arns = [job["batchInferenceJobArn"] for job in jobs]
    assert arns.count(batch_job(run)["jobArn"]) == 1
    assert first_runs.films_run.version_arn in versions
