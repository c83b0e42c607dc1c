"""Tests of the text of a report, which people read on a phone and in the console of AWS."""

import re
import shlex
from pathlib import Path

import pytest

from functions.report.model import with_trials
from functions.report.send import needs_person
from functions.report.text import (
    MAX_CHAT_BYTES,
    MAX_TEXT_BYTES,
    subject_of,
    text_of,
)
from functions.texts import json_bytes
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    NDCG,
    OLD_VERSION,
    RUN_ID,
    SOLUTION,
    VERSION,
    campaign_result,
    configured,
    dataset_result,
    failed_training,
    finished,
    import_item,
    plan,
    planned_campaign,
    settings,
    solution_result,
    training_item,
)
from tests.functions.test_report import report, serving, skipped
from tests.world import PIPELINE

ROOT = Path(__file__).parents[2]
MACHINE = "--state-machine-arn arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
PAGE = f"console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{EXECUTION}"


def text(document=None, serves=None, **changes):
    return text_of(report(document, serves, **changes))


def sections(document=None, serves=None, **changes):
    """Return the sections of a text by their first line."""
    blocks = text(document, serves, **changes).strip().split("\n\n")
    return {block.partition("\n")[0]: block.split("\n")[1:] for block in blocks}


def with_campaign(*result, **changes):
    """Return the document of a run with one campaign with this result."""
    return finished(solutions=[solution_result(campaigns=[campaign_result(*result, **changes)])])


def without_report(error):
    """Return the document of a run that ended with an error, before it was planned."""
    return {**configured(), "error": {"Error": error, "Cause": "no cause given"}}


NOT_IMPORTED = dataset_result(
    item=import_item(outcome="FAILED", reasons=["no access"]), outcome="FAILED"
)
NOT_TRAINED = solution_result(version=failed_training("too few users"), campaigns=[])
TWO_CAMPAIGNS = finished(
    solutions=[
        solution_result(
            campaigns=[
                campaign_result(campaign=planned_campaign(campaignArn=f"{CAMPAIGN}-{number}"))
                for number in range(2)
            ]
        )
    ]
)
TRIAL = skipped(None, trials=[campaign_result("ROLLED_BACK", "0 results")])


# The whole text


def test_the_text_about_a_good_run():
    version = training_item(trainingHours=1.5)
    trained = solution_result(version=version, campaigns=[campaign_result()])
    assert text(settings=settings(trainingHourPrice=0.25), solutions=[trained]) == (
        "DEPLOYED: the new version for home is in use.\n"
        f"Pipeline {PIPELINE}\n"
        f"Run {RUN_ID} (schedule), 2 h\n"
        f"Execution: https://{PAGE}\n"
        "Dashboard: https://dashboard\n"
        "\n"
        "What the campaigns serve now\n"
        "- home: new\n"
        "\n"
        "taste: DEPLOYED\n"
        "- version new, FULL training of 30 min, 1.5 training hours\n"
        "- home: DEPLOYED, old -> new, update of 20 min\n"
        "  NDCG@10: 0.4000 → 0.4200 (+5.0%)\n"
        "\n"
        "Data and costs\n"
        "- interactions: IMPORTED, 1 KB, written 2 h before the run, import job of 30 min\n"
        "- training hours: 1.5, about $0.38 (not for recipes of version 2)\n"
    )


def test_the_text_about_a_failed_run_begins_with_the_reason_and_what_to_do():
    failed = text(solutions=[NOT_TRAINED], serves=serving(OLD_VERSION))
    assert failed.startswith("FAILED: training of taste failed.\n")
    assert (
        "\nDashboard: https://dashboard\n"
        "\n"
        "Why\n"
        "- training of taste: too few users\n"
        "\n"
        "What to do\n"
        "Solve the problem, and start a run. It uses everything that has succeeded:\n"
        f"  retrain start {MACHINE}\n"
        'Guide: docs/operations.md, section "A run failed"\n'
        "\n"
        "What the campaigns serve now\n"
        "- home: old\n"
    ) in failed


# Each outcome: the subject, the commands and the section of the guide

