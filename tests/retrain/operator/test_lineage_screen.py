"""Proves what is shown of a version, and what makes its lineage uncertain."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from retrain.account.access import Access
from retrain.look import lineage as lineages
from retrain.look.lineage_screen import lineage_table
from tests.retrain.builders import CAMPAIGN, HOME, NEW

BEGAN_AT = datetime(2026, 11, 29, 4, tzinfo=UTC)
UNRELATED = {
    "campaignArn": CAMPAIGN,
    **dict.fromkeys(("serves", "onTrial", "good", "previous", "bad"), False),
}


def learned(day=29, **changes):
    """Return an import that a version has learned."""
    return {
        "datasetImportJobArn": f"{HOME}:dataset-import-job/a",
        "importMode": "FULL",
        "createdAt": BEGAN_AT,
        "endedAt": datetime(2026, 11, day, 3, 20, tzinfo=UTC),
        "dataLocation": "s3://exports/items.csv",
        "bytes": 1_400_000,
        "runId": "20261129T030000Z",
        "held": True,
        **changes,
    }


def lineage(**changes):
    """Return the lineage of a version."""
    return {
        "solutionVersionArn": NEW,
        "solutionArn": NEW.rpartition("/")[0],
        "name": "a",
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
        "warnings": [],
        **changes,
    }


def shown(**changes):
    """Return the lines of the screen of a lineage with these changes."""
    console = Console(file=io.StringIO(), width=80)
    console.print(lineage_table(lineage(**changes)))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def new_lines(**changes):
    """Return the lines that these changes add or change."""
    plain_lines = [" ".join(line.split()) for line in shown()]
    lines = [" ".join(line.split()) for line in shown(**changes)]
    return [line for line in lines if line not in plain_lines]


def test_a_version_has_its_training_and_its_run():
    assert shown() == [
        "version  movies/00000002  ACTIVE",
        "trained  2026-11-29 04:00 to 05:00 UTC, FULL, 1.50 training hours, aws-sims",
        "by       run 20261129T030000Z",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"endedAt": BEGAN_AT + timedelta(hours=24)},
            "trained 2026-11-29 04:00 to 2026-11-30 04:00 UTC, FULL, 1.50 training hours, aws-sims",
        ),
        (
            {"trainingHours": None, "recipeArn": None, "trainingMode": "UPDATE"},
            "trained 2026-11-29 04:00 to 05:00 UTC, UPDATE",
        ),
        (
            {"runId": None},
            "by no run of a pipeline: Personalize itself or a person has trained it",
        ),
        (
            {"approval": {"answer": "ASKED", "at": BEGAN_AT, "by": None}},
            "approval asked for at 2026-11-29 04:00 UTC, without an answer",
        ),
        (
            {"approval": {"answer": "REFUSED", "at": BEGAN_AT, "by": "ops"}},
            "refused by ops at 2026-11-29 04:00 UTC",
        ),
        ({"warnings": ["lists are long"]}, "warning lists are long"),
    ],
)
def test_each_fact_is_a_line(changes, line):
    assert " ".join(new_lines(**changes)) == line


def test_a_failed_version_has_its_reason():
    assert new_lines(status="CREATE FAILED", failure="no data") == [
        "version movies/00000002 CREATE FAILED",
        "failure no data",
    ]


def test_an_import_has_its_size_run_and_location():
    foreign = dict.fromkeys(("bytes", "runId", "dataLocation"))
    imports = [learned(), {**learned(28), **foreign}]
    dataset = {"type": "ITEMS", "datasetArn": "a", "imports": imports, "olderImports": 0}
    assert new_lines(datasets=[dataset]) == [
        "items FULL, ended 2026-11-29 03:20 UTC, 1.4 MB, run 20261129T030000Z",
        "s3://exports/items.csv",
        "FULL, ended 2026-11-28 03:20 UTC, foreign",
    ]


def test_only_the_last_imports_are_shown():
    imports = [learned(day, importMode="INCREMENTAL") for day in range(20, 12, -1)]
    dataset = {"type": "ITEMS", "datasetArn": "a", "imports": imports, "olderImports": 40}
    empty = {"type": "USERS", "datasetArn": "b", "imports": [], "olderImports": 0}
    lines = new_lines(datasets=[dataset, empty])
    assert len([line for line in lines if "INCREMENTAL" in line]) == 5
    assert lines[-2:] == ["and 43 earlier imports", "users no import before the training"]


def test_metrics_are_sorted_by_name_and_number():
    metrics = {"precision_at_10": 0.1, "precision_at_5": 0.2, "coverage": 0.9}
    assert new_lines(metrics=metrics) == [
        "metrics coverage 0.9000, precision@5 0.2000, precision@10 0.1000"
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "does not serve it"),
        ({"serves": True, "good": True}, "serves it"),
        ({"serves": True, "onTrial": True}, "serves it, has it on trial"),
        ({"good": True}, "rolls back to it"),
        ({"previous": True, "bad": True}, "had it before, was moved back from it"),
    ],
)
def test_a_campaign_says_what_it_makes_of_the_version(changes, line):
    assert new_lines(campaigns=[{**UNRELATED, **changes}]) == [f"campaigns home-page {line}"]


VERSION = {"creationDateTime": BEGAN_AT}
DIGEST_OF_NO_IMPORTS = "e3b0c44298fc1c149afbf4c8-00000000"


@pytest.mark.parametrize(
    ("tags", "count"),
    [
        ({}, 0),
        ({"retraining-digest": DIGEST_OF_NO_IMPORTS, "retraining-run": "run"}, 0),
        ({"retraining-digest": f"{'0' * 24}-{'0' * 8}", "retraining-run": "run"}, 1),
        ({"retraining-digest": "edited", "retraining-run": "run"}, 1),
    ],
    ids=["foreign", "as listed", "other imports", "edited"],
)
def test_a_digest_that_the_lists_do_not_show_is_a_warning(tags, count):
    assert len(list(lineages._warnings(VERSION, tags, []))) == count  # noqa: SLF001


def test_a_version_that_has_failed_has_no_metrics():
    assert lineages._metrics(None, NEW, "CREATE FAILED") == {}  # noqa: SLF001


def test_another_error_than_a_missing_version_is_passed_on(monkeypatch):
    denied = ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeSolutionVersion")

    def refuse(*_):
        raise denied

    monkeypatch.setattr(lineages, "describe_version", refuse)
    monkeypatch.setattr(Access, "personalize", None)
    with pytest.raises(ClientError) as caught:
        lineages.read_lineage(Access(), NEW)
    assert caught.value is denied
