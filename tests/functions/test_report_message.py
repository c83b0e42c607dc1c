"""Tests of the message about a run, which people read on a phone."""

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from functions import report_advice
from functions.report import report_of
from functions.report_delivery import send_report
from functions.report_event import Sender, event_detail
from functions.report_message import message_of, needs_person
from functions.report_words import change, duration, listed, size
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    FOREIGN_VERSION,
    NDCG,
    NOW,
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
    planned_solution,
    run,
    solution_result,
    training_item,
)
from tests.world import PIPELINE

ROOT = Path(__file__).parents[2]
MACHINE = "--state-machine-arn arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
PAGE = f"console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{EXECUTION}"
NOTIFICATIONS = {"topicArn": "t", "on": "always", "dashboardUrl": "https://dashboard"}
SERVES_NEW = {CAMPAIGN: {"servedVersionArn": VERSION, "versionOnTrial": None}}
SERVES_OLD = {CAMPAIGN: {"servedVersionArn": OLD_VERSION, "versionOnTrial": None}}
ERROR = {"Error": "Throttled", "Cause": "too many requests"}


def detail_of(document, standings=SERVES_NEW, price=None):
    """Return the detail of the event about a run of two hours."""
    sender = Sender(PIPELINE, NOTIFICATIONS, price)
    report = report_of(document, standings)
    return event_detail(sender, document, report, standings, NOW + timedelta(hours=2, minutes=8))


def message_about(document, standings=SERVES_NEW, price=None):
    return message_of(detail_of(document, standings, price))


def paragraphs(message):
    """Return the sections of a message by their first line."""
    sections = message.body.strip().split("\n\n")
    return {section.partition("\n")[0]: section.split("\n")[1:] for section in sections}


def with_campaign(*result, **changes):
    """Return the document of a run with one campaign with this result."""
    return finished(solutions=[solution_result(campaigns=[campaign_result(*result, **changes)])])


REJECTED = with_campaign(
    "REJECTED",
    f"{NDCG} fell from 0.4 to 0.1, by more than 25%",
    metrics={NDCG: {"new": 0.1, "live": 0.4}},
)
ROLLED_BACK = with_campaign(
    "ROLLED_BACK", f"{VERSION} failed its probe: 0 results, fewer than minResults 5"
)
AWAITING = with_campaign("AWAITING_APPROVAL", f"{VERSION} waits")
FAILED_UPDATE = with_campaign("FAILED", "no capacity")
FAILED_IMPORT = finished(
    imports={
        "results": [
            dataset_result(
                item=import_item(outcome="FAILED", reasons=["no access"]), outcome="FAILED"
            )
        ],
        "anyFailed": True,
    },
    solutions=[],
)
FAILED_TRAINING = finished(
    solutions=[solution_result(version=failed_training("too few users"), campaigns=[])]
)


def refused(cause="2 problems:\n  limits: no"):
    return {**configured(), "run": run(), "error": {"Error": "RunRefused", "Cause": cause}}


def ended(error):
    """Return the document of an execution that ended without a report."""
    return {**configured(), "run": run(), "error": {"Error": error, "Cause": "no cause given"}}


def skipped(reason, **changes):
    document = finished(plan=plan(todo="NOTHING", reason=reason), **changes)
    del document["imports"], document["solutions"]
    return document


# The whole message


def test_the_message_about_a_good_run():
    version = training_item(trainingHours=1.5)
    trained = solution_result(version=version, campaigns=[campaign_result()])
    message = message_about(finished(solutions=[trained]), price=0.25)
    assert message.subject == f"DEPLOYED {PIPELINE}: 1 campaign serves a new version"
    assert message.body == (
        "DEPLOYED: 1 campaign serves a new version.\n"
        f"Pipeline {PIPELINE}\n"
        f"Run {RUN_ID} (schedule), 2 h 8 min\n"
        "\n"
        "What the campaigns serve now\n"
        "- home: new (new)\n"
        "\n"
        "taste: DEPLOYED\n"
        "Version new, trained (FULL) in 30 min, 1.5 training hours\n"
        "- home: DEPLOYED, old -> new, updated in 20 min\n"
        "  0.4 -> 0.42 (+5.0%)\n"
        f"  {NDCG}\n"
        "\n"
        "Data\n"
        "- interactions: 1 KB, written 2 h before the run, imported in 30 min\n"
        "\n"
        "Training hours: 1.5, about $0.38\n"
        "(Recipes of version 2 are priced by interactions instead.)\n"
        f"Execution: https://{PAGE}\n"
        "Dashboard: https://dashboard\n"
    )


