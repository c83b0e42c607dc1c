"""Proves that Describe and List show the fields of the service model, page by page."""

import pytest
from personalize_world import ARN, CALLER, GROUP, INTERACTIONS, World, error_of, interactions

from emulator.personalize import Switches
from emulator.personalize.api import OPERATIONS
from emulator.personalize.describe_list import RESOURCE_CLASSES
from emulator.personalize.service_model import members, operation_model

DESCRIBE_REQUESTS = {
    "DescribeSchema": {"schemaArn": f"{ARN}schema/movies-INTERACTIONS"},
    "DescribeDatasetGroup": {"datasetGroupArn": GROUP},
    "DescribeDataset": {"datasetArn": INTERACTIONS},
    "DescribeDatasetImportJob": {"datasetImportJobArn": f"{ARN}dataset-import-job/first"},
    "DescribeEventTracker": {"eventTrackerArn": f"{ARN}event-tracker/live"},
    "DescribeRecipe": {"recipeArn": "arn:aws:personalize:::recipe/aws-similar-items"},
    "DescribeSolution": {"solutionArn": f"{ARN}solution/for-you"},
    "DescribeCampaign": {"campaignArn": f"{ARN}campaign/live"},
}


@pytest.fixture(scope="module")
def full_world():
    """A world with a resource of every kind, with updates and with a failed training."""
    world = World()
    solution = world.create_trainable_solution()
    world.client.create_event_tracker(name="live", datasetGroupArn=GROUP)
    campaign = world.create_campaign(world.train(solution, name="first"))
    world.start_update(campaign, world.train(solution))
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    world.inject("fail", job="solution-version")
    world.train(solution, name="failed")
    world.wait()
    return world


