"""Two good runs succeed, whichever way Personalize behaves where AWS's documentation is silent."""

import pytest

from emulator.personalize import Switches
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import report
from tests.world import HOUR

WAYS = [
    {"unique_version_names": True},
    {"update_visible_after": 50},
    {"update_keeps_settings": False},
    {"update_verb": "UPDATE"},
    {"senseless_campaign_settings": True},
    {"underscore_in_stop_status": True},
    {"list_order": "newest first"},
    {"list_order": "shuffled"},
    {"page_size": 1},
    {"unknown_user": "nothing"},
    {"import_reads": "start"},
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, *way.items())))
def test_two_runs_succeed_whichever_way_personalize_behaves(way):
    with deploy(switches=Switches(**way)) as pipeline:
        old, executions = pipeline.served_version(), [pipeline.run()]
        pipeline.sleep(7 * 24 * HOUR)
        executions.append(pipeline.run(scheduledTime=NEXT_SLOT))
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() != old
    statuses = [(execution.status, report(execution)["outcome"]) for execution in executions]
    assert statuses == [("SUCCEEDED", "DEPLOYED"), ("SUCCEEDED", "SKIPPED")], (
        "the second run finds nothing new"
    )