def test_the_message_about_a_failed_run_begins_with_the_reason_the_step_and_the_way_out():
    message = message_about(FAILED_TRAINING, SERVES_OLD)
    assert message.subject == f"FAILED {PIPELINE}: the training of taste failed"
    assert message.body.startswith(
        "FAILED: the training of taste failed.\n"
        f"Pipeline {PIPELINE}\n"
        f"Run {RUN_ID} (schedule), 2 h 8 min\n"
        "\n"
        "Why\n"
        "- training of taste: too few users\n"
        "Step: Train solution (taste)\n"
        "\n"
        "What to do\n"
        "Solve the problem, and start a run. It uses everything that has succeeded:\n"
        f"  retrain start {MACHINE}\n"
        'Guide: docs/operations.md, section "A run failed"\n'
        "\n"
        "What the campaigns serve now\n"
        "- home: old\n"
    )


def test_the_attributes_are_for_the_filters_of_subscriptions():
    assert message_about(REJECTED, SERVES_OLD).attributes == {
        "pipeline": PIPELINE,
        "outcome": "REJECTED",
        "trigger": "schedule",
    }


# The subject

TWO_CAMPAIGNS = finished(
    solutions=[
        solution_result(
            campaigns=[
                campaign_result(),
                campaign_result(campaign=planned_campaign(campaignArn=f"{CAMPAIGN}-2")),
            ]
        )
    ]
)
TRIAL = finished(
    run=run(trigger="trials"),
    plan=plan(todo="NOTHING"),
    trials=[campaign_result()],
)
for key in ("imports", "solutions"):
    del TRIAL[key]

HEADLINES = {
    "deployed": (TWO_CAMPAIGNS, "DEPLOYED {}: 2 campaigns serve a new version"),
    "trained": (
        finished(solutions=[solution_result(campaigns=[])]),
        "TRAINED {}: 1 new version without a campaign",
    ),
    "approval": (AWAITING, "AWAITING_APPROVAL {}: a new version for home needs your approval"),
    "rejected": (REJECTED, "REJECTED {}: home keeps its version"),
    "rolled back": (ROLLED_BACK, "ROLLED_BACK {}: home moved back to the good version"),
    "rolled back before planning": (
        skipped("nothing is new")
        | {"plan": plan(todo="NOTHING", reason="no", worstTrial="ROLLED_BACK")},
        "ROLLED_BACK {}: a campaign moved back to the good version",
    ),
    "skipped": (skipped("nothing is new"), "SKIPPED {}: there was nothing to deploy"),
    "trial": (TRIAL, "DEPLOYED {}: 1 campaign serves a new version"),
    "import": (FAILED_IMPORT, "FAILED {}: the import of interactions failed"),
    "update": (FAILED_UPDATE, "FAILED {}: the update of home failed"),
    "refused": (refused(), "FAILED {}: the run was refused"),
    "planning": (
        {**configured(), "run": run(), "error": ERROR},
        "FAILED {}: the run failed at Plan retraining",
    ),
    "aborted": (ended("ABORTED"), "FAILED {}: the execution was stopped"),
    "timed out": (ended("TIMED_OUT"), "FAILED {}: the execution took too long"),
    "runtime error": (ended("FAILED"), "FAILED {}: the run failed"),
    "deleted": (ended("ExecutionDoesNotExist"), "FAILED {}: the state machine was deleted"),
}


@pytest.mark.parametrize(("document", "subject"), HEADLINES.values(), ids=HEADLINES)
def test_the_subject_has_the_outcome_the_pipeline_and_the_most_important_fact(document, subject):
    standings = {} if "DEPLOYED" in subject else SERVES_OLD
    assert message_about(document, standings).subject == subject.format(PIPELINE)