def unknown_fields(shape, value, path=""):
    """Yield the paths of fields that the shape does not have, at every depth."""
    if isinstance(value, dict) and shape.type_name == "structure":
        for key, item in value.items():
            if key not in shape.members:
                yield f"{path}.{key}"
            else:
                yield from unknown_fields(shape.members[key], item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from unknown_fields(shape.member, item, f"{path}[]")


@pytest.mark.parametrize("name", RESOURCE_CLASSES)
def test_a_response_has_only_fields_of_the_output_shape(full_world, name):
    requests = [DESCRIBE_REQUESTS.get(name, {})]
    if name == "DescribeSolutionVersion":
        versions = full_world.client.list_solution_versions()["solutionVersions"]
        requests = [{"solutionVersionArn": item["solutionVersionArn"]} for item in versions]
    for request in requests:
        response = full_world.personalize.call(name, request, CALLER)
        assert list(unknown_fields(operation_model(name).output_shape, response)) == []
        assert all(response.values()), f"{name} shows something"


@pytest.mark.parametrize("name", OPERATIONS)
def test_fields_that_the_output_shape_lacks_are_removed(full_world, name, monkeypatch):
    output = operation_model(name).output_shape
    response = dict.fromkeys([*members(output), "somethingElse"], "value")
    monkeypatch.setattr("emulator.personalize.api.OPERATIONS", {name: lambda *_: response})
    monkeypatch.setattr("emulator.personalize.api.validate", lambda *_: None)
    assert sorted(full_world.personalize.call(name, {}, CALLER)) == sorted(members(output))


def test_every_resource_that_can_be_created_can_be_described_and_listed():
    created = [name.removeprefix("Create") for name in OPERATIONS if name.startswith("Create")]
    for kind in created:
        assert {f"Describe{kind}", f"List{kind}s"} <= set(RESOURCE_CLASSES)


def test_a_list_can_be_limited_to_one_parent(full_world):
    client = full_world.client
    other_group = full_world.create_group("other")
    assert client.list_datasets(datasetGroupArn=other_group)["datasets"] == []
    assert client.list_solutions(datasetGroupArn=other_group)["solutions"] == []
    assert client.list_event_trackers(datasetGroupArn=other_group)["eventTrackers"] == []
    jobs = client.list_dataset_import_jobs(datasetArn=INTERACTIONS)["datasetImportJobs"]
    assert [job["jobName"] for job in jobs] == ["first"]
    solutions = client.list_solutions(datasetGroupArn=GROUP)["solutions"]
    assert [solution["name"] for solution in solutions] == ["for-you"]


@pytest.mark.parametrize(
    ("call", "field", "arn"),
    [
        ("list_solution_versions", "solutionArn", f"{ARN}solution/none"),
        ("describe_campaign", "campaignArn", f"{ARN}solution/for-you"),
    ],
    ids=["missing", "of another kind"],
)
def test_a_resource_that_is_missing_or_of_another_kind_is_not_found(full_world, call, field, arn):
    assert error_of(getattr(full_world.client, call), **{field: arn}) == (
        "ResourceNotFoundException",
        f"Resource Arn {arn} does not exist.",
    )


def test_a_list_has_pages_with_the_oldest_first():
    world = World()
    dataset = world.create_dataset()
    world.put("interactions.csv", interactions())
    for number in range(5):
        world.start_import(dataset, f"job-{number}")
    pages = world.client.get_paginator("list_dataset_import_jobs").paginate(
        PaginationConfig={"PageSize": 2}
    )
    names = [[job["jobName"] for job in page["datasetImportJobs"]] for page in pages]
    assert names == [["job-0", "job-1"], ["job-2", "job-3"], ["job-4"]]


def test_the_last_page_has_no_token_even_if_it_is_full():
    world = World()
    world.create_group("one")
    world.create_group("two")
    assert "nextToken" not in world.client.list_dataset_groups(maxResults=2)


@pytest.mark.parametrize("token", ["nonsense", "MSBMaXN0", "bm9uZSBMaXN0U2NoZW1hcyBOb25l"])
def test_a_token_that_is_not_from_this_list_is_refused(full_world, token):
    assert error_of(full_world.client.list_schemas, nextToken=token) == (
        "InvalidNextTokenException",
        "The token is not valid.",
    )


def test_list_recipes_has_the_names_of_aws_and_no_domains(full_world):
    recipes = full_world.client.list_recipes()["recipes"]
    assert [recipe["name"] for recipe in recipes] == [
        "aws-user-personalization-v2",
        "aws-user-personalization",
        "aws-hrnn",
        "aws-hrnn-metadata",
        "aws-hrnn-coldstart",
        "aws-popularity-count",
        "aws-personalized-ranking-v2",
        "aws-personalized-ranking",
        "aws-similar-items",
        "aws-sims",
        "aws-semantic-similarity",
        "aws-item-affinity",
        "aws-next-best-action",
    ]
    assert error_of(full_world.client.list_recipes, domain="ECOMMERCE") == (
        "InvalidInputException",
        "This emulator has no recipes of domains",
    )


def test_describe_recipe_shows_type_and_algorithm(full_world):
    arn = "arn:aws:personalize:::recipe/aws-similar-items"
    recipe = full_world.client.describe_recipe(recipeArn=arn)["recipe"]
    assert (recipe["recipeType"], recipe["status"]) == ("RELATED_ITEMS", "ACTIVE")
    assert recipe["algorithmArn"] == "arn:aws:personalize:::algorithm/aws-similar-items"


def listed_schemas(world, **request):
    """Return the names of the schemas, page by page."""
    pages = world.client.get_paginator("list_schemas").paginate(**request)
    return [[schema["name"] for schema in page["schemas"]] for page in pages]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("oldest first", ["a", "b", "c", "d"]),
        ("newest first", ["d", "c", "b", "a"]),
        ("shuffled", ["b", "a", "d", "c"]),
    ],
)
def test_no_order_of_a_list_is_promised(order, names):
    world = World(switches=Switches(list_order=order))
    for name in "abcd":
        world.create_schema("USERS", name)
    assert listed_schemas(world) == [names]


def test_a_page_may_be_shorter_than_the_request_asks_for():
    world = World(switches=Switches(page_size=3))
    for name in "abcd":
        world.create_schema("USERS", name)
    assert listed_schemas(world, maxResults=100) == [["a", "b", "c"], ["d"]]
    assert listed_schemas(world, maxResults=2) == [["a", "b"], ["c", "d"]]
