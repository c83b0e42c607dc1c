"""Proves that Describe and List show what the service model says, page by page."""

import pytest
from personalize_world import ARN, ME, World, interactions, refused

from emulator.personalize.api import OPERATIONS
from emulator.personalize.describe_list import KINDS
from emulator.personalize.service_model import members, operation


@pytest.fixture(scope="module")
def full():
    """A world in which everything exists."""
    world = World()
    solution = world.movies()
    group = f"{ARN}dataset-group/movies"
    world.client.create_event_tracker(name="live", datasetGroupArn=group)
    campaign = world.campaign(world.version(solution, name="first"))
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=world.version(solution))
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    world.personalize.faults.inject({"fault": "fail", "job": "solution-version"})
    world.version(solution, name="failed")
    world.wait()
    return world


def strange(shape, value, path=""):
    """Fields of an answer that its shape does not have, at any depth."""
    if isinstance(value, dict) and shape.type_name == "structure":
        for key, item in value.items():
            if key not in shape.members:
                yield f"{path}.{key}"
            else:
                yield from strange(shape.members[key], item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from strange(shape.member, item, f"{path}[]")


REQUESTS = {
    "DescribeSchema": {"schemaArn": f"{ARN}schema/movies-INTERACTIONS"},
    "DescribeDatasetGroup": {"datasetGroupArn": f"{ARN}dataset-group/movies"},
    "DescribeDataset": {"datasetArn": f"{ARN}dataset/movies/INTERACTIONS"},
    "DescribeDatasetImportJob": {"datasetImportJobArn": f"{ARN}dataset-import-job/first"},
    "DescribeEventTracker": {"eventTrackerArn": f"{ARN}event-tracker/live"},
    "DescribeRecipe": {"recipeArn": "arn:aws:personalize:::recipe/aws-similar-items"},
    "DescribeSolution": {"solutionArn": f"{ARN}solution/for-you"},
    "DescribeCampaign": {"campaignArn": f"{ARN}campaign/live"},
}


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_has_only_fields_of_the_models_output_shape(full, name):
    versions = full.client.list_solution_versions()["solutionVersions"]
    requests = [REQUESTS.get(name, {})]
    if name == "DescribeSolutionVersion":
        requests = [{"solutionVersionArn": v["solutionVersionArn"]} for v in versions]
    for request in requests:
        answer = full.personalize.call(name, request, ME)
        assert list(strange(operation(name).output_shape, answer)) == []
        assert all(answer.values()), f"{name} shows something"


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_answers_nothing_but_what_the_model_has(full, name, monkeypatch):
    output = operation(name).output_shape
    wordy = dict.fromkeys([*members(output), "somethingElse"], "value")
    monkeypatch.setattr("emulator.personalize.api.OPERATIONS", {name: lambda *_: wordy})
    monkeypatch.setattr("emulator.personalize.api.validate", lambda *_: None)
    assert sorted(full.personalize.call(name, {}, ME)) == sorted(members(output))


def test_every_describe_and_list_that_the_kinds_have_is_served():
    served = {*OPERATIONS, *KINDS}
    for name in OPERATIONS:
        if name.startswith("Create"):
            thing = name.removeprefix("Create")
            assert {f"Describe{thing}", f"List{thing}s"} <= served, "what is made can be seen"


def test_lists_can_be_narrowed_to_what_belongs_to_a_resource(full):
    client = full.client
    other = full.group("other")
    assert client.list_datasets(datasetGroupArn=other)["datasets"] == []
    assert client.list_solutions(datasetGroupArn=other)["solutions"] == []
    assert client.list_event_trackers(datasetGroupArn=other)["eventTrackers"] == []
    job = client.list_dataset_import_jobs(datasetArn=f"{ARN}dataset/movies/INTERACTIONS")
    assert [j["jobName"] for j in job["datasetImportJobs"]] == ["first"]
    solution = client.list_solutions(datasetGroupArn=f"{ARN}dataset-group/movies")
    assert [s["name"] for s in solution["solutions"]] == ["for-you"]


def test_versions_of_a_solution_that_does_not_exist_are_not_found(full):
    arn = f"{ARN}solution/none"
    assert refused(full.client.list_solution_versions, solutionArn=arn) == (
        "ResourceNotFoundException",
        f"Resource Arn {arn} does not exist.",
    )


def test_an_arn_of_another_kind_is_not_found(full):
    arn = f"{ARN}solution/for-you"
    assert refused(full.client.describe_campaign, campaignArn=arn) == (
        "ResourceNotFoundException",
        f"Resource Arn {arn} does not exist.",
    )


def test_a_list_comes_in_pages_the_oldest_first():
    world = World()
    dataset = world.dataset(world.group())
    world.put("interactions.csv", interactions())
    for number in range(5):
        world.imported(dataset, f"job-{number}")
    pages = world.client.get_paginator("list_dataset_import_jobs").paginate(
        PaginationConfig={"PageSize": 2}
    )
    names = [[job["jobName"] for job in page["datasetImportJobs"]] for page in pages]
    assert names == [["job-0", "job-1"], ["job-2", "job-3"], ["job-4"]]


def test_a_page_that_is_just_full_has_no_token():
    world = World()
    world.group("one")
    world.group("two")
    assert "nextToken" not in world.client.list_dataset_groups(maxResults=2)


@pytest.mark.parametrize("token", ["nonsense", "MSBMaXN0", "bm9uZSBMaXN0U2NoZW1hcyBOb25l"])
def test_a_token_that_was_not_given_for_this_list_is_refused(full, token):
    assert refused(full.client.list_schemas, nextToken=token) == (
        "InvalidNextTokenException",
        "The token is not valid.",
    )


def test_recipes_have_their_real_names(full):
    recipes = full.client.list_recipes()["recipes"]
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
        "aws-item-affinity",
        "aws-next-best-action",
    ]
    code, message = refused(full.client.list_recipes, domain="ECOMMERCE")
    assert (code, message) == (
        "InvalidInputException",
        "This emulator has no recipes of domains",
    )


def test_describe_recipe_tells_its_type(full):
    arn = "arn:aws:personalize:::recipe/aws-similar-items"
    recipe = full.client.describe_recipe(recipeArn=arn)["recipe"]
    assert (recipe["recipeType"], recipe["status"]) == ("RELATED_ITEMS", "ACTIVE")
    assert recipe["algorithmArn"] == "arn:aws:personalize:::algorithm/aws-similar-items"
