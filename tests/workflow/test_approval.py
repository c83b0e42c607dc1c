"""A version that needs an approval is deployed only after a person has approved it in time."""

from dataclasses import replace

import pytest

from components.args import ApprovalArgs, QualityRuleArgs
from functions.personalize.approvals import approval_tags
from functions.personalize.tags import APPROVAL, GOOD, tags_of, write_tags
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, problems_of, report, skip_reason
from tests.world import HOUR, MOVIES, campaign_arn, interactions, solution, solution_arn

BOSS = "arn:aws:sts::123456789012:assumed-role/Owner/boss"
ASKING = MOVIES.with_solutions(solution(approval=ApprovalArgs(timeout_hours=24)))
LATE = 25 * HOUR


def newest(pipeline):
    return pipeline.versions()[-1]


def answer(pipeline, word="APPROVED", version=None):
    """Answer as `retrain approve` and `retrain reject` do."""
    tags = approval_tags(word, pipeline.clock.now(), BOSS)
    write_tags(pipeline.client, version or newest(pipeline), tags)


def deploy_approved(pipeline, version=None):
    """Start the execution that `retrain approve` starts, and wait for its end."""
    request = {"trigger": "approval", "deploy": version or newest(pipeline)}
    return pipeline.machine.start(request).wait()


def test_an_approved_version_is_deployed_without_an_import_or_a_training():
    with deploy(ASKING) as pipeline:
        asking = pipeline.run()
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        pipeline.bucket.objects.clear()
        answer(pipeline)
        execution = deploy_approved(pipeline)
        assert pipeline.served_version() == new
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "from the first run"
    assert asking.status == "SUCCEEDED", "a run that asks did what it should"
    (row,) = report(asking)["solutions"][0]["campaigns"]
    assert row["outcome"] == "AWAITING_APPROVAL"
    assert row["failure"].startswith(f"{new} waits for an approval until 2026-11-30T")
    assert outcomes(execution) == DEPLOYED


def test_an_approved_version_whose_update_failed_is_deployed_by_the_next_run_also_late():
    """The answer came in time, so only the work of the run is late."""
    with deploy(ASKING) as pipeline:
        pipeline.run()
        answer(pipeline)
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        failed = deploy_approved(pipeline)
        pipeline.sleep(LATE)
        later = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == newest(pipeline)
        assert len(pipeline.versions()) == 2
    assert outcomes(failed)["home"] == "FAILED"
    assert outcomes(later) == DEPLOYED


def test_a_version_is_asked_for_once_until_its_time_is_over():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        refused = deploy_approved(pipeline)
        asked = tags_of(pipeline.client, newest(pipeline))[APPROVAL]
        again = pipeline.run(skipImport=True)
        pipeline.sleep(LATE)
        too_late = deploy_approved(pipeline)
        later = pipeline.run(scheduledTime=NEXT_SLOT)
        version = newest(pipeline)
        assert tags_of(pipeline.client, version)[APPROVAL] > asked
        assert pipeline.served_version() == pipeline.versions()[0]
    assert problems_of(refused) == [
        f"{version} is not approved: it waits for an answer; approve it with retrain approve"
    ]
    assert skip_reason(again).startswith("nothing is new"), "the first report has asked"
    (problem,) = problems_of(too_late)
    assert f"{version} is not approved: it waits for no answer; a run asks when" in problem
    assert outcomes(later)["home"] == "AWAITING_APPROVAL"


def test_a_refused_version_is_neither_deployed_nor_trained_again_nor_asked_for():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        answer(pipeline, "REFUSED")
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        approved_later = deploy_approved(pipeline)
        assert len(pipeline.versions()) == 2
        assert pipeline.served_version() == pipeline.versions()[0]
        version = newest(pipeline)
    assert skip_reason(execution).startswith("nothing is new: ")
    (problem,) = problems_of(approved_later)
    assert problem.startswith(f"{version} is not approved: it was refused by {BOSS} at ")


def test_only_the_newest_version_takes_an_answer():
    asking = MOVIES.with_solutions(solution(approval=ApprovalArgs(), quality_gate_enabled=False))
    with deploy(asking) as pipeline:
        pipeline.run()
        older = newest(pipeline)
        pipeline.bucket.put("interactions.csv", interactions(1240))
        pipeline.run(scheduledTime=NEXT_SLOT)
        answer(pipeline, version=older)
        problem = problems_of(deploy_approved(pipeline, older))[-1]
        newer = newest(pipeline)
    assert problem == f"{older} is older than {newer}; only the newest version takes an answer"


def test_the_gate_is_asked_again_before_an_approved_version_is_deployed():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        answer(pipeline)
        gate = [QualityRuleArgs(metric="coverage", minimum=1)]
        stricter = MOVIES.with_solutions(solution(approval=ApprovalArgs(), quality_gate=gate))
        execution = deploy_approved(replace(pipeline, group=stricter, prefix="5eed1234"))
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution)["home"] == "REJECTED"


@pytest.mark.parametrize("campaigns", [["home"], ["home", "app"]])
def test_an_approval_leaves_a_campaign_alone_that_somebody_has_moved_meanwhile(campaigns):
    asking = MOVIES.with_solutions(solution(approval=ApprovalArgs(), campaigns=campaigns))
    with deploy(asking) as pipeline:
        older = pipeline.foreign_training()
        pipeline.sleep(3 * HOUR)
        pipeline.run()
        write_tags(pipeline.client, campaign_arn(), {GOOD: pipeline.served_version()})
        pipeline.foreign_update(older)
        pipeline.sleep(HOUR)
        answer(pipeline)
        execution = deploy_approved(pipeline)
        assert pipeline.served_version() == older, "perhaps there is an incident"
        version, home = newest(pipeline), campaign_arn()
    message = (
        f"{home}: somebody has moved it to {older} since {version} was created, so an approval "
        "does not move it; to deploy the version there on purpose, without a probe, use 'aws "
        f"personalize update-campaign --campaign-arn {home} --solution-version-arn {version}'"
    )
    if campaigns == ["home"]:
        assert problems_of(execution) == [message]
    else:
        assert outcomes(execution) == {"taste": "DEPLOYED", "app": "DEPLOYED"}
        assert report(execution)["warnings"] == [message]


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        (MOVIES, f"{solution_arn()} needs no approval; use retrain start"),
        (ASKING, "does not exist; take the ARN from the report that asks for the approval"),
    ],
)
def test_an_approval_that_nobody_asked_for_is_refused(group, problem):
    with deploy(group) as pipeline:
        version = newest(pipeline) if group is MOVIES else f"{solution_arn()}/0123abcd"
        refused = deploy_approved(pipeline, version)
    assert problem in problems_of(refused)[0]


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
        execution = pipeline.machine.start(request_).wait()
    assert problems_of(execution) == [problem]
