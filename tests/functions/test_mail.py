"""Tests of the text of a report, which people read on a phone and in the console of AWS."""

import re
import shlex
from pathlib import Path

import pytest

from functions.common.messages import as_message
from functions.common.truncation import count_json_bytes
from functions.report.mail import (
    MAX_CHAT_BYTES,
    MAX_REPORT_BYTES,
    format_report,
    format_subject,
)
from functions.report.send import is_repeated_failure, needs_person
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    NDCG,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    batch_result,
    campaign_result,
    configured,
    dataset_result,
    failed_training,
    finished,
    import_status,
    plan,
    planned_campaign,
    run,
    settings,
    solution_result,
    training_status,
)
from tests.functions.test_report import (
    START,
    recommender,
    refused_with,
    report,
    serving,
    skipped,
)

ROOT = Path(__file__).parents[2]
MACHINE = "--state-machine-arn arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
OLD = serving(OLD_VERSION)
NEW = serving(VERSION)
BAD = serving(VERSION, is_bad=True)


def sections(document=None, serves=None, **changes):
    """Return the sections of a text by their first line."""
    blocks = format_report(report(document, serves, **changes)).strip().split("\n\n")
    return {block.partition("\n")[0]: block.split("\n")[1:] for block in blocks}


def with_campaign(*result, trials=(), **changes):
    """Return the document of a run with one campaign with this result."""
    return with_campaigns(campaign_result(*result, **changes), trials=list(trials))


def with_campaigns(*results, **changes):
    return finished(solutions=[solution_result(campaigns=list(results))], **changes)


def without_report(error):
    """Return the document of a run that ended with an error, before it was planned."""
    return {**configured(), "error": {"Error": error, "Cause": "no cause given"}}


REFUSED = {**configured(), "error": refused_with("no file is there", START)}


def campaigns(count, *result, **changes):
    """Return the results of campaigns with numbered names."""
    names = [f"{CAMPAIGN}-{number}" for number in range(count)]
    planned = [planned_campaign(campaignArn=name) for name in names]
    return [campaign_result(*result, campaign=campaign, **changes) for campaign in planned]


FELL = "NDCG@10 fell from 0.4000 to 0.2000, by more than 25%"
DROPPED = {"metrics": [{"metric": NDCG, "new": 0.42, "served": 0.4, "hasDropped": True}]}
FAILED_PROBE = f"{VERSION} failed its probe: 0 results, fewer than minResults 5"
NOT_IMPORTED = dataset_result(
    status=import_status(outcome="FAILED", reasons=[as_message("no access")]), outcome="FAILED"
)
REJECTED = [campaign_result("REJECTED", FELL)]
WRITTEN = batch_result()
LIMITED = solution_result(
    version=training_status(outcome="SKIPPED", arn=None, isNew=False), campaigns=[]
)
NOT_WRITTEN = {"batchJob": "s3://out/", "status": None, "error": {"Error": "Late", "Cause": "lost"}}
TOO_LARGE = {"Error": "States.DataLimitExceeded", "Cause": "the result is too large"}
NOT_TRAINED = solution_result(version=failed_training("too few users"), campaigns=[])
TRIAL = skipped(None, trials=[campaign_result("ROLLED_BACK", FAILED_PROBE)])
PRICED = {
    "settings": settings(trainingHourPrice=0.25),
    "solutions": [
        solution_result(version=training_status(trainingHours=1.5), campaigns=campaigns(2))
    ],
    "imports": {"results": [dataset_result(status=import_status(bytes=2 * 10**9))]},
}
TWO_NEW, TWO_OLD = (
    [{**serves[0], "campaignArn": f"{CAMPAIGN}-{number}"} for number in range(2)]
    for serves in (NEW, OLD)
)
OUTCOMES = {
    "deployed": (finished(**PRICED), TWO_NEW),
    "first deployed": (with_campaign(previousVersionArn=None), NEW),
    "trained": (finished(solutions=[solution_result(campaigns=[])]), []),
    "trained and written": (
        finished(solutions=[solution_result(campaigns=[], batchJobs=[WRITTEN])]),
        [],
    ),
    "imported": (finished(solutions=[]), []),
    "imported and written": (
        finished(
            solutions=[
                solution_result(
                    version=training_status(isNew=False), campaigns=[], batchJobs=[WRITTEN]
                )
            ]
        ),
        OLD,
    ),
    "imported and skipped": (
        with_campaign("SKIPPED", "it is pinned"),
        OLD,
    ),
    "limited": (finished(solutions=[LIMITED]), []),
    "nothing done": (skipped("an older run is still running"), []),
    "skipped": (skipped("nothing is new; interactions: the export has not changed"), NEW),
    "skipped, but bad": (skipped("nothing is new"), BAD),
    "serving nothing": (skipped("no"), serving(None)),
    "not read": (skipped("no"), serving(None, is_known=False)),
    "pinned": (skipped("no"), serving(VERSION, pin="pinned since Monday by ops")),
    "on trial": (skipped("no"), serving(OLD_VERSION, on_trial=VERSION)),
    "approval": (with_campaign("AWAITING_APPROVAL", f"{VERSION} is waiting for approval"), OLD),
    "rejected": (
        with_campaigns(*campaigns(2, "REJECTED", FELL, **DROPPED), plan=plan(users=40)),
        TWO_OLD,
    ),
    "rolled back": (with_campaign("ROLLED_BACK", FAILED_PROBE), OLD),
    "trial": (TRIAL, OLD),
    "trial before the work": (
        with_campaign("ROLLED_BACK", "it was rolled back", trials=TRIAL["trials"]),
        OLD,
    ),
    "bad version": (with_campaign("FAILED", FAILED_PROBE, "no good version is known"), BAD),
    "update": (with_campaign("FAILED", "no capacity"), OLD),
    "unknown": (with_campaign("FAILED", "no answer"), serving(VERSION, on_trial=VERSION)),
    "import": (
        finished(imports={"results": [NOT_IMPORTED], "anyFailed": True}, solutions=[]),
        OLD,
    ),
    "training": (finished(solutions=[NOT_TRAINED]), OLD),
    "solution": (finished(solutions=[solution_result(error=TOO_LARGE)]), NEW),
    "batch job": (
        finished(solutions=[solution_result(campaigns=REJECTED, batchJobs=[NOT_WRITTEN])]),
        OLD,
    ),
    "several outcomes": (
        with_campaigns(
            campaign_result("AWAITING_APPROVAL", "it waits"),
            *campaigns(1, "REJECTED", FELL, **DROPPED),
        ),
        OLD,
    ),
    "refused": (REFUSED, OLD),
    "error": (without_report("Throttled"), OLD),
    "aborted": (without_report("ABORTED"), OLD),
    "stopped": (without_report("Stopped"), OLD),
}
"""What happened -> the document of the run, and what the campaign serves then."""
CALM = {
    "deployed",
    "first deployed",
    "trained",
    "trained and written",
    "imported",
    "imported and written",
    "imported and skipped",
    "limited",
    "nothing done",
    "skipped",
    "serving nothing",
    "not read",
    "pinned",
}
"""The outcomes that need no person."""


