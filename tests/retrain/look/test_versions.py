"""Proves that a version is found by its names, traced to its data, and followed after its run."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from botocore.exceptions import EndpointConnectionError

from retrain import cli
from retrain.look import versions
from retrain.look.lineage import build_lineage_lines
from retrain.look.lines import render_lines
from retrain.names import short_name
from tests.functions.samples import CAMPAIGN, SOLUTION, campaign_result, solution_result
from tests.functions.samples import VERSION as NEW
from tests.functions.test_report import report
from tests.retrain.in_process import account
from tests.workflow.pipeline import RUN_ID
from tests.world import MOVIES

BEGAN_AT = datetime(2026, 11, 29, 4, tzinfo=UTC)
IMPORT = {
    "importMode": "INCREMENTAL",
    "lastUpdatedDateTime": BEGAN_AT,
    "bytes": None,
    "runId": None,
    "dataSource": {"dataLocation": "s3://exports/items.csv"},
}
LINEAGE = {
    "solutionVersionArn": NEW,
    "status": "CREATE FAILED",
    "failureReason": "no data",
    "creationDateTime": BEGAN_AT,
    "lastUpdatedDateTime": BEGAN_AT + timedelta(hours=1),
    "runId": None,
    "approval": "refused by ops at 2026-11-29 04:00 UTC",
    "datasets": [{"datasetArn": "dataset/movies/ITEMS", "imports": [IMPORT], "olderImports": 43}],
    "metrics": {},
    "campaigns": [
        {"campaignArn": CAMPAIGN, "relations": ["rolls back to it", "was rolled back from it"]},
    ],
}
"""A version with what the versions in `good_run.txt` and `pin.txt` lack."""


def test_a_solution_may_need_no_approval_any_more():
    waiting = solution_result(campaigns=[campaign_result("AWAITING_APPROVAL")])
    notes = versions.VersionNotes(SimpleNamespace(settings={"solutions": []}))
    assert notes.about(report(solutions=[waiting])) == {
        CAMPAIGN: "the solution needs no approval any more"
    }


def test_a_version_counts_as_rejected_where_a_run_rejected_it():
    def reports():
        drop = campaign_result("REJECTED", "too bad")
        yield report(solutions=[solution_result(campaigns=[drop])])
        yield report(solutions=[solution_result(campaigns=[campaign_result("DEPLOYED")])])
        raise EndpointConnectionError(endpoint_url="https://states")

    assert versions.find_rejections(reports(), CAMPAIGN) == {NEW: "too bad"}
    assert versions.find_rejections(reports(), f"{CAMPAIGN}-2") == {}


def test_a_version_is_traced_to_its_data():
    with account(MOVIES) as prod:
        run = prod.pipeline.start()
        while len(prod.pipeline.versions()) == 1:
            prod.pipeline.sleep(60)
        prod.pipeline.group.create_dataset(prod.pipeline.client, "actions")
        prod.pipeline.sleep(600)
        prod.pipeline.foreign_import("actions")
        run.wait()  # Its training has not learned what was imported meanwhile.
        documents = [
            prod.retrain(f"history --version {arn} --json").document
            for arn in prod.pipeline.versions()
        ]

    for document, run_id, relations in zip(
        documents, (None, RUN_ID), (["had it before"], ["serves it"]), strict=True
    ):
        assert document["runId"] == run_id
        imports = {
            row["datasetArn"].rpartition("/")[2]: row["imports"] for row in document["datasets"]
        }
        assert list(imports) == ["INTERACTIONS", "ITEMS", "USERS"], "not ACTIONS"
        assert [[job["runId"] for job in jobs] for jobs in imports.values()] == [[run_id]] * 3
        (campaign,) = document["campaigns"]
        assert campaign["relations"] == relations


def test_a_version_is_found_by_its_names():
    with account(MOVIES) as prod:
        (arn,) = prod.pipeline.versions()
        by_name = [
            prod.retrain(f"history --version {name} --json")
            for name in (arn, short_name(arn), arn.rpartition("/")[2])
        ]
        missing = prod.retrain(f"history --version {arn[:-1]}x")
        unknown = prod.retrain("history --version films/1a2b")

    assert by_name == [by_name[0]] * 3
    assert by_name[0].document["solutionVersionArn"] == arn
    assert missing.code == 2
    assert "does not exist; it was deleted with its solution, or the cred" in missing.err
    history = "`retrain history --stack dev` shows those of the last runs"
    assert unknown == (2, "", f"'films/1a2b' is not a version of this pipeline; {history}\n")


def test_another_arn_is_one_line(capsys):
    assert cli.main(["history", "--version", SOLUTION]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"--version '{SOLUTION}' is not the ARN of a solution version; `ret")


def test_the_golden_lines_of_a_version_that_no_campaign_serves(golden):
    lines = render_lines(build_lineage_lines(LINEAGE))
    golden("lineage.txt", "\n".join(line.plain for line in lines))
