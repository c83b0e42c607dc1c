"""Proves the sentences of a plan."""

from types import SimpleNamespace

import pytest

from retrain.look import plan
from retrain.look.plan_screen import (
    age_text,
    conclusion_of,
    line_of,
    rows_of,
)
from tests.program.sample_stack import CAMPAIGN, SOLUTION

VERSION = f"{SOLUTION}/1a2b3c4d"
SERVES = "It serves 1a2b3c4d now."


def imported(**fields):
    """Return the step of a dataset that is imported."""
    step = {
        "type": "items",
        "action": "import",
        "reason": "it was never imported",
        "dataLocation": "s3://exports/items.csv",
        "files": 1,
        "bytes": 1_400_000_000,
        "rows": None,
        "ageHours": 3.2,
        "expectedSeconds": 1500,
    }
    return {**step, **fields}


def updated(**fields):
    """Return the step of a campaign that is updated."""
    step = {
        "campaignArn": CAMPAIGN,
        "action": "update",
        "servedVersionArn": VERSION,
        "isGated": True,
        "isProbed": True,
        "approvalHours": None,
        "rolledBackVersionArn": None,
    }
    return {**step, **fields}


def trained(**fields):
    """Return the step of a solution that is trained."""
    step = {
        "solutionArn": SOLUTION,
        "action": "train",
        "reason": "items is imported",
        "trainingMode": "FULL",
        "solutionVersionArn": None,
        "expectedSeconds": 5000,
        "expectedTrainingHours": 12.3,
        "expectedCost": 2.95,
        "pricedByInteractions": False,
        "campaigns": [],
    }
    return {**step, **fields}


def document(**fields):
    """Return the document of a plan."""
    values = {
        "outcome": "RUN",
        "reason": None,
        "problems": [],
        "trials": [],
        "imports": [],
        "trainings": [],
        "expectedCost": None,
        "warnings": [],
        "hasOwnJobs": True,
    }
    return {**values, **fields}


def lines(**fields):
    return [line_of(row) for row in rows_of(document(**fields))]


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            imported(),
            (
                "+ import items: s3://exports/items.csv: 1 file, 1.4 GB, written 3 h 12 min ago. "
                "It was "
                "never imported. Expected to take 25 min."
            ),
        ),
        (
            imported(rows=1250, files=2, bytes=43_100, expectedSeconds=None),
            (
                "+ import items: s3://exports/items.csv: 2 files, 1,250 rows, 43.1 KB, written 3 "
                "h 12 "
                "min ago. It was never imported. No earlier import shows how long it takes."
            ),
        ),
        (
            imported(action="keep", files=0, bytes=0, ageHours=None, reason="the run is skipped"),
            "= keep items: s3://exports/items.csv: 0 files, 0 bytes. The run is skipped.",
        ),
        (
            imported(action="leave out", reason="the options leave it out"),
            "= leave out items: The options leave it out.",
        ),
    ],
)
def test_a_dataset_is_a_line(step, line):
    assert lines(imports=[step]) == [line]


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            trained(),
            (
                "+ train movies-for-you: With FULL, because items is imported. Expected to take "
                "1 h 23 "
                "min. About 12.3 training hours, $2.95."
            ),
        ),
        (
            trained(expectedCost=None, expectedSeconds=None),
            (
                "+ train movies-for-you: With FULL, because items is imported. No earlier FULL "
                "training"
                " shows how long it takes. About 12.3 training hours."
            ),
        ),
        (
            trained(expectedCost=None, expectedTrainingHours=None),
            (
                "+ train movies-for-you: With FULL, because items is imported. Expected to take "
                "1 h 23 "
                "min."
            ),
        ),
        (
            trained(pricedByInteractions=True),
            (
                "+ train movies-for-you: With FULL, because items is imported. Expected to take "
                "1 h 23 "
                "min. The recipe is priced by interactions, not by training hours."
            ),
        ),
        (
            trained(action="use", solutionVersionArn=VERSION, reason="it is trained already"),
            "+ use movies-for-you: Version 1a2b3c4d: it is trained already.",
        ),
        (
            trained(action="keep", solutionVersionArn=VERSION, reason="its version is up to date"),
            "= keep movies-for-you: Its version is up to date: 1a2b3c4d.",
        ),
        (
            trained(action="keep", reason="it has nothing new to learn"),
            "= keep movies-for-you: It has nothing new to learn.",
        ),
        (
            trained(action="hold back", reason="too many trainings"),
            "! hold back movies-for-you: Too many trainings.",
        ),
        (
            trained(action="leave out", reason="the options leave it out"),
            "= leave out movies-for-you: The options leave it out.",
        ),
    ],
)
def test_a_solution_is_a_line(step, line):
    assert lines(trainings=[step]) == [line]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (
            updated(),
            (
                "~ update movies-for-you: It moves to the new version if this passes the quality "
                "gate. "
                f"Then a probe decides whether it stays. {SERVES}"
            ),
        ),
        (
            updated(approvalHours=72, isProbed=False),
            (
                "~ update movies-for-you: It moves to the new version if this passes the quality "
                "gate "
                f"and a person approves it within 72 hours. No probe is configured. {SERVES}"
            ),
        ),
        (
            updated(isGated=False, isProbed=False, servedVersionArn=None),
            (
                "~ update movies-for-you: It moves to the new version, because it has no gate. No "
                "probe"
                " is configured."
            ),
        ),
        (updated(action="keep"), f"= keep movies-for-you: {SERVES}"),
        (
            updated(action="keep", rolledBackVersionArn=f"{SOLUTION}/bad1"),
            (
                f"= keep movies-for-you: {SERVES} The newest version, bad1, was rolled back. No "
                "run deploys it again."
            ),
        ),
    ],
)
def test_a_campaign_is_a_line(step, text):
    assert lines(trainings=[trained(campaigns=[step])])[1:] == [text]


