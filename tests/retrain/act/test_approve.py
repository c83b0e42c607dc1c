"""Proves which version takes an answer, and that an approval deploys it and a refusal does not."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from components.args import ApprovalArgs
from functions.personalize.approvals import parse_approval
from functions.personalize.tags import (
    BLOCKED_VERSION_TAG,
    GOOD_VERSION_TAG,
    PIN_TAG,
    read_tags,
    write_tags,
)
from tests.retrain.in_process import CALLER, account
from tests.workflow import test_baselines as baselines
from tests.workflow.pipeline import NEXT_SLOT
from tests.workflow.summaries import DEPLOYED, outcomes
from tests.world import HOUR, MOVIES, campaign_arn, solution, solution_arn

APPROVAL = ApprovalArgs(timeout_hours=24)
ASKING = MOVIES.with_solutions(solution(approval=APPROVAL))
TWO = MOVIES.with_solutions(
    solution(approval=APPROVAL), solution("series", campaigns=["tv"], approval=APPROVAL)
)


def newest(prod, name="taste"):
    return prod.pipeline.versions(name)[-1]


def approval(prod):
    return parse_approval(read_tags(prod.pipeline.client, newest(prod)))


def short(arn):
    return arn.partition(":solution/")[2]


def test_golden_an_approved_version_is_deployed(golden):
    with account(ASKING) as prod:
        before = prod.transcript("approve --yes")
        prod.pipeline.run()
        golden("approve.txt", before + prod.transcript("approve", "approve --yes"))
        assert (approval(prod).status, approval(prod).answered_by) == ("APPROVED", CALLER)

        (execution,) = prod.pipeline.executions("20261129")
        assert outcomes(execution.wait()) == DEPLOYED


def test_what_speaks_against_an_approval_is_a_warning_before_the_question():
    with account(ASKING, durations={"data-deletion-job": HOUR}) as prod:
        prod.pipeline.run()
        prod.pipeline.delete_users("u1")
        prod.pipeline.sleep(HOUR)
        prod.pipeline.start(scheduledTime=NEXT_SLOT)
        asked = prod.retrain("approve").err
        refused = prod.retrain("approve --refuse --yes").err

    assert "warning: it may still know the users whom forget deleted until 2026-11-29 " in asked
    assert "is under way; the deployment waits for its end" in asked
    assert "warning" not in refused


def test_a_refused_version_takes_no_other_answer():
    with account(ASKING) as prod:
        prod.pipeline.run()
        version = short(newest(prod))
        result = prod.retrain("approve --refuse --yes")
        assert approval(prod).status == "REFUSED"
        again = prod.retrain("approve --yes")
    kept = "the campaigns keep the versions that they serve"
    assert (result.code, result.out) == (0, f"{version} is refused; {kept}\n")

    reason = (
        f"no version is waiting for approval; {version}: it was refused by {CALLER} at 2026-11-29 "
    )
    assert (again.code, again.err[: len(reason)]) == (1, reason)


def test_an_approval_whose_execution_cannot_be_started_is_given_again():
    with account(ASKING) as prod:
        prod.pipeline.run()
        denied = ClientError({"Error": {"Code": "AccessDenied"}}, "StartExecution")
        with patch.object(prod.client("stepfunctions"), "start_execution", side_effect=denied):
            result = prod.retrain("approve --yes")

        tags = read_tags(prod.pipeline.client, newest(prod))
        prod.pipeline.sleep(60)
        assert prod.retrain("approve --refuse --yes").code == 1, "it is too late for another answer"
        document = prod.retrain("approve --yes --json").document
        (execution,) = prod.pipeline.executions("20261129")
        assert read_tags(prod.pipeline.client, newest(prod)) == tags, "the first approval counts"
        version = newest(prod)

    start = f"{short(version)} is approved, but no run was started: these credentials may"
    assert (result.code, result.out, result.err[: len(start)]) == (2, "", start)
    assert document == {"versionArn": version, "answer": "APPROVED", "executionArn": execution.arn}


def test_an_approval_whose_execution_has_failed_is_not_given_again():
    with account(ASKING) as prod:
        prod.pipeline.run()
        prod.pipeline.inject_fault("fail", job="campaign-update", reason="no capacity")
        prod.retrain("approve --yes")
        (execution,) = prod.pipeline.executions("20261129")
        assert outcomes(execution.wait())["home"] == "FAILED"
        again = prod.retrain("approve --yes")
        name = execution.arn.rpartition(":")[2]
        version = short(newest(prod))

    assert (again.code, again.out) == (1, "")
    assert again.err.splitlines()[-1] == (
        f"{version} was approved before, and the run {name} was started; "
        f"`retrain watch --run {name} --stack dev` shows it"
    )


def take_back(pipeline):
    write_tags(pipeline.client, campaign_arn(), {BLOCKED_VERSION_TAG: pipeline.versions()[-1]})


def move_away(pipeline):
    foreign = pipeline.foreign_training()
    pipeline.sleep(4 * HOUR)
    pipeline.foreign_update(foreign)
    pipeline.sleep(HOUR)


def move_back(pipeline):
    write_tags(pipeline.client, campaign_arn(), {GOOD_VERSION_TAG: f"{solution_arn()}/0000abcd"})
    pipeline.foreign_update(pipeline.versions()[0])
    pipeline.sleep(HOUR)


def pin(pipeline):
    write_tags(pipeline.client, campaign_arn(), {PIN_TAG: "by the film festival"})


@pytest.mark.parametrize(
    "happening, reason",
    [
        (pin, "no run deploys it to home: the campaign is pinned by the film festival, so it"),
        (lambda at: at.sleep(25 * HOUR), "a run asks about it when it has passed"),
        (take_back, "no run deploys it to home: a run or a person rolled taste/{new} back"),
        (move_back, "no run deploys it to home: somebody has moved the campaign to taste/{live}"),
        (move_away, "no run deploys it to home: the campaign serves taste/{live}, which is newer"),
    ],
)
def test_a_version_that_no_run_would_deploy_takes_no_approval(happening, reason):
    with account(ASKING) as prod:
        prod.pipeline.run()
        new = newest(prod)
        happening(prod.pipeline)
        result = prod.retrain("approve --yes")
        live = prod.pipeline.served_version()
        assert parse_approval(read_tags(prod.pipeline.client, new)).status == "REQUESTED"
    ids = {"new": new.rpartition("/")[2], "live": live.rpartition("/")[2]}
    expected = f"no version is waiting for approval; {short(new)}: {reason.format(**ids)}"

    assert (result.code, result.out, result.err[: len(expected)]) == (1, "", expected)


def test_a_version_is_compared_with_that_of_each_campaign_and_one_may_take_it_alone():
    two = MOVIES.with_solutions(solution(campaigns=["home", "tv"], approval=APPROVAL))
    with account(two) as prod:
        old = newest(prod)
        other = prod.pipeline.foreign_training()
        prod.pipeline.sleep(4 * HOUR)
        prod.pipeline.foreign_update(other, "tv")
        prod.pipeline.run()
        new = newest(prod)
        write_tags(prod.pipeline.client, campaign_arn("tv"), {BLOCKED_VERSION_TAG: new})
        shown = prod.retrain("approve").err.splitlines()
        assert prod.retrain("approve --yes").code == 0

    assert [line for line in shown if "taste/" in line][:2] == [
        f"home: {short(old)} → {short(new)}",
        f"tv: {short(other)} → {short(new)}",
    ]
    said = f"a run or a person rolled {short(new)} back at this campaign"
    assert f"warning: no run deploys it to tv: {said}" in shown


def test_a_person_sees_the_plain_fall_beside_the_one_that_is_relative_to_the_baseline():
    group = baselines.group()
    judged, baseline = group.solutions
    plain = replace(baselines.PLAIN, max_drop=0.9)
    asking = replace(judged, quality_gate=[baselines.RELATIVE, plain, plain], approval=APPROVAL)
    with account(group.with_solutions(asking, baseline)) as prod:
        prod.pipeline.bucket.put("interactions.csv", baselines.interactions())
        planned = prod.retrain("plan").out
        prod.pipeline.run()
        prod.retrain("approve --yes")
        prod.pipeline.executions("20261129")[0].wait()
        prod.pipeline.bucket.put("interactions.csv", baselines.interactions(random_users=3))
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        screens = prod.retrain("approve").err, prod.retrain("history -n 1").out
    assert "passes the quality gate (NDCG@10 relative to popular and NDCG@10) and a" in planned

    both = "NDCG@10 0.8524 → 0.5708 (-33.0%; 1.55 → 1.26 times the baseline, -18.6%)"
    for screen in screens:
        lines = [line.strip() for line in screen.splitlines() if "NDCG@10 " in line]
        assert lines == [both, "NDCG@10 0.8524 → 0.5708 (-33.0%)"]


def test_golden_of_several_versions_one_has_to_be_named(golden):
    with account(TWO) as prod:
        prod.pipeline.run()
        name = newest(prod, "series").rpartition("/")[2]
        commands = ("approve", "approve x", f"approve --refuse --yes --json {name}")
        golden("approve_two.txt", prod.transcript(*commands))


def test_an_older_version_is_approved_by_its_name_and_newer_ones_are_named():
    with account(ASKING) as prod:
        prod.pipeline.run()
        prod.pipeline.run(skipImport=True, force=True, scheduledTime=NEXT_SLOT)
        _, older, newer = prod.pipeline.versions()
        asked = prod.retrain("approve")
        approved = prod.retrain(f"approve --yes {short(older)}")
        (execution,) = prod.pipeline.executions("20261129")
        execution.wait()
        assert prod.pipeline.served_version() == older

    assert f"Deploy {short(newer)}?" in asked.err, "without a name, it is about the newest"
    assert f"warning: {short(newer)} is newer; where it passes" in " ".join(approved.err.split())


def test_a_version_is_not_approved_after_a_month():
    with account(ASKING) as prod:
        prod.pipeline.run()
        prod.pipeline.sleep(30 * 24 * HOUR)
        late = prod.retrain(f"approve --yes {short(newest(prod))}")
    assert late.code == 2
