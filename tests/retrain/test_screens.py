"""Proves what is printed of a run and of a scenario."""

import io

import pytest
from rich.console import Console

from functions.report.text import text_of
from retrain.names import short_name
from retrain.rehearsal.judges import Evidence, Expectation
from retrain.rehearsal.runs import Item, Step, User, Version
from retrain.rehearsal.scenarios import SCENARIOS, ScenarioResult
from retrain.rehearsal.screens import print_overview, print_result, print_summary
from tests.retrain.builders import (
    CAMPAIGN,
    HOME,
    IMPORT,
    METRICS,
    NEW,
    NOT_UPDATED,
    OLD,
    TRAIN,
    UPDATED,
    campaign,
    campaign_report,
    run,
    run_report,
    solution_report,
    summary,
    training,
)

LONGEST_NAME = "a-solution-with-a-name-as-long-as-names-may-be-in-this-service"


def printed(print_function, *arguments, width=80):
    """Return the lines that a function prints, without blanks at their ends."""
    console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    print_function(console, *arguments)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (NEW, "movies/00000002"),
        (CAMPAIGN, "home-page"),
        (IMPORT, "actionInteractions"),
        (f"{HOME}:dataset-import-job/1a2b3c4d-20261130T030000Z-1f2e3d4c-users", "users"),
        ("arn:aws:states:eu-west-1:123456789012:stateMachine:retraining", "retraining"),
    ],
)
def test_a_short_name_identifies_a_resource_among_others_of_its_kind(arn, name):
    assert short_name(arn) == name


def test_a_summary_shows_everything_in_80_columns():
    assert printed(print_summary, summary()) == [
        "",
        "What the functions did",
        "   s step                       of                  status",
        "───────────────────────────────────────────────────────────────────────────",
        " 0.0 plan_retraining                                1 to import, 1 to train",
        " 1.2 create_dataset_import_job  actionInteractions  CREATE PENDING",
        "A probe asks a campaign for recommendations after its update. If the answers are",
        "errors or too short, the pipeline moves the campaign back.",
        "",
        *text_of(run_report(solution_report())).splitlines(),
        *LAST_LINES,
    ]
    assert len(LAST_LINES) <= 23, "a terminal of 24 lines shows them, and the prompt below"


LAST_LINES = [
    "",
    "Campaign home-page",
    "serves       movies/00000002, the new version",
    "before       movies/00000001",
    "user         user-1, 4 items: 1 Comedy, 1 Drama",
    "last items   A (Comedy)",
    "             The Train (Drama)",
    "             C",
    "recommended  The Train II (Drama, Crime)",
    "             film-9",
    "",
    "Solution versions",
    "version               NDCG@10  MRR@25  precision@10  coverage",
    "─────────────────────────────────────────────────────────────",
    "movies/00000001  old  0.2500   0.5000  0.1250        1.0000",
    "movies/00000002  new  -        -       -             -",
    "NDCG@10: how near the top of 10 recommendations the hidden items of a user are.",
    "MRR@25: how near the top the first one is. precision@10: their share of the 10.",
    "coverage: the share of all items that anyone gets. For all metrics, 1 is best.",
    "The metrics rest on 50 users, a tenth of those who came back.",
    "",
    "Every campaign serves its new version.",
]


def test_metrics_of_few_users_are_called_noise():
    lines = printed(print_summary, summary(evaluation_users=29))
    start = lines.index(
        "The metrics rest on only 29 users, so they are noise: a difference between two"
    )
    assert lines[start : start + 3] == [
        "The metrics rest on only 29 users, so they are noise: a difference between two",
        "versions may be chance. Use data of at least 300 users who came back.",
        "",
    ]


def test_the_longest_name_is_folded_and_no_other_column_is():
    arn = f"{HOME}:solution/{LONGEST_NAME}/0badcafe"
    long_summary = summary(
        steps=[Step(123.4, "create_dataset_import_job", arn, "CREATE PENDING", None)],
        versions=[Version(arn, "old", "ACTIVE", METRICS)],
    )
    lines = printed(print_summary, long_summary)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "123.4 create_dataset_import_job  a-solution-with" in text
    assert "  old  0.2500   0.5000  0.1250        1.0000" in text
    assert "0badcafe" in text


def campaign_lines(changed_summary):
    """Return the lines about the campaign below its versions."""
    lines = printed(print_summary, changed_summary)
    start = lines.index("Campaign home-page")
    return lines[start + 3 : lines.index("", start)]


def test_related_items_are_shown_without_a_user():
    assert campaign_lines(summary(campaigns=[campaign(related_to=TRAIN)])) == [
        "related to   The Train (Drama)",
        "recommended  The Train II (Drama, Crime)",
        "             film-9",
    ]


def test_a_campaign_that_only_ranks_has_no_recommendations():
    assert campaign_lines(summary(campaigns=[campaign(recommendations=[])])) == []


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ([Item("a")], "user-1, 1 item"),
        (
            [Item("a", genres="Crime|War"), Item("b", genres="War|Noir")],
            "user-1, 2 items: 2 War, 1 Crime",
        ),
    ],
)
def test_a_user_is_shown_with_the_most_frequent_genres(items, line):
    user_line, *_ = campaign_lines(summary(user=User("user-1", items)))
    assert user_line == f"user         {line}"


@pytest.mark.parametrize("outcome", ["REJECTED", "ROLLED_BACK"])
def test_a_campaign_that_keeps_its_version_is_shown_with_the_outcome(outcome):
    report = run_report(solution_report(campaigns=[campaign_report(outcome)]))
    lines = printed(print_summary, summary(report=report, campaigns=[NOT_UPDATED]))
    assert f"serves       movies/00000001, not a new version: {outcome}" in lines


