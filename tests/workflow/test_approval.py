"""A version that needs an approval is deployed only after a person has approved it in time."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from components.args import ApprovalArgs, QualityRuleArgs
from functions.personalize.approvals import answer_about
from functions.personalize.tags import (
    APPROVED_AT,
    APPROVED_BY,
    ASKED,
    REFUSED_BY,
    tags_of,
    write_tags,
)
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import outcomes, problems_of, report, skip_reason
from tests.world import HOUR, MOVIES, campaign, campaign_arn, interactions, solution, solution_arn

BOSS = "arn:aws:sts::123456789012:assumed-role/Owner/boss"
ASKING = MOVIES.with_solutions(solution(approval=ApprovalArgs(timeout_hours=24)))
AWAITING = {"taste": "AWAITING_APPROVAL", "home": "AWAITING_APPROVAL"}
DEPLOYED = {"taste": "DEPLOYED", "home": "DEPLOYED"}
LATE = 25 * HOUR


def newest(pipeline):
    return pipeline.versions()[-1]


def asked_at(pipeline):
    return tags_of(pipeline.client, newest(pipeline))[ASKED]


def approve(pipeline, version=None):
    tags = {APPROVED_BY: BOSS, APPROVED_AT: pipeline.clock.now().isoformat()}
    write_tags(pipeline.client, version or newest(pipeline), tags)


def refuse(pipeline):
    write_tags(pipeline.client, newest(pipeline), {REFUSED_BY: BOSS})


def deploy_approved(pipeline, version=None, **request):
    """Start the execution that retrain approve starts, and wait for its end."""
    return pipeline.run(
        trigger="approval",
        deploy=version or newest(pipeline),
        scheduledTime=None,
        scheduleArn=None,
        **request,
    )


def run_with_new_data(pipeline):
    pipeline.bucket.put("interactions.csv", interactions(1240))
    return pipeline.run(scheduledTime=NEXT_SLOT)


def test_a_new_version_waits_for_an_approval_and_the_campaign_stays():
    with deploy(ASKING) as pipeline:
        execution = pipeline.run()
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
    assert execution.status == "SUCCEEDED", "a run that asks did what it should"
    assert report(execution)["status"] == "AWAITING_APPROVAL"
    (campaign_report,) = report(execution)["solutions"][0]["campaigns"]
    assert campaign_report["outcome"] == "AWAITING_APPROVAL"
    reason = rf"{re.escape(new)} waits for an approval until 2026-11-30T[\d:]+\+00:00"
    assert re.fullmatch(reason, campaign_report["failure"]), "the message adds the commands"


def test_an_approved_version_is_deployed_without_an_import_or_a_training():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        approve(pipeline)
        execution = deploy_approved(pipeline)
        assert pipeline.served_version() == newest(pipeline)
        assert len(pipeline.versions()) == 2
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "from the first run"
    assert outcomes(execution) == DEPLOYED


def test_an_approved_version_whose_update_failed_is_deployed_by_a_resumed_run_also_late():
    """The answer came in time, so only the work of the run is late."""
    with deploy(ASKING) as pipeline:
        pipeline.run()
        approve(pipeline)
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        failed = deploy_approved(pipeline)
        pipeline.sleep(LATE)
        resumed = pipeline.run(resume=report(failed)["runId"])
        assert pipeline.served_version() == newest(pipeline)
        assert len(pipeline.versions()) == 2
    assert outcomes(failed)["home"] == "FAILED"
    assert outcomes(resumed) == DEPLOYED


def test_two_solutions_are_approved_at_once_and_deployed_one_after_the_other():
    two = MOVIES.with_solutions(
        solution(approval=ApprovalArgs()),
        solution("mood", campaigns=["shelf"], approval=ApprovalArgs()),
    )
    with deploy(two) as pipeline:
        pipeline.run()
        versions = [pipeline.versions(name)[-1] for name in ("taste", "mood")]
        for version in versions:
            approve(pipeline, version)
        requests = [{"trigger": "approval", "deploy": version} for version in versions]
        started = [pipeline.machine.start(request) for request in requests]
        statuses = [report(execution.wait())["status"] for execution in started]
        served = [pipeline.served_version(name) for name in ("home", "shelf")]
    assert statuses == ["DEPLOYED", "DEPLOYED"]
    assert served == versions


def test_an_approval_does_not_look_at_the_exports():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        pipeline.bucket.objects.clear()
        approve(pipeline)
        assert outcomes(deploy_approved(pipeline)) == DEPLOYED


def test_an_approved_version_that_was_not_deployed_is_deployed_by_the_next_run():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        approve(pipeline)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == newest(pipeline)
    assert outcomes(execution) == DEPLOYED


def test_a_run_without_new_data_asks_again_for_the_same_version():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        first = asked_at(pipeline)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.versions()) == 2
        assert asked_at(pipeline) > first
    assert outcomes(execution) == AWAITING


def test_a_run_with_new_data_asks_for_the_newest_version_and_the_older_one_is_refused():
    asking = MOVIES.with_solutions(solution(approval=ApprovalArgs(), quality_gate_enabled=False))
    with deploy(asking) as pipeline:
        pipeline.run()
        older = newest(pipeline)
        assert outcomes(run_with_new_data(pipeline))["home"] == "AWAITING_APPROVAL"
        approve(pipeline, older)
        refused = deploy_approved(pipeline, older)
        newer = newest(pipeline)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert problems_of(refused)[-1] == (
        f"{older} is older than {newer}; answer about the newer version instead"
    )


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_newer_version_that_takes_no_answer_is_not_recommended(is_refused):
    gate = {"quality_gate_enabled": False} if is_refused else {}
    asking = MOVIES.with_solutions(solution(approval=ApprovalArgs(), **gate))
    with deploy(asking) as pipeline:
        pipeline.run()
        older = newest(pipeline)
        approve(pipeline)
        outcome = outcomes(run_with_new_data(pipeline))["home"]
        if is_refused:
            refuse(pipeline)
        problem = problems_of(deploy_approved(pipeline, older))[-1]
        newer = newest(pipeline)
    assert outcome == ("AWAITING_APPROVAL" if is_refused else "REJECTED")
    assert problem == (
        f"{older} is older than {newer}; the newer version takes no answer now, and a later run "
        "asks about the newest version"
    )


def test_a_late_approval_is_refused_and_the_next_run_asks_again():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        pipeline.sleep(LATE)
        approve(pipeline)
        refused = deploy_approved(pipeline)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == pipeline.versions()[0]
        version = newest(pipeline)
    (problem,) = problems_of(refused)
    assert problem.startswith(
        f"{version} is not approved: an answer was possible until 2026-11-30T"
    )
    assert outcomes(execution) == AWAITING


def test_a_version_without_an_answer_is_not_deployed():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        refused = deploy_approved(pipeline)
        assert pipeline.served_version() == pipeline.versions()[0]
        version = newest(pipeline)
    assert problems_of(refused) == [
        f"{version} is not approved: it waits for an answer; approve it with retrain approve"
    ]


def test_a_refused_version_is_neither_deployed_nor_trained_again_nor_asked_for():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        refuse(pipeline)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        approved_later = deploy_approved(pipeline)
        assert len(pipeline.versions()) == 2
        assert pipeline.served_version() == pipeline.versions()[0]
        version = newest(pipeline)
    assert skip_reason(execution).startswith("nothing is new: ")
    assert problems_of(approved_later) == [
        (
            f"{version} is not approved: it was refused by {BOSS}; a run asks again after the next "
            "training; approve it with retrain approve"
        )
    ]


def test_the_gate_is_asked_again_before_an_approved_version_is_deployed():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        approve(pipeline)
        gate = [QualityRuleArgs(metric="coverage", minimum=1)]
        stricter = MOVIES.with_solutions(solution(approval=ApprovalArgs(), quality_gate=gate))
        execution = deploy_approved(replace(pipeline, group=stricter, prefix="5eed1234"))
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution)["home"] == "REJECTED"


def test_a_version_that_the_gate_rejects_is_not_asked_for():
    gate = [QualityRuleArgs(metric="coverage", minimum=1)]
    asking = MOVIES.with_solutions(solution(approval=ApprovalArgs(), quality_gate=gate))
    with deploy(asking) as pipeline:
        execution = pipeline.run()
        assert ASKED not in tags_of(pipeline.client, newest(pipeline))
    assert outcomes(execution)["home"] == "REJECTED"


def test_an_approved_version_is_probed_and_rolled_back_like_any_other():
    probed = MOVIES.with_solutions(
        solution(approval=ApprovalArgs(), campaigns=[campaign("home", user_id="nobody-99")])
    )
    with deploy(probed) as pipeline:
        pipeline.run()
        approve(pipeline)
        execution = deploy_approved(pipeline)
    assert "Probe campaign" in execution.states


def test_a_campaign_that_was_moved_to_a_newer_version_keeps_it():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        waiting = newest(pipeline)
        newer = pipeline.foreign_training()
        pipeline.sleep(3 * HOUR)
        pipeline.foreign_update(newer)
        pipeline.sleep(HOUR)
        approve(pipeline, waiting)
        refused = deploy_approved(pipeline, waiting)
        assert pipeline.served_version() == newer
    assert problems_of(refused) == [
        (
            f"{waiting} is older than {newer}, which {campaign_arn()} serves; to go back to an "
            "earlier version, use retrain rollback"
        )
    ]


@contextmanager
def deploy_with_older_version(group):
    """Yield a pipeline with a version that waits, and an older version to which to go back."""
    with deploy(group) as pipeline:
        older = pipeline.foreign_training()
        pipeline.sleep(3 * HOUR)
        pipeline.run()
        yield pipeline, older


def test_an_approval_leaves_a_campaign_alone_that_somebody_has_moved_meanwhile():
    with deploy_with_older_version(ASKING) as (pipeline, older):
        pipeline.foreign_update(older)
        pipeline.sleep(HOUR)
        approve(pipeline)
        refused = deploy_approved(pipeline)
        assert pipeline.served_version() == older, "perhaps there is an incident"
        version, home = newest(pipeline), campaign_arn()
    assert problems_of(refused) == [
        (
            f"{home}: somebody has moved it to {older} since {version} was created, so an approval "
            "does not move it; to deploy the version there on purpose, without a probe, use 'aws "
            f"personalize update-campaign --campaign-arn {home} --solution-version-arn {version}'"
        )
    ]


def test_an_approval_moves_the_campaigns_that_nobody_has_moved():
    two = solution(approval=ApprovalArgs(), campaigns=[campaign("home"), campaign("app")])
    with deploy_with_older_version(MOVIES.with_solutions(two)) as (pipeline, older):
        pipeline.foreign_update(older)
        pipeline.sleep(HOUR)
        approve(pipeline)
        execution = deploy_approved(pipeline)
        assert pipeline.served_version() == older
    assert outcomes(execution) == {"taste": "DEPLOYED", "app": "DEPLOYED"}
    (warning,) = report(execution)["warnings"]
    assert warning.startswith(f"{campaign_arn()}: somebody has moved it to {older} since ")


NEVER = "9999-12-31T23:59:59-12:00"


@pytest.mark.parametrize("key", [ASKED, APPROVED_AT])
def test_a_time_in_the_future_is_no_approval(key):
    with deploy(ASKING) as pipeline:
        pipeline.run()
        approve(pipeline)
        version = newest(pipeline)
        write_tags(pipeline.client, version, {key: NEVER})
        refused = deploy_approved(pipeline)
        assert pipeline.served_version() == pipeline.versions()[0]
    again = "the next run asks again; " if key == ASKED else ""
    assert problems_of(refused) == [
        (
            f"{version} is not approved: the tag {key} has the time {NEVER}, which is in the "
            "future, so it does not count; check the clock of the machine that wrote it; "
            f"{again}approve it with retrain approve"
        )
    ]


@pytest.mark.parametrize(("seconds", "answer"), [(300, "APPROVED"), (301, "NONE")])
def test_the_clock_of_a_person_may_be_ahead_by_five_minutes(seconds, answer):
    now = datetime(2026, 11, 29, 5, tzinfo=UTC)
    at = {key: (now + timedelta(seconds=seconds)).isoformat() for key in (ASKED, APPROVED_AT)}
    assert answer_about({APPROVED_BY: BOSS, **at}, {"timeoutHours": 24}, now) == answer


@pytest.mark.parametrize("value", ["soon", "2026-11-29", NEVER, ""])
def test_a_tag_that_a_person_has_edited_is_no_approval(value):
    with deploy(ASKING) as pipeline:
        pipeline.run()
        approve(pipeline)
        write_tags(pipeline.client, newest(pipeline), {APPROVED_AT: value})
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == AWAITING


def test_a_campaign_that_deploys_each_version_by_itself_is_refused_beside_an_approval():
    asking = MOVIES.with_solutions(solution(approval=ApprovalArgs(), quality_gate_enabled=False))
    with deploy(asking) as pipeline:
        sync = {"syncWithLatestSolutionVersion": True}
        pipeline.foreign_update(f"{solution_arn()}/$LATEST", campaignConfig=sync)
        pipeline.sleep(HOUR)
        execution = pipeline.run()
        assert len(pipeline.versions()) == 1, "a new version would serve before anybody approves it"
    (problem,) = problems_of(execution)
    assert "deploys every version past the approval" in problem


def test_an_approval_for_a_solution_that_needs_none_is_refused():
    with deploy() as pipeline:
        pipeline.run()
        refused = deploy_approved(pipeline)
    assert problems_of(refused) == [f"{solution_arn()} needs no approval; use retrain start"]


def test_a_version_that_does_not_exist_is_refused():
    with deploy(ASKING) as pipeline:
        missing = f"{solution_arn()}/0123abcd"
        refused = deploy_approved(pipeline, missing)
    assert problems_of(refused) == [
        f"{missing} does not exist; take the ARN from the report that asks for the approval"
    ]


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (
            {"trigger": "approval"},
            "deploy: missing, but trigger 'approval' needs it; write the ARN of the version",
        ),
        (
            {"deploy": f"{solution_arn()}/0123abcd"},
            "deploy: has an effect only with trigger 'approval'; leave it out",
        ),
        (
            {"trigger": "approval", "deploy": f"{solution_arn()}/0123abcd", "force": True},
            (
                "trigger: a run with 'approval' deploys one version, so force would have no "
                "effect; leave it out"
            ),
        ),
        (
            {"trigger": "approval", "deploy": "0123abcd"},
            (
                "deploy: '0123abcd' is not a version of one of the solutions "
                f"['{solution_arn()}']; take its ARN from the report that asks for the approval"
            ),
        ),
    ],
)
def test_an_input_that_is_no_approval_is_refused(request_, problem):
    with deploy(ASKING) as pipeline:
        execution = pipeline.run(
            scheduledTime=None, scheduleArn=None, **{"trigger": None, **request_}
        )
    assert problems_of(execution) == [problem]


def test_a_dry_run_says_that_a_person_has_to_approve():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        dry = pipeline.run(scheduledTime=NEXT_SLOT, dryRun=True)
        approve(pipeline)
        dry_approval = deploy_approved(pipeline, dryRun=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    line = (
        f"{campaign_arn()} would be updated if the version passes the gate, a person approves it."
    )
    assert line in report(dry)["text"]
    assert line in report(dry_approval)["text"]
    assert (
        "interactions would not be imported, because the run only deploys a version."
        in report(dry_approval)["text"]
    )
