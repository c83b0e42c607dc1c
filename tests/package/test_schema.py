"""Proves that the schema says of each setting what the component's dataclasses say of it."""

import json
import tomllib
from dataclasses import fields, is_dataclass

import pytest

import components
from components.args import RetrainingPipelineArgs, camel_case
from package.schema import schema
from tests.package.plugin import COMPONENT, ROOT, running

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCHEMA = schema(PROJECT)
RESOURCE = SCHEMA["resources"][COMPONENT]
ARGUMENTS = {
    name.removesuffix("Args"): each
    for name, each in vars(components).items()
    if is_dataclass(each) and each is not RetrainingPipelineArgs
}
"""Type of the schema to its dataclass."""


def type_named(name):
    """Return a type of the schema."""
    return SCHEMA["types"][f"personalize-retraining:index:{name}"]


def properties():
    """Yield place and specification of every property."""
    for name, spec in SCHEMA["types"].items():
        for key, each in spec.get("properties", {}).items():
            yield f"{name.rpartition(':')[2]}.{key}", each
    for kind in ("inputProperties", "properties"):
        for key, each in RESOURCE[kind].items():
            yield f"{kind}.{key}", each


def parts(value):
    """Yield each dict inside a document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from parts(each)


def test_the_plugin_serves_the_schema_and_has_the_version_of_the_package():
    with running(ROOT) as plugin:
        assert json.loads(plugin.schema()) == SCHEMA
        assert plugin.version() == PROJECT["version"] == SCHEMA["version"]


def test_a_type_of_the_schema_reads_so():
    interactions = type_named("Datasets")["properties"]["interactions"]
    assert interactions == {
        "$ref": "#/types/personalize-retraining:index:Dataset",
        "plain": True,
        "description": "The dataset of type Interactions.",
    }
    dataset = type_named("Dataset")
    assert dataset["required"] == ["datasetArn", "dataLocation"]
    assert dataset["properties"]["datasetArn"] == {
        "type": "string",
        "description": "The dataset to fill.",
    }
    assert dataset["properties"]["importMode"] == {
        "$ref": "#/types/personalize-retraining:index:ImportMode",
        "plain": True,
        "description": (
            "`FULL` replaces all bulk data of the dataset, and `INCREMENTAL` adds to it.\n\nAn "
            "`INCREMENTAL` export needs 1,000 interactions at least, and a `FULL` import before "
            "it. Default: FULL."
        ),
    }
    assert type_named("ImportMode") == {
        "type": "string",
        "enum": [{"value": "FULL"}, {"value": "INCREMENTAL"}],
    }
    campaigns = type_named("Solution")["properties"]["campaigns"]
    assert campaigns["items"] == {
        "$ref": "#/types/personalize-retraining:index:Campaign",
        "plain": True,
    }
    assert RESOURCE["inputProperties"]["tags"]["additionalProperties"] == {
        "type": "string",
        "plain": True,
    }
    assert RESOURCE["properties"]["stateMachineArn"] == {
        "type": "string",
        "description": (
            "ARN of the Step Functions state machine. `{}` is a valid input of an execution."
        ),
    }


@pytest.mark.parametrize("name", ARGUMENTS)
def test_each_dataclass_is_a_type_with_its_fields_as_keys(name):
    assert list(type_named(name)["properties"]) == [
        camel_case(each.name) for each in fields(ARGUMENTS[name])
    ]


def test_the_inputs_are_the_keys_of_the_stacks_config_and_the_required_ones_are_known():
    assert list(RESOURCE["inputProperties"]) == [
        camel_case(each.name) for each in fields(RetrainingPipelineArgs)
    ]
    assert RESOURCE["requiredInputs"] == ["datasets", "solutions"]


def test_what_is_not_plain_is_an_arn_or_a_place_in_s3():
    inputs = [place for place, each in properties() if "plain" not in each]
    assert sorted(place for place in inputs if not place.startswith("properties.")) == [
        "Campaign.campaignArn",
        "Dataset.dataLocation",
        "Dataset.datasetArn",
        "Dataset.readyMarker",
        "Solution.solutionArn",
        "inputProperties.dataKmsKeyArn",
        "inputProperties.importRoleArn",
        "inputProperties.kmsKeyArn",
        "inputProperties.permissionsBoundaryArn",
    ], "SDKs of typed languages take an Output there and nowhere else"


@pytest.mark.parametrize(
    ("place", "spec"), [pytest.param(*each, id=each[0]) for each in properties()]
)
def test_every_property_is_described(place, spec):
    assert spec["description"].rstrip()[-1] in ".`", f"{place} ends with a whole sentence"


def test_the_default_of_a_setting_is_in_its_description():
    described = {place: each["description"] for place, each in properties()}
    assert described["inputProperties.logRetentionDays"].endswith(" Default: 90.")
    assert described["inputProperties.paused"].endswith(" Default: false.")
    assert described["inputProperties.timezone"].endswith(" Default: UTC.")
    assert described["Limits.maxImportHours"].endswith(" Default: 6.")
    assert "Default" not in described["inputProperties.kmsKeyArn"]


def test_the_schema_has_nothing_that_breaks_a_generated_sdk():
    broken = [each for each in parts(SCHEMA) if {"oneOf", "default"} & set(each)]
    assert broken == [], "unions break the Python SDK, defaults of nested types that of Go"
