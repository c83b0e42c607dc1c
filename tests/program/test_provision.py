"""Proves that the example that creates a dataset group connects its resources and the pipeline.

The packages aws-native and command are stand-ins, which know neither the inputs of a resource nor
AWS's checks. examples/provision/README.md says how its types are checked.
"""

import json
import runpy
import sys
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pulumi
import pytest

import components
from tests.components.recording import run
from tests.world import PERSONALIZE, campaign_arn, dataset_arn

EXAMPLE = Path(__file__).parents[2] / "examples" / "provision"
VERSION = f"{PERSONALIZE}:solution/movies/1a2b3c4d"
CONFIG = {"personalize-retraining:bucket": "exports"}
CAMPAIGN = {
    "personalize-retraining:firstVersion": VERSION,
    "personalize-retraining:probeUser": "u1",
}
KINDS = ("Campaign", "Dataset", "DatasetGroup", "EventTracker", "Filter", "Schema", "Solution")


class StandIn(pulumi.CustomResource):
    """A resource that is registered with any inputs. Its ARN is made of its kind and its name."""

    made = {}  # noqa: RUF012 - each test replaces it

    def __init__(self, resource_name, /, opts=None, **inputs):
        kind = type(self).__name__
        super().__init__(f"stand-in:index:{kind}", resource_name, inputs, opts)
        resource = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind)[1:]
        suffix = (
            f"movies/{inputs['dataset_type'].name}" if kind == "Dataset" else inputs.get("name")
        )
        self.__dict__["_arn"] = f"{PERSONALIZE}:{resource}/{suffix}"
        self.made[kind, resource_name] = inputs, opts

    def __getattr__(self, name):
        """Return an ARN that is known once the resource exists."""
        if name.endswith("_arn") or name == "tracking_id":
            return self.urn.apply(lambda _: self._arn)
        raise AttributeError(name)


@pytest.fixture
def deploy(monkeypatch):
    """Return a function that runs the program. It returns the engine and the stand-ins."""
    types = StrEnum("DatasetType", {"INTERACTIONS": "Interactions", "ITEMS": "Items"})
    classes = {kind: type(kind, (StandIn,), {}) for kind in KINDS}
    modules = {
        "pulumi_aws_native": {},
        "pulumi_aws_native.personalize": {**classes, "DatasetType": types},
        "pulumi_command": {"local": ModuleType("local")},
    }
    modules["pulumi_command"]["local"].Command = type("Command", (StandIn,), {})
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "personalize_retraining", components)

    def deploy(config):
        monkeypatch.setattr(StandIn, "made", {})
        engine = run(lambda: runpy.run_path(str(EXAMPLE / "__main__.py")) and None, config=config)
        definition = engine.one("aws:sfn/stateMachine:StateMachine", "movies").inputs["definition"]
        states = json.loads(definition)["States"]
        return StandIn.made, states["Configure run"]["Parameters"]["settings"]

    return deploy


def test_the_first_deployment_has_no_campaign_and_imports_into_the_new_datasets(deploy):
    made, settings = deploy(CONFIG)
    assert "Campaign" not in {kind for kind, _ in made}
    (solution,) = settings["solutions"]
    assert (solution["solutionArn"], solution["campaigns"]) == (
        f"{PERSONALIZE}:solution/movies",
        [],
    )
    arns = {dataset["datasetArn"]: dataset["dataLocation"] for dataset in settings["datasets"]}
    assert arns == {
        dataset_arn("interactions"): "s3://exports/interactions/",
        dataset_arn("items"): "s3://exports/items/",
    }


def test_the_campaign_follows_with_its_first_version_which_is_ignored_later(deploy):
    made, settings = deploy(CONFIG | CAMPAIGN)
    inputs, opts = made["Campaign", "movies"]
    assert (inputs["solution_version_arn"], opts.ignore_changes) == (
        VERSION,
        ["solutionVersionArn"],
    )
    ((campaign,),) = (solution["campaigns"] for solution in settings["solutions"])
    assert campaign["campaignArn"] == campaign_arn("movies")
    assert campaign["probe"]["filterArn"] == f"{PERSONALIZE}:filter/movies-unseen"


def test_automatic_training_is_turned_off_whenever_the_solution_is_created(deploy):
    made, settings = deploy(CONFIG)
    _, opts = made["Command", "no-automatic-training"]
    assert [type(resource).__name__ for resource in opts.replace_with] == ["Solution"]
    assert settings["autoTraining"] == "refuse"
