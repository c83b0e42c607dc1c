"""A later run finishes what a failed or aborted run has left unfinished."""

import pytest

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import outcomes
from tests.world import MOVIES, campaign_arn, solution

NEXT_SLOT = "2026-11-30T03:00:00Z"

# Campaigns that a person has moved


@pytest.mark.parametrize("request_", [{}, {"skipImport": True}], ids=str)
def test_a_campaign_that_a_person_moved_back_stays_when_its_version_waits_for_another(request_):
    two = MOVIES.with_solutions(solution(campaigns=["home", "shop"]))
    with deploy(two) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", of=campaign_arn("shop"))
        pipeline.run()
        old, new = pipeline.versions()
        pipeline.foreign_update(old, "home")
        pipeline.sleep(7200)
        execution = pipeline.machine.start(request_).wait()
        assert pipeline.served_version("home") == old
        assert pipeline.served_version("shop") == new
    assert outcomes(execution) == {"taste": "DEPLOYED", "shop": "DEPLOYED"}
