"""Proves that the schema has the settings and descriptions of the dataclasses."""

import json
import tomllib
from dataclasses import is_dataclass

import components
from components.args import RetrainingPipelineArgs, config_keys
from package.schema import LANGUAGES, schema
from tests.package.plugin import COMPONENT, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCHEMA = schema()
RESOURCE = SCHEMA["resources"][COMPONENT]
ARGUMENTS = {
    name.removesuffix("Args"): cls
    for name, cls in vars(components).items()
    if is_dataclass(cls) and cls is not RetrainingPipelineArgs
}
"""Type in the schema to its dataclass."""


def schema_type(name):
    """Return a type of the schema."""
    return SCHEMA["types"][f"personalize-retraining:index:{name}"]


def reference(name):
    return {"$ref": f"#/types/personalize-retraining:index:{name}", "plain": True}


def undescribed(spec):
    """Return a property without its description."""
    return {key: value for key, value in spec.items() if key != "description"}


def properties():
    """Yield the place and the specification of every property."""
    for name, spec in SCHEMA["types"].items():
        for key, property_ in spec.get("properties", {}).items():
            yield f"{name.rpartition(':')[2]}.{key}", property_
    for kind in ("inputProperties", "properties"):
        for key, property_ in RESOURCE[kind].items():
            yield f"{kind}.{key}", property_


def dicts(value):
    """Yield each dict inside a document."""
    if isinstance(value, dict):
        yield value
    for element in value.values() if isinstance(value, dict) else value:
        if isinstance(element, dict | list):
            yield from dicts(element)


def test_the_plugin_serves_the_schema_and_has_the_version_of_the_package(plugin):
    assert json.loads((ROOT / "package" / "schema.json").read_text()) == SCHEMA, (
        "run `python -m package.schema > package/schema.json`"
    )
    assert json.loads(plugin.schema()) == SCHEMA
    assert plugin.version() == PROJECT["version"] == SCHEMA["version"]


def test_text_is_a_string_and_plain_unless_it_is_an_input():
    dataset = schema_type("Dataset")
    assert dataset["required"] == ["datasetArn", "dataLocation"]
    assert undescribed(dataset["properties"]["datasetArn"]) == {"type": "string"}
    plain_text = {"type": "string", "plain": True}
    assert undescribed(RESOURCE["inputProperties"]["timezone"]) == plain_text
    assert undescribed(RESOURCE["inputProperties"]["tags"]) == {
        "type": "object",
        "additionalProperties": plain_text,
        "plain": True,
    }
    assert undescribed(RESOURCE["properties"]["stateMachineArn"]) == {"type": "string"}


def test_a_choice_is_an_enum():
    mode = schema_type("Dataset")["properties"]["importMode"]
    assert undescribed(mode) == reference("ImportMode")
    assert schema_type("ImportMode") == {
        "type": "string",
        "enum": [{"value": "FULL"}, {"value": "INCREMENTAL"}],
    }


def test_a_dataclass_is_a_type_also_in_a_list():
    interactions = schema_type("Datasets")["properties"]["interactions"]
    assert undescribed(interactions) == reference("Dataset")
    campaigns = schema_type("Solution")["properties"]["campaigns"]
    assert undescribed(campaigns) == {
        "type": "array",
        "items": reference("Campaign"),
        "plain": True,
    }


def test_the_properties_of_each_type_are_the_fields_of_its_dataclass():
    assert {name: list(schema_type(name)["properties"]) for name in ARGUMENTS} == {
        name: config_keys(cls) for name, cls in ARGUMENTS.items()
    }


def test_the_inputs_are_the_keys_of_the_config():
    assert list(RESOURCE["inputProperties"]) == config_keys(RetrainingPipelineArgs)
    assert RESOURCE["requiredInputs"] == ["datasets", "solutions"]


def test_only_arns_and_locations_accept_an_output():
    inputs = [place for place, spec in properties() if "plain" not in spec]
    assert sorted(place for place in inputs if not place.startswith("properties.")) == [
        "Campaign.campaignArn",
        "Dataset.dataLocation",
        "Dataset.datasetArn",
        "Dataset.readyMarker",
        "Notifications.topicArn",
        "Solution.solutionArn",
        "inputProperties.dataKmsKeyArn",
        "inputProperties.importRoleArn",
        "inputProperties.kmsKeyArn",
        "inputProperties.permissionsBoundaryArn",
    ], "SDKs of typed languages accept an Output only there"


def test_every_property_is_described_with_whole_sentences():
    unfinished = [place for place, spec in properties() if spec["description"][-1:] != "."]
    assert unfinished == []


def test_the_default_of_a_setting_is_in_its_description():
    descriptions = {place: spec["description"] for place, spec in properties()}
    for place, default in (
        ("inputProperties.logRetentionDays", "90"),
        ("inputProperties.paused", "false"),
        ("inputProperties.timezone", "UTC"),
        ("Limits.maxImportHours", "6"),
    ):
        assert descriptions[place].endswith(f" Default: {default}."), place
    assert "Default" not in descriptions["inputProperties.kmsKeyArn"]


def test_the_schema_has_nothing_that_breaks_a_generated_sdk():
    broken = [spec for spec in dicts(SCHEMA) if {"oneOf", "default"} & set(spec)]
    assert SCHEMA["language"] == {key: {"respectSchemaVersion": True} for key in LANGUAGES}
    assert broken == [], "unions break the Python SDK, and defaults of nested types the Go SDK"
