"""A version that needs an approval is deployed only after a person has approved it in time."""

import pytest

from components.args import ApprovalArgs
from functions.personalize.approvals import build_approval_tags
from functions.personalize.tags import APPROVAL_TAG, read_tags, write_tags
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, skip_reason
from tests.world import HOUR, MOVIES, solution

BOSS = "arn:aws:sts::123456789012:assumed-role/Owner/boss"
ASKING = MOVIES.with_solutions(solution(approval=ApprovalArgs(timeout_hours=24)))
LATE = 25 * HOUR
NONE_WAITS = "no campaign waits for a version"


def newest(pipeline):
    return pipeline.versions()[-1]


def answer(pipeline, word="APPROVED", version=None):
    """Answer as `retrain approve` does, with or without `--refuse`."""
    tags = build_approval_tags(word, pipeline.clock.now(), BOSS)
    write_tags(pipeline.client, version or newest(pipeline), tags)


def deploy_approved(pipeline):
    """Start the execution that `retrain approve` starts, and wait for its end."""
    return pipeline.machine.start({"only": "deployments"}).wait()


def test_a_version_is_asked_for_once_until_its_time_is_over():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        waiting = deploy_approved(pipeline)
        asked = read_tags(pipeline.client, newest(pipeline))[APPROVAL_TAG]
        again = pipeline.run(skipImport=True)
        pipeline.sleep(LATE)
        later = pipeline.run(scheduledTime=NEXT_SLOT)
        version = newest(pipeline)

        assert read_tags(pipeline.client, version)[APPROVAL_TAG] > asked
        assert pipeline.served_version() == pipeline.versions()[0]

    assert skip_reason(waiting) == NONE_WAITS
    assert skip_reason(again).startswith("nothing is new"), "the first report has asked"
    assert outcomes(later)["home"] == "AWAITING_APPROVAL"


def test_a_refused_version_is_neither_deployed_nor_trained_again_nor_asked_for():
    with deploy(ASKING) as pipeline:
        pipeline.run()
        answer(pipeline, "REFUSED")
        reported = pipeline.run(scheduledTime=NEXT_SLOT)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        approved_later = deploy_approved(pipeline)

        assert len(pipeline.versions()) == 2
        assert pipeline.served_version() == pipeline.versions()[0]

    assert outcomes(reported)["home"] == "REJECTED", "not everybody knows of the answer"
    assert skip_reason(execution).startswith("nothing is new; ")
    assert skip_reason(approved_later) == NONE_WAITS


@pytest.mark.parametrize("newest_answer", ["REFUSED", None], ids=["refused", "not answered"])
def test_an_approved_version_is_deployed_while_a_newer_one_is_not(newest_answer):
    with deploy(ASKING) as pipeline:
        pipeline.run()
        pipeline.run(skipImport=True, force=True, scheduledTime=NEXT_SLOT)
        _, approved, _ = pipeline.versions()
        answer(pipeline, version=approved)
        if newest_answer:
            answer(pipeline, newest_answer)
        execution = deploy_approved(pipeline)
        assert pipeline.served_version() == approved
        again = deploy_approved(pipeline)

    assert outcomes(execution) == DEPLOYED
    if newest_answer is None:
        assert skip_reason(again) == NONE_WAITS, "it is deployed once"
    else:
        assert outcomes(again)["home"] == "REJECTED", "nobody was told about the newest version"