START, HISTORY = f"  retrain start {MACHINE}", f"  retrain history --version {VERSION} {MACHINE}"
OUTCOMES = {
    "deployed": (
        TWO_CAMPAIGNS,
        "DEPLOYED {}: the new version for home-0, home-1 is in use",
        [],
        [],
    ),
    "trained": (
        finished(solutions=[solution_result(campaigns=[])]),
        *("TRAINED {}: there is a new version without a campaign", [], []),
    ),
    "skipped": (skipped("nothing is new"), "SKIPPED {}: nothing was deployed", [], []),
    "approval": (
        with_campaign("AWAITING_APPROVAL", "it waits"),
        "AWAITING_APPROVAL {}: the new version for home needs your approval",
        [
            f"  retrain approve {VERSION} {MACHINE}",
            f"  retrain approve --reject {VERSION} {MACHINE}",
        ],
        ["Approve a version"],
    ),
    "rejected": (
        finished(
            solutions=[solution_result(campaigns=[campaign_result("REJECTED", "it fell")] * 2)]
        ),
        "REJECTED {}: the new version for home, home was rejected",
        *([HISTORY], ["The quality gate"]),
    ),
    "rolled back": (
        with_campaign("ROLLED_BACK", "0 results"),
        "ROLLED_BACK {}: the new version for home was taken back",
        *([HISTORY], ["The probe"]),
    ),
    "trial": (
        TRIAL,
        "ROLLED_BACK {}: the new version for home was taken back",
        *([HISTORY], ["The probe"]),
    ),
    "trial before the work": (
        finished(plan=with_trials(plan(), TRIAL["trials"])),
        *("ROLLED_BACK {}: the new version for a campaign was taken back", [], []),
    ),
    "failed trial": (
        skipped("nothing is new", trials=[campaign_result("FAILED", "no answer")]),
        "FAILED {}: campaign home failed",
        [START, f"  retrain rollback --campaign {CAMPAIGN} {MACHINE}"],
        ["A run failed", "Roll back a campaign"],
    ),
    "import": (
        finished(imports={"results": [NOT_IMPORTED], "anyFailed": True}, solutions=[]),
        *("FAILED {}: import of interactions failed", [START], ["A run failed"]),
    ),
    "training": (
        finished(solutions=[NOT_TRAINED]),
        *("FAILED {}: training of taste failed", [START], ["A run failed"]),
    ),
    "update": (
        with_campaign("FAILED", "no capacity"),
        "FAILED {}: campaign home failed",
        [START, f"  retrain rollback --campaign {CAMPAIGN} {MACHINE}"],
        ["A run failed", "Roll back a campaign"],
    ),
    "several outcomes": (
        finished(
            solutions=[
                solution_result(
                    campaigns=[
                        campaign_result("AWAITING_APPROVAL", "it waits"),
                        campaign_result("REJECTED", "it fell"),
                    ]
                )
            ]
        ),
        "REJECTED {}: the new version for home was rejected",
        [
            HISTORY,
            f"  retrain approve {VERSION} {MACHINE}",
            f"  retrain approve --reject {VERSION} {MACHINE}",
        ],
        ["The quality gate", "Approve a version"],
    ),
    "refused": (
        without_report("RunRefused"),
        *("FAILED {}: the run was refused", [START], ["A run failed"]),
    ),
    "error": (
        without_report("Throttled"),
        *("FAILED {}: the run ended with Throttled", [START], ["A run failed"]),
    ),
    "aborted": (
        without_report("ABORTED"),
        *("FAILED {}: the execution was stopped", [START], ["No report"]),
    ),
    "timed out": (
        without_report("TIMED_OUT"),
        *("FAILED {}: the execution took too long", [START], ["No report"]),
    ),
    "runtime error": (
        without_report("FAILED"),
        *("FAILED {}: the run ended with FAILED", [START], ["A run failed"]),
    ),
}


@pytest.mark.parametrize(
    ("document", "subject", "commands", "guides"), OUTCOMES.values(), ids=OUTCOMES
)
def test_each_outcome_has_a_subject_and_says_what_to_do(document, subject, commands, guides):
    found = report(document, serving(None, is_known=False))
    assert subject_of(found) == subject.format(PIPELINE)
    lines = sections(document, serves=serving(None, is_known=False)).get("What to do", [])
    assert [line for line in lines if line.startswith("  ")] == commands
    assert re.findall(r'section "(.*)"', "\n".join(lines)) == guides
    guide = (ROOT / "docs" / "operations.md").read_text()
    assert all(f"\n## {section}\n" in guide for section in guides)
    assert needs_person(found) == (found["outcome"] not in ("DEPLOYED", "TRAINED", "SKIPPED"))


def test_a_version_that_is_still_on_trial_needs_a_person():
    assert needs_person(report(skipped("nothing is new"), serving(VERSION, on_trial=VERSION)))


def test_a_subject_has_fewer_than_100_printable_ascii_characters():
    campaigns = [
        campaign_result(
            "REJECTED", campaign=planned_campaign(campaignArn=f"{CAMPAIGN}-{'é' * 9}-{number}")
        )
        for number in range(9)
    ]
    subject = subject_of(report(solutions=[solution_result(campaigns=campaigns)]))
    assert (len(subject), subject.isascii(), subject[-3:]) == (99, True, "...")
    assert "home-?????????-0, home-" in subject
    refused = report(without_report("RunRefused")) | {"pipeline": "a\nb\x00"}
    assert subject_of(refused) == "FAILED a?b?: the run was refused"


