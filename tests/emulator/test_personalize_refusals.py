"""Proves which requests Personalize refuses, and with which error.

`golden/personalize_refusals.txt` has a request in one line and the error in the next one. In this
file, `<campaign/live>` is the ARN of a resource of the fixture `world`, `<active>` is the ARN of a
version, and `{m*64}` stands for 64 times an m. `python -m tests.golden` rewrites the errors.
"""

import json

import pytest
from personalize_world import (
    ARN,
    BATCH,
    CALLER,
    GROUP,
    INTERACTIONS,
    RECIPE,
    World,
    long,
    recipe_arn,
    short,
)

from emulator.personalize import ApiError

TAGS = [{"tagKey": f"key-{number}", "tagValue": ""} for number in range(51)]
SYNC = {"syncWithLatestSolutionVersion": True}
WATCHED = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("watch")'


@pytest.fixture(scope="module")
def world():
    """A world in which all quotas are used up. Its time stands still, so nothing ends."""
    world = World()
    solution = world.create_trainable_solution()
    other = world.create_group("other", tags=TAGS[:50])
    world.create_dataset(other, "USERS")
    world.create_solution(other, "users-only")
    full = world.create_group("full")
    world.create_dataset(full)
    full_solution = world.create_solution(full, "solution-9")
    world.client.create_event_tracker(name="events", datasetGroupArn=GROUP)
    segments = world.create_solution(GROUP, "segments", recipe_arn("item-affinity"))
    world.create_solution(GROUP, "similar", recipe_arn("sims"))
    world.create_solution(GROUP, "cold", recipe_arn("hrnn-coldstart"))
    world.versions = {"active": world.train(solution), "segments": world.train(segments)}
    trending = world.create_solution(GROUP, "trending", recipe_arn("trending-now"))
    world.versions["trending"] = world.train(trending)
    world.client.create_filter(name="filter-0", datasetGroupArn=full, filterExpression=WATCHED)

    world.wait()
    world.versions["stopped"] = world.start_training(solution)
    world.client.stop_solution_version_creation(solutionVersionArn=world.versions["stopped"])
    for name in ("live", "updating", "deleting"):
        world.create_campaign(world.versions["active"], name)
    world.create_campaign(f"{solution}/$LATEST", "syncing", campaignConfig=SYNC)
    world.versions["pending"] = world.start_training(full_solution)
    for _ in range(19):
        world.start_training(solution)
    for number in range(5):
        world.start_import(INTERACTIONS, f"job-{number}")
        for kind, version in (("inference", "active"), ("segment", "segments")):
            create = getattr(world.client, f"create_batch_{kind}_job")
            arn = world.versions[version]
            create(jobName=f"job-{number}", solutionVersionArn=arn, **BATCH)
    world.client.create_filter(name="new", datasetGroupArn=GROUP, filterExpression=WATCHED)
    request = {"name": "creating", "solutionVersionArn": world.versions["active"]}
    world.client.create_campaign(**request)
    world.start_update(f"{ARN}campaign/updating", world.versions["active"])
    world.client.delete_campaign(campaignArn=f"{ARN}campaign/deleting")
    world.client.update_solution(solutionArn=segments, performAutoTraining=False)
    world.client.create_dataset_group(name="new")
    request = {"name": "new", "recipeArn": RECIPE, "datasetGroupArn": other}
    world.client.create_solution(**request)
    items = world.create_schema("ITEMS", "items")
    world.client.create_dataset(
        name="new", datasetType="ITEMS", schemaArn=items, datasetGroupArn=GROUP
    )
    return world


def refusal(world, line):
    """Return the error of the request in a line of the golden file, or that there is none.

    A batch job has the fields of `BATCH`, unless the line has others.
    """
    operation, _, text = line.partition(" ")
    defaults = BATCH if operation.startswith("CreateBatch") else {}
    request = {**defaults, **json.loads(long(text, world.versions))}
    try:
        world.personalize.call(operation, request, CALLER)
    except ApiError as error:
        return short(f"{error.code}: {error.message}", world.versions)
    return "is not refused"


def test_each_request_of_the_golden_file_is_refused(world, golden):
    golden.answers("personalize_refusals.txt", lambda request: refusal(world, request))


def test_a_refused_call_uses_no_fault_and_creates_nothing(world):
    world.inject("hang", job="dataset-group")
    groups = world.client.list_dataset_groups()["datasetGroups"]
    for request in ({"name": "movies"}, {"name": "third", "tags": TAGS}):
        with pytest.raises(ApiError):
            world.personalize.call("CreateDatasetGroup", request, CALLER)

    assert len(world.personalize.faults.list()) == 1
    assert world.client.list_dataset_groups()["datasetGroups"] == groups