def test_a_subject_has_fewer_than_100_printable_ascii_characters():
    campaigns = [
        campaign_result(
            "REJECTED", campaign=planned_campaign(campaignArn=f"{CAMPAIGN}-{'é' * 40}-{number}")
        )
        for number in range(9)
    ]
    subject = message_about(finished(solutions=[solution_result(campaigns=campaigns)])).subject
    assert (len(subject), subject.isascii(), subject[-3:]) == (99, True, "...")
    assert "home-?????" in subject
    line = detail_of(ended("FAILED")) | {"pipeline": "a\nb\x00"}
    assert message_of(line).subject == "FAILED a?b?: the run failed"


def test_four_names_are_counted():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


# What to do

ADVICE = {
    "import": (FAILED_IMPORT, [f"  retrain start {MACHINE}"], "A run failed"),
    "update": (
        FAILED_UPDATE,
        [
            f"  retrain start {MACHINE}",
            f"  retrain rollback --campaign home {MACHINE}",
        ],
        "A run failed",
    ),
    "refused": (refused(), [f"  retrain start {MACHINE}"], "A run failed"),
    "aborted": (
        ended("ABORTED"),
        [f"  retrain start {MACHINE}"],
        "No report",
    ),
    "trial": (
        {**ended("FAILED"), "run": run(trigger="trials")},
        [f"  retrain history {MACHINE}"],
        "No report",
    ),
    "deployment of an approved version": (
        FAILED_UPDATE | {"run": run(trigger="deployments")},
        [
            f"  retrain start {MACHINE}",
            f"  retrain rollback --campaign home {MACHINE}",
        ],
        "A run failed",
    ),
    "deleted": (ended("ExecutionDoesNotExist"), [f"  retrain start {MACHINE}"], "No report"),
    "rolled back": (
        ROLLED_BACK,
        [f"  retrain history --version {VERSION} {MACHINE}"],
        "The probe",
    ),
    "rolled back before planning": (
        skipped("no") | {"plan": plan(todo="NOTHING", reason="no", worstTrial="ROLLED_BACK")},
        [f"  retrain history {MACHINE}"],
        "The probe",
    ),
    "rejected": (
        REJECTED,
        [f"  retrain history --version {VERSION} {MACHINE}"],
        "The quality gate",
    ),
    "approval": (
        AWAITING,
        [f"  retrain approve {VERSION} {MACHINE}", f"  retrain reject {VERSION} {MACHINE}"],
        "Approve a version",
    ),
}


@pytest.mark.parametrize(("document", "commands", "section"), ADVICE.values(), ids=ADVICE)
def test_a_problem_has_commands_to_paste_and_a_section_of_the_guide(document, commands, section):
    lines = paragraphs(message_about(document, SERVES_OLD))["What to do"]
    assert [line for line in lines if line.startswith("  ")] == commands
    assert lines[-1] == f'Guide: docs/operations.md, section "{section}"'
    guide = (ROOT / "docs" / "operations.md").read_text()
    assert f"\n## {section}\n" in guide


def test_a_version_waits_for_an_approval_also_if_another_campaign_failed():
    waiting, failed = AWAITING["solutions"][0], FAILED_UPDATE["solutions"][0]
    campaigns = [*failed["campaigns"], *waiting["campaigns"]]
    document = finished(solutions=[waiting | {"campaigns": campaigns, "outcome": "FAILED"}])
    lines = paragraphs(message_about(document, SERVES_OLD))["What to do"]
    assert f"  retrain approve {VERSION} {MACHINE}" in lines
    assert 'Guide: docs/operations.md, section "A run failed"' in lines


def test_a_refused_run_of_a_ready_marker_comes_again_with_the_marker():
    error = {"Error": "RunRefused", "Cause": "the ready marker is too old"}
    detail = detail_of(finished(error=error)) | {"trigger": "export"}
    assert paragraphs(message_of(detail))["What to do"] == [
        (
            "Nothing was imported or trained. Correct what the reason names, and write the ready "
            "marker again, which starts a run."
        ),
        'Guide: docs/operations.md, section "A run failed"',
    ], "a command would import the exports of another day"


