"""Proves the recipe aws-semantic-similarity, which compares the texts of items."""

import json

import pytest
from personalize_world import World, error_of, recipe_arn

RECIPE = recipe_arn("semantic-similarity")
FILMS = {
    "shark": "A shark hunts swimmers at the beach",
    "orca": "An orca hunts a fisherman at the beach",
    "wedding": "Two families plan a wedding",
    "divorce": "Two families survive a wedding",
}
EXPORT = "ITEM_ID,TITLE,PLOT\n" + "".join(f"{name},{name},{plot}\n" for name, plot in FILMS.items())


def avro(**attributes):
    """Return a schema of items with a title and a plot."""
    fields = [
        {"name": "ITEM_ID", "type": "string"},
        {"name": "TITLE", "type": "string"},
        {"name": "PLOT", "type": ["string", "null"]},
    ]
    for name, attribute in attributes.items():
        next(field for field in fields if field["name"] == name)[attribute] = True
    return json.dumps({"type": "record", "name": "Items", "namespace": "films", "fields": fields})


def solution_with(world, schema, export=EXPORT):
    """Create a solution in a group that has only items."""
    group = world.create_group()
    dataset = world.create_dataset(group, "ITEMS", avro=schema)
    if export is not None:
        world.put("items.csv", export.encode())
        assert world.import_file(dataset, key="items.csv")["status"] == "ACTIVE"
    return world.create_solution(group, recipe=RECIPE)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def campaign(world):
    solution = solution_with(world, avro(TITLE="itemName", PLOT="textual"))
    return world.create_campaign(world.train(solution))


@pytest.mark.parametrize(
    ("film", "similar"),
    [("shark", "orca"), ("orca", "shark"), ("wedding", "divorce"), ("divorce", "wedding")],
)
def test_the_item_with_the_most_similar_text_comes_first(world, campaign, film, similar):
    response = world.runtime.get_recommendations(campaignArn=campaign, itemId=film)
    assert response["itemList"][0]["itemId"] == similar


def test_it_is_asked_by_item_and_not_by_user(world, campaign):
    error = error_of(world.runtime.get_recommendations, campaignArn=campaign, userId="user-001")
    assert error == ("InvalidInputException", "itemId is required")


def test_it_needs_items_and_no_interactions(world):
    solution = world.create_solution(recipe=RECIPE)
    error = error_of(world.client.create_solution_version, solutionArn=solution)
    assert error.code == "InvalidInputException"
    assert error.message.endswith("has no ITEMS dataset to train on")


@pytest.mark.parametrize(
    ("attributes", "missing"),
    [({"PLOT": "textual"}, "itemName"), ({"TITLE": "itemName"}, "textual")],
)
def test_it_needs_a_name_and_a_text_of_each_item(world, attributes, missing):
    solution = solution_with(world, avro(**attributes))
    error = error_of(world.client.create_solution_version, solutionArn=solution)
    assert error.code == "InvalidInputException"
    assert f"has no field with {missing}: true" in error.message


def test_a_training_without_items_fails(world):
    solution = solution_with(world, avro(TITLE="itemName", PLOT="textual"), export=None)
    version = world.describe_version(world.train(solution))
    assert (version["status"], version["failureReason"]) == (
        "CREATE FAILED",
        "Dataset has no items",
    )


def test_its_only_metric_is_the_coverage(world):
    solution = solution_with(world, avro(TITLE="itemName", PLOT="textual"))
    version = world.train(solution)
    response = world.client.get_solution_metrics(solutionVersionArn=version)
    assert response["metrics"] == {"coverage": 1.0}


def test_it_cannot_be_trained_with_update(world):
    solution = solution_with(world, avro(TITLE="itemName", PLOT="textual"))
    world.train(solution)
    error = error_of(
        world.client.create_solution_version, solutionArn=solution, trainingMode="UPDATE"
    )
    assert error == (
        "InvalidInputException",
        "Training mode UPDATE is not supported by the recipe aws-semantic-similarity",
    )
