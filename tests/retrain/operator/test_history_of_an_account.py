"""Proves that runs are listed and versions traced in an account, which the emulator is here."""

import json
import re

import pytest

from functions.personalize.tags import api_tags
from retrain import cli

pytestmark = pytest.mark.usefixtures("idle")
DATASETS = ("INTERACTIONS", "ITEMS", "USERS")


def test_a_run_is_listed_with_its_versions_and_metrics(first_run, retrain):
    result = retrain("history", "--limit", "1000")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    started = f"{first_run.started_at:%Y-%m-%d %H:%M}"
    (start,) = [number for number, line in enumerate(lines) if line.endswith(first_run.id)]
    pattern = rf"{started}  DEPLOYED           \d+ (s|min) +manual       {first_run.id}"
    assert re.fullmatch(pattern, lines[start])
    (solution,) = first_run.report["solutions"]
    before = solution["campaigns"][0]["previousVersionArn"].rpartition("/")[2]
    after = first_run.version_arn.rpartition("/")[2]
    assert lines[start + 1 : start + 3] == [
        "    imported interactions, items, users",
        f"    movies-for-you/{after} FULL",
    ]
    campaign = rf"    campaign movies-for-you DEPLOYED {before} → {after}, NDCG@10 0\.\d+ \(.+%\)"
    assert re.fullmatch(campaign, lines[start + 3])


def test_the_list_as_json_has_the_reports(first_run, retrain):
    rows = json.loads(retrain("history", "--json").out)
    (row,) = [row for row in rows if row["executionArn"] == first_run.arn]
    assert row["report"] == first_run.report
    assert {key: row[key] for key in ("executionStatus", "outcome", "runId", "trigger")} == {
        "executionStatus": "SUCCEEDED",
        "outcome": "DEPLOYED",
        "runId": first_run.id,
        "trigger": "manual",
    }
    assert row["reason"] is None
    assert len(json.loads(retrain("history", "--limit", "1", "--json").out)) == 1


def test_a_version_is_traced_to_its_data_without_a_stack(first_run, stack, install_pulumi, capsys):
    install_pulumi(code="sys.exit('there is no stack')")
    arn = first_run.version_arn
    options = ("--endpoint-url", stack.emulator.endpoint)
    assert cli.main(["history", "--version", arn, "--json", *options]) == 0
    lineage = json.loads(capsys.readouterr().out)
    facts = ("solutionArn", "status", "trainingMode", "runId")
    expected = [stack.solution_arn, "ACTIVE", "FULL", first_run.id]
    assert [lineage[key] for key in facts] == expected
    assert lineage["warnings"] == []
    assert lineage["metrics"]["normalized_discounted_cumulative_gain_at_10"] > 0
    assert [dataset["type"] for dataset in lineage["datasets"]] == list(DATASETS)
    jobs = [dataset["imports"] for dataset in lineage["datasets"]]
    arns = [result["datasetImportJobArn"] for result in first_run.report["imports"]]
    assert [[job["datasetImportJobArn"] for job in row] for row in jobs] == [[arn] for arn in arns]
    for (job,), settings in zip(jobs, stack.args.datasets.configured().values(), strict=True):
        assert job["dataLocation"] == settings.data_location
        assert (job["importMode"], job["runId"], job["held"]) == ("FULL", first_run.id, True)
        assert job["bytes"] > 1000
    (campaign,) = lineage["campaigns"]
    assert campaign["campaignArn"] == stack.campaign_arn
    assert campaign["bad"] is False


def test_the_screen_of_a_version_names_its_run_its_exports_and_its_answers(
    first_run, stack, retrain
):
    arn = first_run.version_arn
    personalize = stack.client("personalize")
    person = "arn:aws:iam::123456789012:user/ops"
    answers = {"retraining-approval": f"APPROVED 2025-11-29T06:00:00+00:00 {person}"}
    personalize.tag_resource(resourceArn=arn, tags=api_tags(answers))
    result = retrain("history", "--version", arn.partition("solution/")[2])
    personalize.untag_resource(resourceArn=arn, tagKeys=list(answers))
    lines = [line.rstrip() for line in result.out.splitlines()]
    rows = [line.split(maxsplit=1) for line in lines]
    texts = {row[0]: row[1] for row in rows if len(row) > 1}
    assert result.code == 0, result.err
    assert texts["version"] == f"{arn.partition('solution/')[2]}  ACTIVE"
    assert texts["by"] == f"run {first_run.id}"
    assert texts["approved"].startswith(f"by {person} at 2025-11-29"[:50])
    assert re.fullmatch(
        rf"FULL, ended .* UTC, [\d.]+ KB, run {first_run.id}", texts["interactions"]
    )
    assert "              s3://movies-exports/users.csv" in lines


def test_a_version_that_no_run_has_trained_is_foreign(first_run, stack, retrain):
    (solution,) = first_run.report["solutions"]
    old_arn = solution["campaigns"][0]["previousVersionArn"]
    lineage = json.loads(retrain("history", "--version", old_arn, "--json").out)
    assert lineage["runId"] is None
    assert [[job["runId"] for job in row["imports"]] for row in lineage["datasets"]] == [[None]] * 3
    assert lineage["solutionArn"] == stack.solution_arn


HOME = "arn:aws:personalize:eu-west-1:123456789012"
NO_ARN = (
    "is not the ARN of a solution version, for example "
    "'arn:aws:personalize:eu-west-1:123456789012:solution/movies/1a2b3c4d'; `retrain history` "
    "shows the versions of the last runs"
)
GONE = "does not exist; it was deleted with its solution, or the credentials are of another account"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (f"{HOME}:solution/movies", f"'{HOME}:solution/movies' {NO_ARN}"),
        (
            f"{HOME}:solution/movies-for-you/nowhere",
            f"{HOME}:solution/movies-for-you/nowhere {GONE}",
        ),
    ],
)
def test_a_version_that_cannot_be_traced_is_one_line(retrain, version, message):
    result = retrain("history", "--version", version)
    assert (result.code, result.out, result.err) == (2, "", f"--version {message}\n")


def test_the_region_of_the_version_is_that_of_its_arn(retrain):
    arn = f"{HOME}:solution/movies/1a2b"
    result = retrain("history", "--version", arn, "--region", "us-east-1")
    assert (result.code, result.err) == (
        2,
        f"--region is us-east-1, but the version {arn} is in eu-west-1; leave --region out\n",
    )
