"""Proves that a version is found by its names, traced to its data, and followed after its run."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from retrain import cli
from retrain.look import lineage, versions
from retrain.look.lines import render_lines
from retrain.names import short_name
from tests.functions.samples import CAMPAIGN, SOLUTION, campaign_result, solution_result
from tests.functions.samples import VERSION as NEW
from tests.functions.test_report import report
from tests.retrain.in_process import account
from tests.workflow.pipeline import RUN_ID
from tests.world import MOVIES

BEGAN_AT = datetime(2026, 11, 29, 4, tzinfo=UTC)


def test_a_solution_may_need_no_approval_any_more():
    waiting = solution_result(campaigns=[campaign_result("AWAITING_APPROVAL")])
    notes = versions.VersionNotes(SimpleNamespace(settings={"solutions": []}))
    assert notes.about(report(solutions=[waiting])) == {
        CAMPAIGN: "the solution needs no approval any more"
    }


# The lineage of a version


def test_a_version_is_traced_to_its_data():
    with account(MOVIES) as prod:
        foreign = prod.pipeline.versions()[0]
        run = prod.pipeline.start()
        while len(prod.pipeline.versions()) == 1:
            prod.pipeline.sleep(60)
        prod.pipeline.group.create_dataset(prod.pipeline.client, "actions")
        prod.pipeline.sleep(600)
        prod.pipeline.foreign_import("actions")
        run.wait()  # Its training has not learned what was imported meanwhile.
        arn = prod.pipeline.served_version()
        document = prod.retrain(f"history --version {arn} --json").document
        before = prod.retrain(f"history --version {foreign} --json").document
        missing = prod.retrain(f"history --version {arn[:-1]}x")
        names = [short_name(version) for version in (arn, foreign)]
        for name in (names[0], names[0].rpartition("/")[2]):
            assert prod.retrain(f"history --version {name} --json").document == document
        unknown = prod.retrain("history --version films/1a2b")
    for lineage_of, run, verdicts in (
        (document, RUN_ID, ["serves", "good"]),
        (before, None, ["previous"]),
    ):
        assert lineage_of["runId"] == run
        jobs = {row["type"]: row["imports"] for row in lineage_of["datasets"]}
        assert jobs.pop("ACTIONS") == []
        assert list(jobs) == ["INTERACTIONS", "ITEMS", "USERS"]
        assert [[job["runId"] for job in row] for row in jobs.values()] == [[run]] * 3
        (campaign,) = lineage_of["campaigns"]
        assert [key for key in lineage.VERDICTS if campaign[key]] == verdicts
    newest = f"its newest versions: {', '.join(names)}"

    assert unknown == (2, "", f"'films/1a2b' is not a version of this pipeline; {newest}\n")
    assert missing.code == 2
    assert "does not exist; it was deleted with its solution, or the cred" in missing.err


def test_another_arn_is_one_line(capsys):
    assert cli.main(["history", "--version", SOLUTION]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"--version '{SOLUTION}' is not the ARN of a solution version; `ret")


PLAIN = {
    "solutionVersionArn": NEW,
    "status": "ACTIVE",
    "failure": None,
    "recipeArn": "arn:aws:personalize:::recipe/aws-sims",
    "trainingMode": "FULL",
    "trainingHours": 1.5,
    "createdAt": BEGAN_AT,
    "endedAt": BEGAN_AT + timedelta(hours=1),
    "runId": "20261129T030000Z",
    "approval": None,
    "datasets": [],
    "metrics": {},
    "campaigns": [],
}
OF_NO_DATASET = dict.fromkeys(("bytes", "runId", "dataLocation"))
IMPORT = {"importMode": "INCREMENTAL", "endedAt": BEGAN_AT, **OF_NO_DATASET}
ITEMS = {"type": "ITEMS", "imports": [IMPORT] * 5, "olderImports": 43}
USERS = {"type": "USERS", "imports": [], "olderImports": 0}
VERDICTS = {"campaignArn": CAMPAIGN, **dict.fromkeys(lineage.VERDICTS, False), "pin": None}


NO_RUN = "by no run of a pipeline: Personalize itself or a person has trained it"
ASKED, ANSWERED = (
    {"answer": answer, "at": BEGAN_AT, "by": by}
    for answer, by in (("REQUESTED", None), ("REFUSED", "ops"))
)
IMPORTED = "INCREMENTAL, ended 2026-11-29 04:00 UTC, foreign "
OLDER = "and 43 earlier imports users no import before the training"
FACTS = [
    ({"trainingHours": None, "recipeArn": None}, "UTC in 1 h, FULL by run"),
    ({"runId": None}, NO_RUN),
    ({"failure": "no data"}, "failure no data"),
    ({"approval": ASKED}, "approval requested by the run at 2026-11-29 04:00 UTC"),
    ({"approval": ANSWERED}, "approval refused by ops at 2026-11-29 04:00 UTC"),
    ({"datasets": [ITEMS, USERS]}, f"items {IMPORTED * 5}{OLDER}"),
    ({"campaigns": [VERDICTS]}, "campaigns home does not serve it"),
    (
        {"campaigns": [{**VERDICTS, "good": True, "bad": True}]},
        "campaigns home rolls back to it, was rolled back from it",
    ),
    ({"campaigns": [{**VERDICTS, "pin": "pinned by ops"}]}, "campaigns home does not serve it"),
]


@pytest.mark.parametrize("changes, text", FACTS)
def test_each_fact_about_a_version_has_a_line(changes, text):
    lines = [line.plain for line in render_lines(lineage.build_lineage_lines({**PLAIN, **changes}))]
    assert text in " ".join(" ".join(lines).split())