def test_a_command_can_be_pasted_although_a_name_is_odd():
    odd = detail_of(FAILED_IMPORT) | {"stateMachineArn": "a b; rm x"}
    (line,) = [line for line in message_of(odd).body.splitlines() if line.startswith("  retrain")]
    assert shlex.split(line) == ["retrain", "start", "--state-machine-arn", "a b; rm x"]


@pytest.mark.parametrize("document", [finished(), skipped("nothing is new")])
def test_without_a_problem_there_is_nothing_to_do(document):
    assert "What to do" not in paragraphs(message_about(document))


def test_a_skipped_run_says_why():
    assert paragraphs(message_about(skipped("nothing is new")))["Why"] == ["nothing is new"]


def test_a_long_reason_is_cut():
    (why,) = paragraphs(message_about(refused("x" * 15_000)))["Why"][:1]
    assert re.fullmatch(r"RunRefused: x+… \(cut, [\d,]+ characters\)", why)
    assert len(why) < 4_100


# The parts


def test_arns_of_personalize_are_short_outside_of_commands():
    document = with_campaign(warnings=[f"{VERSION} is odd"])
    assert paragraphs(message_about(document))["Warnings"] == [
        "- campaign/home: solution/taste/new is odd"
    ]


@pytest.mark.parametrize(
    ("standings", "line"),
    [
        (SERVES_NEW, "- home: new (new)"),
        ({CAMPAIGN: {"servedVersionArn": None, "versionOnTrial": None}}, "- home: nothing"),
        (
            {CAMPAIGN: {"servedVersionArn": OLD_VERSION, "versionOnTrial": VERSION}},
            "- home: old; new is still on trial",
        ),
        ({}, "- home: not known, because it could not be read"),
    ],
)
def test_the_message_says_what_a_campaign_serves_now(standings, line):
    lines = paragraphs(message_about(finished(), standings))["What the campaigns serve now"]
    assert lines == [line]


def test_a_version_that_existed_before_was_not_trained():
    earlier = training_item(isOfRun=False)
    message = message_about(finished(solutions=[solution_result(version=earlier)]))
    assert paragraphs(message)["taste: DEPLOYED"][0] == "Version new, which existed before"
    assert "Training hours" not in message.body


def test_a_training_without_success_has_its_duration_if_it_ended():
    def line(version):
        document = finished(solutions=[solution_result(version=version, campaigns=[])])
        return paragraphs(message_about(document))["taste: FAILED"]

    failed = failed_training("no")
    assert line(failed) == ["Version new, training (FULL) without success after 30 min"]
    overdue = failed_training("no", endedAt=None)
    assert line(overdue) == ["Version new, training (FULL) without success"]
    assert line(None) == []


def test_a_training_whose_hours_are_not_known_has_none():
    lines = paragraphs(message_about(finished()))["taste: DEPLOYED"]
    assert lines[0] == "Version new, trained (FULL) in 30 min"


def test_the_same_metrics_of_two_campaigns_are_shown_once():
    lines = paragraphs(message_about(TWO_CAMPAIGNS))["taste: DEPLOYED"]
    assert lines == [
        "Version new, trained (FULL) in 30 min",
        "- home: DEPLOYED, old -> new, updated in 20 min",
        "  0.4 -> 0.42 (+5.0%)",
        f"  {NDCG}",
        "- home-2: DEPLOYED, updated in 20 min",
    ]


def test_a_metric_without_a_value_has_no_change():
    metrics = {NDCG: {"new": 0.42, "live": None}}
    lines = paragraphs(message_about(with_campaign(metrics=metrics)))["taste: DEPLOYED"]
    assert lines[-2:] == ["  none -> 0.42", f"  {NDCG}"]


def test_a_campaign_that_keeps_its_version_shows_it_once():
    lines = paragraphs(message_about(REJECTED, SERVES_OLD))["taste: REJECTED"]
    assert lines[1] == "- home: REJECTED, serves old"


