"""Proves what a rehearsal tells of a run, to people and to programs; no run is made."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from retrain.rehearsal.document import document
from retrain.rehearsal.names import short_name, shortened
from retrain.rehearsal.summary import Step, Version
from retrain.rehearsal.tables import show
from tests.retrain.rehearsed import (
    AUDIENCE,
    CAMPAIGN,
    EXECUTION,
    HOME,
    IMPORT,
    METRICS,
    NEW,
    OLD,
    OTHER,
    import_job,
    report,
    served,
    summary,
    update,
)

LONG = "a-solution-with-a-name-as-long-as-names-may-be-in-this-service"


def shown(told, *, width=80, audience=AUDIENCE):
    """What `show` prints, without the blanks at the lines' ends."""
    console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    show(console, told, audience=audience)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (NEW, "movies/00000002"),
        (CAMPAIGN, "home-page"),
        (IMPORT, "actionInteractions"),
        (f"{HOME}:dataset-import-job/1a2b3c4d-20261130T030000Z-1f2e3d4c-users-2", "users"),
        ("arn:aws:states:eu-west-1:123456789012:stateMachine:retraining", "retraining"),
    ],
)
def test_a_short_name_tells_a_resource_from_others_of_its_kind(arn, name):
    assert short_name(arn) == name


@pytest.mark.parametrize(
    ("width", "text"),
    [(26, "abcdefghijklmnopqrstuvwxyz"), (25, "abcdefghijkl…opqrstuvwxyz"), (4, "a…yz")],
)
def test_a_long_name_loses_its_middle_since_names_differ_at_both_ends(width, text):
    assert shortened("abcdefghijklmnopqrstuvwxyz", width) == text
    assert len(text) == width


def test_all_that_happened_is_shown_in_80_columns():
    assert shown(summary()) == [
        "",
        "What the functions did",
        "   s step                       of                  status",
        "───────────────────────────────────────────────────────────────────────────",
        " 0.0 plan_retraining                                1 to import, 1 to train",
        " 1.2 create_dataset_import_job  actionInteractions  CREATE PENDING",
        "",
        "Jobs",
        "job                        statuses                        seconds",
        "──────────────────────────────────────────────────────────────────",
        "import actionInteractions  PENDING > IN_PROGRESS > ACTIVE  3.1",
        "update home-page           PENDING > IN_PROGRESS > ACTIVE  3.0",
        "",
        "Solution versions",
        "version               NDCG@10  MRR@25  precision@10  coverage",
        "─────────────────────────────────────────────────────────────",
        "movies/00000001  old  0.2500   0.5000  0.1250        1.0000",
        "movies/00000002  new  -        -       -             -",
        "",
        "Campaign home-page",
        "serves       movies/00000002, the new version",
        "before       movies/00000001",
        "user         user-1, met 4 items: 1 Comedy, 1 Drama",
        "last items   A (Comedy)",
        "             The Train (Drama)",
        "             C",
        "recommended  The Train II (Drama, Crime)",
        "             film-9",
        "",
        "Retraining run 20261130T030000Z: DEPLOYED",
        "",
        "Every campaign serves its new version.",
    ]


def test_names_as_long_as_they_may_be_leave_every_other_column_whole_in_80_columns():
    arn = f"{HOME}:solution/{LONG}/0badcafe"
    told = summary(
        steps=[Step(123.4, "create_dataset_import_job", arn, "CREATE PENDING", None)],
        versions=[Version(arn, "old", "ACTIVE", METRICS)],
    )
    lines = shown(told)
    assert [line for line in lines if "0badcafe" in line] == [
        "123.4 create_dataset_import_job  a-solution-…ce/0badcafe  CREATE PENDING",
        "a-solution-wit…rvice/0badcafe  old  0.2500   0.5000  0.1250        1.0000",
    ]
    assert max(map(len, lines)) <= 80


def test_a_wide_terminal_shows_long_names_whole():
    arn = f"{HOME}:solution/{LONG}/0badcafe"
    lines = shown(summary(versions=[Version(arn, "old", "ACTIVE", METRICS)]), width=140)
    assert [line.split()[0] for line in lines if "0badcafe" in line] == [f"{LONG}/0badcafe"]


def of_campaign(lines):
    start = lines.index("Campaign home-page")
    return lines[start + 3 : lines.index("", start)]


def test_what_is_related_to_an_item_is_shown_beside_it_and_no_user():
    campaign = replace(served(), related_to="film-1")
    assert of_campaign(shown(summary(campaigns=[campaign]))) == [
        "related to   The Train (Drama)",
        "recommended  The Train II (Drama, Crime)",
        "             film-9",
    ]


@pytest.mark.parametrize(
    ("met", "genres", "told"),
    [
        (["a"], {}, "met 1 item"),
        (
            ["a", "b"],
            {"a": "Crime|War", "b": "War|Noir", "x": "Noir"},
            "met 2 items: 2 War, 1 Crime",
        ),
    ],
)
def test_the_user_is_told_with_the_genres_that_they_met_most(met, genres, told):
    audience = AUDIENCE._replace(met=met, genres=genres)
    assert of_campaign(shown(summary(), audience=audience))[0] == f"user         user-1, {told}"


def test_a_campaign_that_only_ranks_shows_no_empty_rows():
    campaign = replace(served(), recommended=[])
    assert of_campaign(shown(summary(campaigns=[campaign]))) == []