def test_golden_messages_about_each_outcome(golden):
    """The sections about the jobs are left out, but for the first message."""
    messages = []
    for name, outcome in OUTCOMES.items():
        found = report(*outcome)
        assert needs_person(found) == (name not in CALM)
        text = format_report(found).replace(MACHINE, "MACHINE").replace(EXECUTION, "EXECUTION")
        if name != "deployed":
            text = re.split(r"\n\n(?:Trainings|Data|Run)\b", text)[0].partition("\n")[2]
            text = re.sub(r"\nGuide: .*", "", text)
        messages.append(f"# {name}\n{format_subject(found)}\n{text.strip()}\n")
    golden("messages.txt", "\n".join(messages))


def test_no_line_of_a_message_is_there_twice():
    for outcome in OUTCOMES.values():
        text = format_report(report(*outcome))
        lines = [line for line in text.splitlines() if line]
        assert len(lines) == len(set(lines))


def test_a_trial_that_fails_again_is_no_news():
    failed = skipped(None, run=run(trigger="trials"), trials=[campaign_result("FAILED", "no")])
    on_trial = serving(VERSION, on_trial=VERSION)

    assert is_repeated_failure(report(failed, on_trial))
    assert not is_repeated_failure(report(failed, NEW)), "the trial has ended"
    assert not is_repeated_failure(report(TRIAL, on_trial)), "a run with other work"


def test_a_subject_has_fewer_than_100_printable_ascii_characters():
    odd = planned_campaign(campaignArn=f"{CAMPAIGN}-{'é' * 9}")
    rejected = [campaign_result("REJECTED", campaign=odd), *campaigns(9, "REJECTED")]
    subject = format_subject(report(with_campaigns(*rejected)))
    assert (len(subject), subject.isascii(), subject[-3:]) == (99, True, "...")
    assert "home-?????????, home-0, home-" in subject
    refused = report(REFUSED) | {"pipeline": "a\nb\x00"}

    assert format_subject(refused) == "FAILED a?b?: the run was refused"


def test_a_command_in_a_reason_names_the_pipeline():
    new = {"text": "nothing is new; start a run", "command": "retrain start --force"}
    aws = {"text": f"{CAMPAIGN} is odd", "command": f"aws x --campaign-arn {CAMPAIGN}"}
    lines = format_report(report() | {"reasons": [new, aws]}).splitlines()
    start = f"- nothing is new; start a run: `retrain start --force {MACHINE}`"
    assert start in lines, "without it, the command takes the stack dev"
    assert f"- home is odd: `aws x --campaign-arn {CAMPAIGN}`" in lines, "it can be pasted"
    stack = format_report(report() | {"reasons": [new]}, pipeline_options=["-s", "prod"])

    assert "- nothing is new; start a run: `retrain start --force -s prod`" in stack