def test_a_campaign_that_somebody_has_moved_shows_both_versions():
    moved = {CAMPAIGN: {"servedVersionArn": FOREIGN_VERSION, "versionOnTrial": None}}
    lines = paragraphs(message_about(with_campaign(), moved))["taste: SKIPPED"]
    assert lines[1] == "- home: SKIPPED, old -> foreign"


def test_a_trial_of_an_earlier_run_has_a_line():
    assert paragraphs(message_about(TRIAL))["Trials of earlier runs"] == [
        "- home: DEPLOYED, old -> new, updated in 20 min"
    ]


def test_a_failed_import_has_no_duration():
    (line,) = paragraphs(message_about(FAILED_IMPORT))["Data"]
    assert line == "- interactions: FAILED, 1 KB, written 2 h before the run"


def test_the_message_of_a_run_without_imports_says_that_nothing_was_imported():
    document = finished(imports={"results": [], "anyFailed": False})
    assert paragraphs(message_about(document))["Data"] == ["- nothing was imported"]


def test_without_a_price_there_are_only_hours():
    trained = solution_result(version=training_item(trainingHours=1.5))
    message = message_about(finished(solutions=[trained]))
    assert "\nTraining hours: 1.5\nExecution:" in message.body


def test_a_message_about_too_many_parts_keeps_its_beginning_and_its_links():
    metrics = {f"metric_{number}": {"new": 0.1, "live": 0.2} for number in range(20)}
    solutions = [solution_result(campaigns=[campaign_result(metrics=metrics)])] * 60
    message = message_about(finished(solutions=solutions))
    assert len(message.body.encode()) < 60_000
    assert re.search(r"\n\n… and \d+ more parts; the execution has the whole", message.body)
    assert message.body.endswith(f"Execution: https://{PAGE}\nDashboard: https://dashboard\n")


def test_chat_applications_get_the_message_in_their_form():
    message = message_about(finished())
    bodies = json.loads(message.by_protocol())
    assert bodies.keys() == {"default", "https"}
    assert bodies["default"] == message.body
    assert json.loads(bodies["https"]) == {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": message.subject,
            "description": message.body,
        },
    }


def large_run(outcome, text):
    """Return a run of 10 solutions with 5 campaigns each, with long names, texts and metrics."""
    solutions = []
    for number in range(10):
        solution = SOLUTION.replace("taste", f"s{number}".ljust(63, "x"))
        campaigns = [
            campaign_result(
                outcome,
                text,
                campaign=planned_campaign(
                    campaignArn=CAMPAIGN.replace("home", f"c{number}-{place}".ljust(63, "y"))
                ),
                metrics={f"metric_{count}": {"new": 0.1, "live": 0.4} for count in range(20)},
                warnings=[text],
                previousVersionArn=f"{solution}/old",
                error={"Error": "E", "Cause": text},
            )
            for place in range(5)
        ]
        planned = planned_solution(solutionArn=solution)
        version = training_item(arn=f"{solution}/{'n' * 12}", warnings=[text])
        solutions.append(solution_result(solution=planned, version=version, campaigns=campaigns))
    return finished(solutions=solutions)


@pytest.mark.parametrize("outcome", ["FAILED", "ROLLED_BACK", "REJECTED", "AWAITING_APPROVAL"])
@pytest.mark.parametrize("text", ["x" * 490, "\N{BRAIN} " * 40], ids=["ASCII", "emoji"])
def test_the_details_of_a_large_run_are_cut_but_not_its_reason_and_advice(outcome, text):
    message = message_about(large_run(outcome, text), {})
    assert len(message.by_protocol()) < 60_000, "SNS allows 256 KB"
    assert len(message.chat) <= 8_000, "chat applications show no longer text"
    full, chat = (dict.fromkeys(body.split("\n\n")) for body in (message.body, message.chat))
    (why,) = [section for section in full if section.startswith("Why\n")]
    (advice,) = [section for section in full if section.startswith("What to do\n")]
    assert advice in chat, "nothing of the advice is cut"
    short_why = next(section for section in chat if section.startswith("Why\n"))
    assert why.startswith(short_why[:1_000]), "the reason is there"
    assert list(chat)[-1] == list(full)[-1], "the links are there"