def test_a_headline_counts_the_campaigns_that_it_does_not_name():
    (solution,) = TWO_CAMPAIGNS["solutions"]
    document = finished(solutions=[solution | {"campaigns": solution["campaigns"] * 3}])
    assert text(document, serves=[]).startswith(
        "DEPLOYED: the new version for home-0, home-1, home-0 and 3 more is in use.\n"
    )


def test_a_command_can_be_pasted_although_a_name_is_odd():
    odd = report(without_report("Throttled")) | {"executionArn": "a:execution:b; rm x:c"}
    (line,) = [line for line in text_of(odd).splitlines() if line.startswith("  retrain")]
    assert shlex.split(line) == [
        "retrain",
        "start",
        "--state-machine-arn",
        "a:stateMachine:b; rm x",
    ]


def test_versions_without_a_command_are_counted():
    campaigns = [
        campaign_result("AWAITING_APPROVAL", versionArn=f"{SOLUTION}/{number}")
        for number in range(12)
    ]
    lines = sections(solutions=[solution_result(campaigns=campaigns)])["What to do"]
    assert len([line for line in lines if "retrain approve arn" in line]) == 5
    assert lines[-2] == "and the same for 7 more, named below"


# The sections


def test_a_run_that_was_skipped_or_refused_says_why():
    assert sections(skipped("nothing is new"))["Why"] == ["nothing is new"]
    assert sections(without_report("RunRefused"))["Why"] == ["RunRefused: no cause given"]


def test_each_reason_is_one_line_with_short_arns():
    reason = f"{VERSION} fell\r\n\n  What to do\nretrain"
    lines = sections(with_campaign("REJECTED", reason))["Why"]
    assert lines == ["- campaign home: solution/taste/new fell What to do retrain"]
    assert sections(with_campaign(warnings=[reason]))["Warnings"] == [
        "- campaign/home: solution/taste/new fell What to do retrain"
    ]


@pytest.mark.parametrize(
    ("serves", "line"),
    [
        (serving(VERSION), "- home: new"),
        (serving(None), "- home: nothing"),
        (serving(OLD_VERSION, on_trial=VERSION), "- home: old; new is still on trial"),
        (serving(None, is_known=False), "- home: not known, because it could not be read"),
    ],
)
def test_the_text_says_what_a_campaign_serves_now(serves, line):
    assert sections(serves=serves)["What the campaigns serve now"] == [line]


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        (training_item(isOfRun=False), ["- version new, trained before"]),
        (failed_training("no"), ["- version new, FULL training of 30 min"]),
        (failed_training("no", endedAt=None), ["- version new"]),
        (None, []),
    ],
    ids=["existed before", "failed", "not ended", "no version"],
)
def test_a_solution_says_how_its_version_was_trained(version, lines):
    result = solution_result(version=version, campaigns=[])
    found = sections(solutions=[result])
    assert found[f"taste: {report(solutions=[result])['outcome']}"] == lines


def test_a_metric_without_a_value_has_no_change():
    metrics = {NDCG: {"new": 0.42, "live": None}}
    lines = sections(with_campaign(metrics=metrics))["taste: DEPLOYED"]
    assert lines[-1] == "  NDCG@10: none → 0.4200"


def test_a_trial_of_an_earlier_run_has_a_line():
    lines = sections(TRIAL, serving(OLD_VERSION))["Trials of earlier runs"]
    assert lines[0] == "- home: ROLLED_BACK, update of 20 min"


def test_characters_that_sns_refuses_or_that_turn_a_line_around_are_replaced():
    odd = "tab\tbell\x07 nul\x00 escape\x1b[31m turn\u202e half\ud83d \N{BRAIN} שלום\r\nend"
    shown = "tab\tbell? nul? escape?[31m turn? half? \N{BRAIN} שלום\nend"
    assert f"\nWhy\n{shown}\n" in text(skipped(odd))


# The size


@pytest.mark.parametrize("max_bytes", [MAX_CHAT_BYTES, MAX_TEXT_BYTES])
@pytest.mark.parametrize("reason", ["x" * 15_000, "\N{BRAIN} " * 9_000], ids=["ASCII", "emoji"])
def test_a_long_reason_is_cut_and_leaves_room_for_what_to_do(max_bytes, reason):
    error = {"Error": "RunRefused", "Cause": reason}
    short = text_of(report({**configured(), "error": error}), max_bytes)
    assert json_bytes(short.rstrip("\n")) <= max_bytes
    assert f"\nWhy\nRunRefused: {reason[:500].strip()}" in short
    assert f"\n  retrain start {MACHINE}\nGuide: " in short