def test_a_command_can_be_pasted_although_a_name_is_odd():
    odd = report(without_report("Throttled")) | {"executionArn": "a:execution:b; rm x:c"}
    lines = [line for line in format_report(odd).splitlines() if line.startswith("  retrain")]

    assert [shlex.split(line)[1] for line in lines] == ["doctor", "start"]
    assert shlex.split(lines[0])[2:] == ["--state-machine-arn", "a:stateMachine:b; rm x"]


def test_versions_without_a_command_are_counted():
    waiting = [
        campaign_result("AWAITING_APPROVAL", versionArn=f"{SOLUTION}/{number}")
        for number in range(12)
    ]
    lines = sections(with_campaigns(*waiting))["What to do"]

    assert len([line for line in lines if "--refuse" in line]) == 5
    assert lines[-2] == "and the same for 7 more, named below"


@pytest.mark.parametrize(
    "users, new, result, is_said",
    [
        (990, 0.2, ("REJECTED", FELL), True),
        (990, 0.1999, ("REJECTED", FELL), False),
        (1000, 0.2, ("REJECTED", FELL), False),
        (None, 0.2, ("REJECTED", FELL), False),
        (40, 0.2, ("REJECTED", "NDCG@10 has the value 0.3307, but the minimum is 0.9"), False),
        (40, 0.2, ("AWAITING_APPROVAL", "it waits"), False),
    ],
)
def test_a_small_drop_by_few_users_says_that_chance_decides(users, new, result, is_said):
    values = {"metric": "ndcg", "new": new, "served": 0.4, "hasDropped": FELL in result}
    rejected = with_campaign(*result, metrics=[values])
    lines = sections(rejected | {"plan": plan(users=users)})["Why"]

    assert ("chance decides" in lines[-1]) == is_said


@pytest.mark.parametrize(
    "baselines, is_said",
    [({}, True), ({"newBaseline": 0.01, "servedBaseline": 0.5, "hasBaselineDropped": True}, False)],
)
def test_only_a_rule_without_a_baseline_is_advised_to_have_one(baselines, is_said):
    values = {"metric": NDCG, "new": 0.2, "served": 0.4, "hasDropped": True, **baselines}
    lines = sections(with_campaign("REJECTED", FELL, metrics=[values]))["Why"]
    assert any("A rule with relativeTo can." in line for line in lines) == is_said


def test_each_reason_is_one_line_with_short_arns():
    reason = f'{VERSION} fell\r\n\n  What to do\n["{CAMPAIGN}"]'
    shown = 'taste/new fell What to do ["home"]'
    lines = sections(with_campaign("REJECTED", reason))["Why"]

    assert lines == [f"- campaign home: {shown}"]
    assert sections(with_campaign(warnings=[reason]))["Warnings"] == [f"- home: {shown}"]


@pytest.mark.parametrize(
    "version, line",
    [
        (training_status(isNew=False), "TRAINED, version new, trained before"),
        (failed_training("no", endedAt=None), "FAILED, version new"),
        (None, "FAILED"),
    ],
)
def test_a_solution_says_how_its_version_was_trained(version, line):
    result = solution_result(version=version, campaigns=[])
    shown = sections(solutions=[result])

    assert shown["Trainings"] == [f"- taste: {line}"]
    assert len(shown["Data and costs"]) == 1, "an import of some bytes has no price"


def test_characters_that_sns_refuses_or_that_turn_a_line_around_are_replaced():
    odd = "bell\x07 nul\x00 escape\x1b[31m turn\u202e half\ud83d \N{BRAIN} שלום"
    shown = "bell? nul? escape?[31m turn? half? \N{BRAIN} שלום"
    assert f"\nWhy\n- {shown}\n" in format_report(report(skipped(odd)))


@pytest.mark.parametrize("max_bytes", [MAX_CHAT_BYTES, MAX_REPORT_BYTES])
@pytest.mark.parametrize("reason", ["x" * 15_000, "\N{BRAIN} " * 9_000], ids=["ASCII", "emoji"])
def test_a_long_reason_is_cut_and_leaves_room_for_what_to_do(max_bytes, reason):
    refused = {**configured(), "error": refused_with(reason)}
    short = format_report(report(refused), max_bytes)

    assert count_json_bytes(short.rstrip("\n")) <= max_bytes
    assert f"\nWhy\n- {reason[:500].strip()}" in short
    assert f"\n  retrain start {MACHINE}\nGuide: " in short


@pytest.mark.parametrize(
    "recommenders, lines",
    [
        ([], None),
        (None, ["- not known, because they could not be listed"]),
        (
            [recommender(), recommender(status="STOP PENDING", ageDays=0.5, metrics={})],
            [
                "- best-sellers: ACTIVE, last updated 4 days ago, NDCG@10 0.0513",
                "- best-sellers: STOP PENDING, last updated 12 h ago",
            ],
        ),
    ],
    ids=["none", "not known", "two"],
)
def test_each_recommender_has_a_line(recommenders, lines):
    blocks = sections(skipped(None), [], recommenders=recommenders)
    assert blocks.get("Recommenders") == lines