def test_the_longest_reason_leaves_room_for_the_advice_in_a_chat_application():
    message = message_about(refused("x" * 15_000))
    assert json.loads(json.loads(message.by_protocol())["https"])["content"]["description"] == (
        message.chat
    )
    assert 4_000 < len(message.chat) < 8_000
    assert "\nRunRefused: xxx" in message.chat
    assert f"\n  retrain start {MACHINE}\nGuide: " in message.chat


def test_versions_without_a_command_are_counted():
    lines = paragraphs(message_about(large_run("AWAITING_APPROVAL", "waits"), {}))["What to do"]
    assert len([line for line in lines if "retrain approve" in line]) == 5
    assert lines[-2] == "and the same for 5 versions more, named below"


def test_characters_that_sns_refuses_or_that_turn_a_line_around_are_replaced(inbox):
    text = "tab\tbell\x07 nul\x00 escape\x1b[31m turn\u202e half\ud83d \N{BRAIN} שלום\r\nend"
    document = refused(text)
    message = message_about(document)
    shown = "RunRefused: tab\tbell? nul? escape?[31m turn? half? \N{BRAIN} שלום\nend"
    assert f"\nWhy\n{shown}\n" in message.body
    assert f"\nWhy\n{shown}\n" in message.chat
    send_report("close_run", Sender(PIPELINE, NOTIFICATIONS), document, report_of(document))
    assert (len(inbox.messages), len(inbox.details)) == (1, 1)


def test_a_failure_of_several_lines_does_not_look_like_a_section():
    version = failed_training("no\n\nWhat to do\nretrain everything")
    document = finished(solutions=[solution_result(version=version, campaigns=[])])
    message = message_about(document, SERVES_OLD)
    assert paragraphs(message)["Why"][0] == "- training of taste: no What to do retrain everything"
    assert message.body.count("\nWhat to do\n") == 1


def test_many_failures_are_counted():
    failed = campaign_result("FAILED", error={"Error": "E", "Cause": "é" * 400})
    campaigns = [
        {**failed, "campaign": planned_campaign(campaignArn=f"{CAMPAIGN}-{number}")}
        for number in range(200)
    ]
    message = message_about(finished(solutions=[solution_result(campaigns=campaigns)]))
    why = paragraphs(message)["Why"]
    assert re.fullmatch(r"- … and \d+ more", why[-2])
    assert why[-1] == "Step: Deploy version (home-0)"
    advice = paragraphs(message)["What to do"]
    assert len([line for line in advice if "retrain rollback" in line]) == 5
    assert len(message.by_protocol()) < 100_000


# Who has to look


@pytest.mark.parametrize("document", [FAILED_IMPORT, ROLLED_BACK, REJECTED, AWAITING])
def test_a_problem_needs_a_person(document):
    assert needs_person(detail_of(document, SERVES_OLD))


@pytest.mark.parametrize("document", [finished(), skipped("nothing is new")])
def test_a_good_run_needs_nobody(document):
    assert not needs_person(detail_of(document))


def test_a_version_that_is_still_on_trial_needs_a_person():
    on_trial = {CAMPAIGN: {"servedVersionArn": VERSION, "versionOnTrial": VERSION}}
    assert needs_person(detail_of(skipped("nothing is new"), on_trial))


# Words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3560, "59 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (7680, "2 h 8 min"),
        (172_740, "47 h 59 min"),
        (172_799, "2 days"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_is_short(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (1_234_567, "1.23 MB"),
        (10**16, "1e+04 TB"),
    ],
)
def test_a_size_has_a_unit(count, text):
    assert size(count) == text


def test_a_change_has_a_sign():
    assert (change(0.05), change(-0.928), change(0)) == ("+5.0%", "-92.8%", "+0.0%")


def test_the_advice_knows_the_reasons_that_the_functions_give():
    errors = (ROOT / "functions" / "errors.py").read_text()
    assert f"class {report_advice.REFUSED}(" in errors
    assert (
        f'"Error": "{report_advice.DELETED}"' in (ROOT / "functions" / "close_run.py").read_text()
    )
