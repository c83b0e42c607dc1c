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


WEEK = 7 * 24 * HOUR


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, *way.items())))
def test_two_runs_succeed_whichever_way_personalize_behaves(way):
    with deploy(switches=Switches(**way)) as pipeline:
        executions = [pipeline.run()]
        pipeline.sleep(WEEK)
        executions.append(pipeline.run(scheduledTime=NEXT_SLOT))
        (new,) = new_versions(pipeline)
        assert pipeline.served_version() == new
    statuses = [(execution.status, report(execution)["outcome"]) for execution in executions]
    assert statuses == [("SUCCEEDED", "DEPLOYED"), ("SUCCEEDED", "SKIPPED")], (
        "the second run finds nothing new"
    )


def new_versions(pipeline):
    """Return the versions that the pipeline trained."""
    pages = pipeline.client.get_paginator("list_solution_versions").paginate()
    versions = [version for page in pages for version in page["solutionVersions"]]
    versions.sort(key=lambda version: version["creationDateTime"])
    return [version["solutionVersionArn"] for version in versions[1:]]