def test_a_run_without_a_report_shows_how_the_execution_ended():
    lines = printed(
        print_summary,
        summary(
            report=None,
            ending="FAILED: States.Runtime: no such field",
            steps=[Step(0.0, "train_solution", OLD, "CREATE FAILED", "too few users")],
            campaigns=[campaign(solution_version_arn=OLD, new_version_arn=None)],
            trained=False,
        ),
    )
    assert " 0.0 train_solution  movies/00000001  CREATE FAILED: too few users" in lines
    assert "serves       movies/00000001, not a new version" in lines
    assert lines[-1] == (
        "Not every campaign serves a new version: the run ended as FAILED: States.Runtime: no such "
        "field"
    )


def test_without_campaigns_the_conclusion_is_about_the_solutions():
    assert printed(print_summary, summary(campaigns=[]))[-1] == (
        "Every solution has a new version, and there are no campaigns to update."
    )


def test_text_that_looks_like_markup_is_printed_unchanged():
    text = "the user [bold]"
    steps = [Step(0.0, "report_outcome", None, "FAILED", text)]
    lines = printed(
        print_summary, summary(report=run_report(reason=text), steps=steps, trained=False)
    )
    assert [line for line in lines if text in line] == [
        f" 0.0 report_outcome      FAILED: {text}",
        text,
        f"  {text}",
    ]
    assert lines[-2] == "Not every campaign serves a new version: see the report"
    reported = run_report(solution_report(reason="too few users"), reason="Head:\n  a\n  b")
    assert printed(print_summary, summary(report=reported, trained=False))[-4:] == [
        "Not every campaign serves a new version: see the report",
        "  a",
        "  b",
        "  too few users",
    ]
    without_report = summary(report=None, ending=text, campaigns=[], trained=False)
    assert printed(print_summary, without_report)[-1] == (
        f"Not every solution has a new version: the run ended as {text}"
    )


WORSE_MODEL = next(scenario for scenario in SCENARIOS if scenario.name == "worse-model")


def print_scenario(runs, campaigns, *, is_met=True, evaluation_users=None):
    expectations = [Expectation("the gate rejected it", is_met), Expectation("it ended", True)]
    evidence = Evidence(runs, campaigns, evaluation_users=evaluation_users)
    return printed(print_result, ScenarioResult(WORSE_MODEL, evidence, expectations))


def test_a_scenario_that_ended_as_designed_shows_what_was_expected_and_prevented():
    report = solution_report(campaigns=[campaign_report("REJECTED", reason="it fell")])
    rejected = run("REJECTED", report, jobs=[training()])
    assert print_scenario([rejected], [NOT_UPDATED]) == [
        "",
        "Scenario worse-model",
        f"what is wrong  {WORSE_MODEL.story}",
        f"expected       {WORSE_MODEL.expected}",
        "what happened  REJECTED, started 1 job",
        "messages       it fell",
        "campaigns      home-page serves movies/00000001, as before",
        "checked        ✓ the gate rejected it",
        "               ✓ it ended",
        f"prevented      {WORSE_MODEL.prevented}",
    ]


def test_a_scenario_that_ended_otherwise_shows_what_to_do():
    assert print_scenario([run()], [UPDATED], is_met=False)[4:] == [
        "what happened  DEPLOYED, started no job",
        "campaigns      home-page serves movies/00000002, before movies/00000001",
        "checked        ✗ the gate rejected it",
        "               ✓ it ended",
        f"NOT PREVENTED  {WORSE_MODEL.prevented}",
        "what to do     set solutions[].qualityGate, for example maxDrop 0.25, and do not",
        "               set qualityGateEnabled to false",
    ]


def test_a_scenario_about_metrics_says_how_many_users_they_rest_on():
    lines = print_scenario([run()], [UPDATED], evaluation_users=3)
    assert lines[6:8] == [
        "metrics        The metrics rest on only 3 users, so they are noise: a difference",
        "               between two versions may be chance. Use data of at least 300",
    ]


def test_every_message_and_every_run_has_a_line():
    reason = "RunRefused: 2 problems with this run:\n  [a]\n  [b]"
    failed = run("FAILED", reason=reason, jobs=[training(), training()])
    assert print_scenario([failed, failed], [])[4:8] == [
        "what happened  FAILED, started 2 jobs",
        "               FAILED, started 2 jobs",
        "messages       [a]",
        "               [b]",
    ]


def result_of(scenario, is_met):
    return ScenarioResult(scenario, Evidence([run()], []), [Expectation("it ended", is_met)])


def test_the_overview_ends_with_the_scenarios_that_failed():
    results = [result_of(row, row.name not in {"worse-model", "two-stacks"}) for row in SCENARIOS]
    lines = printed(print_overview, results)
    assert len(lines) <= 23, "a terminal of 24 lines shows all scenarios"
    assert lines[:5] == [
        "",
        "All scenarios",
        "truncated-export  prevented",
        "wrong-header      prevented",
        "worse-model       NOT PREVENTED",
    ]
    assert lines[-1] == (
        f"{len(SCENARIOS) - 2} of {len(SCENARIOS)} scenarios ended as designed. NOT PREVENTED: "
        "worse-model, two-stacks"
    )


def test_without_a_failure_the_overview_ends_with_the_number():
    assert printed(print_overview, [result_of(WORSE_MODEL, True)]) == [
        "",
        "1 of 1 scenario ended as designed.",
    ]
