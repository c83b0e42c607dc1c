"""Tests of the world that planning reads, against the emulator: each fact once, in its place."""

import pytest
from botocore.exceptions import ClientError

from functions.common import aws
from functions.planning.plan_run import read_view
from functions.planning.snapshot import read_existing
from functions.rules.trainings import SolutionState
from tests.functions.samples import run
from tests.workflow.pipeline import deploy
from tests.world import (
    MOVIES,
    campaign_arn,
    dataset_arn,
    interactions,
    solution,
    solution_arn,
)

NAMES = ("interactions", "items", "users")
DATASETS = {dataset_arn(name) for name in NAMES}
DAILY = MOVIES.with_datasets(
    "interactions",
    import_mode="INCREMENTAL",
    data_location="s3://exports/{date}/interactions.csv",
)


def read(pipeline, request=None, **changes):
    """Return the view from which a run of this day plans, with these settings changed."""
    settings = {**pipeline.group.settings(), **changes}
    now = pipeline.clock.now()
    started = {"startedAt": now.isoformat(), "id": f"{now:%Y%m%dT%H%M%SZ}"}

    return read_view(aws.personalize_read_client(), settings, run(request or {}, **started))


def renamed(arn):
    return f"{arn}-of-nobody"


def test_resources_that_do_not_exist_are_left_out():
    with deploy() as pipeline:
        settings = pipeline.group.settings()
        known, *others = settings["datasets"]
        unknown = [{**row, "datasetArn": renamed(row["datasetArn"])} for row in others]
        (trained,) = settings["solutions"]
        (deployed,) = trained["campaigns"]
        campaigns = [{**deployed, "campaignArn": renamed(campaign_arn())}]
        solutions = [
            {**trained, "campaigns": campaigns},
            {**trained, "solutionArn": renamed(solution_arn()), "campaigns": []},
        ]
        view = read(pipeline, datasets=[known, *unknown], solutions=solutions)

    found, missing = (solution.solution_snapshot for solution in view.solutions)
    assert (
        set(view.data_snapshot.datasets) == set(view.data_snapshot.schemas) == {known["datasetArn"]}
    )
    assert found.description["solutionArn"] == solution_arn()
    assert found.campaigns == found.campaign_tags == {}
    assert (missing.description, missing.state) == (None, SolutionState())


def test_a_resource_that_may_not_be_read_is_not_taken_for_missing():
    def describe(arn):
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, arn)

    with pytest.raises(ClientError):
        read_existing(["DescribeCampaign"], describe)


def test_the_imports_of_datasets_that_are_not_configured_are_read():
    """A version is trained on them too."""
    with deploy() as pipeline:
        settings = pipeline.group.settings()["datasets"]
        view = read(pipeline, datasets=[row for row in settings if row["type"] != "items"])

    assert {job.dataset_arn for job in view.data_snapshot.imports} == DATASETS
    assert view.solutions[0].solution_state.imports == view.data_snapshot.imports


def test_only_what_a_run_imports_or_trains_is_read():
    with deploy(
        MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    ) as pipeline:
        chosen = {"datasets": ["items"], "solutions": [solution_arn("like")]}
        view = read(pipeline, chosen)
        without = read(pipeline, {"skipImport": True}).data_snapshot

    assert set(view.data_snapshot.exports) == {dataset_arn("items")}
    assert set(view.data_snapshot.datasets) == DATASETS, "they belong to the group"
    assert [solution.arn for solution in view.solutions] == [solution_arn("like")]
    assert (without.exports, set(without.datasets)) == ({}, DATASETS)


def test_only_active_event_trackers_count():
    with deploy() as pipeline:
        tracker = pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=MOVIES.arn)
        pipeline.sleep(600)
        active = read(pipeline).data_snapshot.event_tracker_arns
        pipeline.client.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
        deleted = read(pipeline).data_snapshot.event_tracker_arns

    assert (active, deleted) == ([tracker["eventTrackerArn"]], [])


@pytest.mark.parametrize("has_changed", [False, True])
def test_the_import_of_an_earlier_day_is_held_if_its_run_has_died(has_changed):
    key = "2026-11-29/interactions.csv"
    with deploy(DAILY) as pipeline:
        pipeline.bucket.put(key, interactions(shift=1))
        started = pipeline.start()
        pipeline.sleep(300)
        started.abort()
        pipeline.sleep(24 * 3600)
        if has_changed:
            pipeline.bucket.put(key, interactions(shift=2))
        data = read(pipeline).data_snapshot

    newest = data.imports[0]
    assert newest.is_confirmed is not has_changed
    assert [job.arn for job in data.newly_confirmed_imports] == [newest.arn] * (not has_changed)
    assert data.skipped_days == {dataset_arn("interactions"): []}