def test_problems_come_first_then_trials_and_warnings_last():
    rows = lines(problems=["x; do y"], trials=[CAMPAIGN], imports=[imported()], warnings=["w"])
    assert [row.partition(": ")[0] for row in rows] == [
        "✗ problem",
        "~ finish movies-for-you",
        "+ import items",
        "! warning",
    ]


@pytest.mark.parametrize(
    ("fields", "conclusion"),
    [
        ({"outcome": "REFUSED", "problems": ["x"]}, "Plan: refused, 1 problem."),
        ({"outcome": "REFUSED", "problems": ["x", "y"]}, "Plan: refused, 2 problems."),
        ({"outcome": "SKIPPED", "reason": "nothing is new"}, "Plan: skipped: nothing is new."),
        (
            {
                "imports": [imported(), imported(action="keep")],
                "trainings": [
                    trained(campaigns=[updated()]),
                    trained(action="use"),
                    trained(action="hold back"),
                ],
                "expectedCost": 2.95,
            },
            (
                "Plan: 1 to import, 1 to train, 1 to deploy without a training, 1 to update, 1 "
                "held "
                "back, 1 unchanged, about $2.95."
            ),
        ),
    ],
)
def test_the_last_line_counts_what_changes(fields, conclusion):
    assert conclusion_of(document(**fields)) == conclusion


def test_an_age_has_its_natural_unit():
    ages = [age_text(hours) for hours in (-1, 0.5, 47, 49)]
    assert ages == ["0 s", "30 min", "47 h", "2 days"]


@pytest.mark.parametrize(
    ("reason", "options", "last_line"),
    [
        (None, {}, "next: `retrain start` starts a run"),
        (
            None,
            {"skipImport": True, "solutions": ["films", "movies"], "exportDate": None},
            "next: `retrain start --skip-import --solution films --solution movies` starts a run",
        ),
        (
            "nothing is new; to train anyway, use retrain start --force",
            {"trainingMode": "FULL", "force": False},
            "next: `retrain start --training-mode FULL --force` trains anyway",
        ),
        ("a version waits for an approval", {}, None),
    ],
)
def test_the_plan_advises_a_start_with_its_options_unless_that_would_be_skipped(
    capsys, reason, options, last_line
):
    pipeline = SimpleNamespace(
        source="Pulumi.prod.yaml",
        home=SimpleNamespace(account="123456789012", region="eu-west-1"),
        target="deployed",
        command=lambda *words: " ".join(["retrain", *words]),
    )
    skipped = document(outcome="SKIPPED" if reason else "RUN", reason=reason)
    plan._print_screen(pipeline, skipped, [], options)  # noqa: SLF001
    lines = capsys.readouterr().err.splitlines()
    assert lines == ([last_line] if last_line else []), "a start without --force would be skipped"
