"""Good runs: what they request and report."""

from datetime import UTC, datetime, timedelta

from components.rules.single_settings import NDCG_AT_10
from functions.personalize.tags import build_api_tags
from functions.s3.exports import read_export
from tests.functions.samples import NO_BASELINES
from tests.workflow.pipeline import RUN_ID, deploy
from tests.workflow.summaries import (
    ALL_DONE,
    document,
    failed_calls,
    ndcg,
    outcomes,
    report,
    text,
)
from tests.world import (
    IMPORT_ROLE,
    MOVIES,
    PERSONALIZE,
    PIPELINE,
    PREFIX,
    campaign_arn,
    dataset_arn,
)

EXECUTION_ARN = f"arn:aws:states:eu-west-1:123456789012:execution:retraining-{PREFIX}:run-1"
JOB_PREFIX = f"{PREFIX}-{RUN_ID}"
DATASET_TYPES = ("interactions", "items", "users")


def test_a_good_run_imports_trains_and_updates_the_campaign():
    with deploy() as pipeline:
        served_before = pipeline.served_version()
        execution = pipeline.run()
        old, new = pipeline.versions()
        assert (served_before, pipeline.served_version()) == (old, new)
        quality = ndcg(pipeline, new)

    assert quality > 0.4, "a model can learn something from the sample data"
    assert execution.status == "SUCCEEDED", execution
    assert outcomes(execution) == ALL_DONE
    assert failed_calls(execution) == [], "an unfinished job is no error of a function"
    assert execution.output == {"report": report(execution), "text": text(execution)}
    keys = ("outcome", "reasons", "runId", "executionArn", "trials", "warnings")
    assert [report(execution)[key] for key in keys] == [
        "DEPLOYED",
        [],
        RUN_ID,
        EXECUTION_ARN,
        [],
        [],
    ]
    assert {row["type"]: row["datasetImportJobArn"] for row in report(execution)["imports"]} == {
        dataset_type: f"{PERSONALIZE}:dataset-import-job/{JOB_PREFIX}-{dataset_type}"
        for dataset_type in DATASET_TYPES
    }
    (solution_report,) = report(execution)["solutions"]
    assert (solution_report["solutionVersionArn"], solution_report["trainingMode"]) == (new, "FULL")
    (campaign,) = solution_report["campaigns"]
    assert (campaign["previousVersionArn"], campaign["versionArn"]) == (old, new)
    values = {"new": quality, "served": quality, "change": 0, **NO_BASELINES}
    assert campaign["metrics"] == [{"metric": NDCG_AT_10, **values}]


def import_tags(export, dataset):
    """Return the tags of an import job in the form of the API."""
    tags = {
        "team": "film",
        "retraining-pipeline": PIPELINE,
        "retraining-run": RUN_ID,
        "retraining-fingerprint": export.build_state("FULL", dataset["schemaArn"]).fingerprint,
        "retraining-bytes": str(export.total_bytes),
    }
    if times := export.count_values("TIMESTAMP"):
        newest_at = datetime.fromtimestamp(int(max(times)), UTC).isoformat()
        tags["retraining-content"] = f"{newest_at} 1"

    return build_api_tags(tags)


def test_a_good_run_requests_exactly_what_is_configured():
    with deploy(MOVIES.with_options(tags={"team": "film"})) as pipeline:
        pipeline.run()
        imports = pipeline.requests("CreateDatasetImportJob")
        updates = pipeline.requests("UpdateCampaign")
        new = pipeline.versions()[-1]
        exports = {
            dataset_type: read_export(pipeline.bucket, f"s3://exports/{dataset_type}.csv")
            for dataset_type in DATASET_TYPES
        }
        datasets = {
            kind: pipeline.client.describe_dataset(datasetArn=dataset_arn(kind))["dataset"]
            for kind in DATASET_TYPES
        }

    assert imports == [
        {
            "jobName": f"{JOB_PREFIX}-{dataset_type}",
            "datasetArn": dataset_arn(dataset_type),
            "dataSource": {"dataLocation": f"s3://exports/{dataset_type}.csv"},
            "roleArn": IMPORT_ROLE,
            "importMode": "FULL",
            "tags": import_tags(export, datasets[dataset_type]),
        }
        for dataset_type, export in exports.items()
    ]
    assert updates == [
        {
            "campaignArn": campaign_arn(),
            "solutionVersionArn": new,
            "minProvisionedTPS": 2,
        }
    ]


def test_the_imports_run_in_parallel_and_the_training_starts_after_the_last_import():
    with deploy() as pipeline:
        started_at = pipeline.clock.now()
        execution = pipeline.run()

    jobs = [result["status"] for result in document(execution)["imports"]["results"]]
    created_at = {datetime.fromisoformat(job["createdAt"]) for job in jobs}
    assert created_at == {started_at + timedelta(seconds=90)}, "the lists may be behind"
    last_end = max(datetime.fromisoformat(job["endedAt"]) for job in jobs)
    training = document(execution)["solutions"][0]["version"]
    delay = datetime.fromisoformat(training["createdAt"]) - last_end
    assert timedelta(0) <= delay <= timedelta(minutes=5)
