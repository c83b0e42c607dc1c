"""The batch job of the second stack writes recommendations to S3, with the roles of the stack."""

import json


def test_the_first_run_writes_recommendations_of_its_version(films, first_runs):
    run = first_runs.films_run
    [solution] = run.report["solutions"]
    [reported] = solution["batchJobs"]
    assert (reported["outcome"], reported["versionArn"]) == ("WRITTEN", run.version_arn)

    written = films.client("s3").get_object(Bucket="films-batch", Key="2031-01-06/users.json.out")
    lines = [json.loads(line) for line in written["Body"].read().splitlines()]
    assert [len(line["output"]["recommendedItems"]) for line in lines] == [2, 2, 2]
    assert {line["error"] for line in lines} == {None}

    texts = [warning["text"] for warning in run.report["warnings"]]
    about_results = [text for text in texts if "films-batch" in text]
    assert about_results == [], "the role of the function may read them"
    described = films.client("personalize").describe_batch_inference_job(
        batchInferenceJobArn=reported["jobArn"]
    )["batchInferenceJob"]
    role = films.resources("iam/role:Role")["retraining-films-batch"]["arn"]
    assert (described["status"], described["roleArn"]) == ("ACTIVE", role)
