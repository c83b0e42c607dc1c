"""Proves that the example that creates a dataset group connects its resources and the pipeline.

The packages aws-native and command are stand-ins, which know neither the inputs of a resource nor
AWS's checks. examples/provision/README.md says how its types are checked.
"""

import json
import runpy
import sys
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pulumi

import components
from tests.components.recording import run
from tests.world import PERSONALIZE, campaign_arn, dataset_arn, solution_arn

PROGRAM = Path(__file__).parents[2] / "examples" / "provision" / "__main__.py"
ARNS = {
    "Campaign movies": campaign_arn("movies"),
    "Dataset movies-interactions": dataset_arn("interactions"),
    "Dataset movies-items": dataset_arn("items"),
    "Filter unseen": f"{PERSONALIZE}:filter/movies-unseen",
    "Solution movies": solution_arn("movies"),
}
VERSION = f"{solution_arn('movies')}/1a2b3c4d"
KINDS = ("Campaign", "Dataset", "DatasetGroup", "EventTracker", "Filter", "Schema", "Solution")


class StandIn(pulumi.CustomResource):
    """A resource that is registered with any inputs."""

    made = {}  # noqa: RUF012 - each deployment replaces it

    def __init__(self, resource_name, /, opts=None, **inputs):
        super().__init__(f"stand-in:index:{type(self).__name__}", resource_name, inputs, opts)
        self.__dict__["_name"] = f"{type(self).__name__} {resource_name}"
        self.made[self._name] = inputs, opts

    def __getattr__(self, name):
        """Return an ARN that is known once the resource exists."""
        if name.endswith("_arn") or name == "tracking_id":
            return self.urn.apply(lambda _: ARNS.get(self._name))
        raise AttributeError(name)


def deploy(**config):
    """Run the program. Return the inputs and options of its stand-ins, and the run's settings."""
    types = StrEnum("DatasetType", {"INTERACTIONS": "Interactions", "ITEMS": "Items"})
    classes = {kind: type(kind, (StandIn,), {}) for kind in KINDS}
    modules = {
        "personalize_retraining": components,
        "pulumi_aws_native": SimpleNamespace(),
        "pulumi_aws_native.personalize": SimpleNamespace(**classes, DatasetType=types),
    }
    config = {f"personalize-retraining:{key}": value for key, value in config.items()}
    with patch.dict(sys.modules, modules), patch.object(StandIn, "made", {}) as made:
        engine = run(lambda: runpy.run_path(str(PROGRAM)) and None, config=config)
    definition = engine.one("aws:sfn/stateMachine:StateMachine", "movies").inputs["definition"]

    return made, json.loads(definition)["States"]["Configure run"]["Parameters"]["settings"]


def test_the_first_deployment_has_no_campaign_and_imports_into_the_new_datasets():
    made, settings = deploy(bucket="exports")
    assert "Campaign movies" not in made
    (solution,) = settings["solutions"]
    assert (solution["solutionArn"], solution["campaigns"]) == (solution_arn("movies"), [])
    assert solution["trainedBy"] == "personalize", "automatic training is on by default"

    arns = {dataset["datasetArn"]: dataset["dataLocation"] for dataset in settings["datasets"]}
    assert arns == {
        dataset_arn("interactions"): "s3://exports/interactions/",
        dataset_arn("items"): "s3://exports/items/",
    }


def test_the_campaign_follows_with_its_first_version_which_is_ignored_later():
    made, settings = deploy(bucket="exports", firstVersion=VERSION, probeUser="u1")
    inputs, opts = made["Campaign movies"]
    assert inputs["solution_version_arn"] == VERSION
    assert opts.ignore_changes == ["solutionVersionArn"]

    ((campaign,),) = (solution["campaigns"] for solution in settings["solutions"])
    assert campaign["campaignArn"] == campaign_arn("movies")
    assert campaign["probe"]["filterArn"] == ARNS["Filter unseen"]