@pytest.mark.parametrize(("width", "widest"), [(80, 80), (100, 100), (200, 100)])
def test_genres_fill_what_the_title_leaves_of_100_columns_at_most(width, widest):
    titles = {"film-2": "T" * 40, "film-9": "U" * (widest - 20)}
    genres = {"film-2": "|".join(["Adventure"] * 9), "film-9": "Drama"}
    audience = AUDIENCE._replace(titles=titles, genres=genres)
    shortened_one, without = of_campaign(shown(summary(), width=width, audience=audience))[-2:]
    assert shortened_one.startswith(f"recommended  {'T' * 40} (Adventure, ")
    assert shortened_one.endswith("Adventure)")
    assert len(shortened_one) == widest
    assert without.strip() == titles["film-9"]


def test_a_failed_run_shows_as_much_as_there_is_and_how_it_ended():
    told = summary(
        report=None,
        ended="FAILED: States.Runtime: no such field",
        steps=[Step(0.0, "watch_solution_version", OLD, "CREATE FAILED", "too few users")],
        jobs=[],
        versions=[Version(OLD, "old", "ACTIVE", METRICS)],
        campaigns=[served(now=OLD, new=None)],
        trained=False,
    )
    lines = shown(told)
    assert "Jobs" not in lines
    assert lines[4:6] == [
        " 0.0 watch_solution_version  movies/00000001  CREATE FAILED: too few users",
        "",
    ]
    assert "serves       movies/00000001, not a new version" in lines
    assert lines[-1] == (
        "Not every campaign serves a new version: the run FAILED: States.Runtime: no such field"
    )


def test_without_campaigns_the_verdict_is_about_the_versions():
    told = summary(campaigns=[])
    assert shown(told)[-1] == (
        "Every solution has a new version; there are no campaigns to serve it."
    )
    assert told.succeeded


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"trained": False}, "a solution has no new version"),
        ({"campaigns": [served(), served(now=OLD)]}, "one campaign serves the old version"),
        ({"campaigns": [served(before=NEW)]}, "the version was served before, so it is not new"),
        ({"campaigns": [served(now=OTHER)]}, "it serves another version"),
        ({"campaigns": [served(now=OLD, new=None)]}, "there is no new version"),
    ],
)
def test_a_run_has_not_succeeded_while(changes, why):
    assert not summary(**changes).succeeded, why


def test_the_document_holds_all_of_it_under_stable_keys():
    told = summary(
        jobs=[import_job(), update()],
        steps=[Step(1.5, "update_campaign", CAMPAIGN, "CREATE PENDING", None)],
    )
    found = document(told, stack="dev", audience=AUDIENCE)
    assert json.loads(json.dumps(found)) == {
        "stack": "dev",
        "succeeded": True,
        "executionArn": EXECUTION,
        "ended": "SUCCEEDED",
        "report": told.report,
        "steps": [
            {
                "seconds": 1.5,
                "step": "update_campaign",
                "arn": CAMPAIGN,
                "status": "CREATE PENDING",
                "failure": None,
            }
        ],
        "jobs": [
            {
                "kind": "import",
                "arn": IMPORT,
                "solutionVersionArn": None,
                "statuses": ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"],
                "seconds": 3.1,
            },
            {
                "kind": "update",
                "arn": CAMPAIGN,
                "solutionVersionArn": NEW,
                "statuses": ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"],
                "seconds": 3.0,
            },
        ],
        "solutionVersions": [
            {
                "solutionVersionArn": OLD,
                "age": "old",
                "status": "ACTIVE",
                "metrics": METRICS,
            },
            {"solutionVersionArn": NEW, "age": "new", "status": "ACTIVE", "metrics": {}},
        ],
        "campaigns": [
            {
                "campaignArn": CAMPAIGN,
                "solutionVersionArn": NEW,
                "previousVersionArn": OLD,
                "servesNewVersion": True,
                "relatedTo": None,
                "recommendations": [
                    {"itemId": "film-2", "title": "The Train II"},
                    {"itemId": "film-9", "title": None},
                ],
            }
        ],
        "user": {"userId": "user-1", "lastMet": ["A", "The Train", "C", "D"]},
    }


def test_a_run_without_a_report_is_null_there_and_keeps_the_keys():
    whole = document(summary(), stack="dev", audience=AUDIENCE)
    told = summary(report=None, steps=[], jobs=[], versions=[], campaigns=[], trained=False)
    bare = document(told, stack="dev", audience=AUDIENCE)
    assert list(bare) == list(whole)
    assert (bare["report"], bare["campaigns"], bare["succeeded"]) == (None, [], False)


def test_texts_that_look_like_markup_are_shown_as_they_are():
    text = "the user [bold]"
    lines = shown(
        summary(
            report={**report(), "text": text},
            steps=[Step(0.0, "report_outcome", None, "FAILED", text)],
            trained=False,
        )
    )
    assert [line for line in lines if text in line] == [
        f" 0.0 report_outcome      FAILED: {text}",
        text,
    ]
    assert lines[-1] == "Not every campaign serves a new version: as the report says"
    assert shown(summary(report=None, ended=text, campaigns=[], trained=False))[-1] == (
        f"Not every solution has a new version: the run {text}"
    )
