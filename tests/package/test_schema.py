"""Proves that the schema has the settings and descriptions of the dataclasses.

`package/schema.json` shows it, and a difference has to be written there.
"""

import json
import tomllib
from dataclasses import is_dataclass

import components
from components.args import RetrainingPipelineArgs, list_config_keys
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


def test_the_properties_of_each_type_are_the_fields_of_its_dataclass():
    assert {name: list(schema_type(name)["properties"]) for name in ARGUMENTS} == {
        name: list_config_keys(cls) for name, cls in ARGUMENTS.items()
    }


def test_the_inputs_are_the_keys_of_the_config():
    assert list(RESOURCE["inputProperties"]) == list_config_keys(RetrainingPipelineArgs)
    assert RESOURCE["requiredInputs"] == ["solutions"]


def test_only_arns_and_locations_accept_an_output():
    inputs = [place for place, spec in properties() if "plain" not in spec]
    assert sorted(place for place in inputs if not place.startswith("properties.")) == [
        "BatchJob.filterArn",
        "BatchJob.input",
        "BatchJob.kmsKeyArn",
        "BatchJob.output",
        "Campaign.campaignArn",
        "Dataset.dataLocation",
        "Dataset.datasetArn",
        "Dataset.readyMarker",
        "Notifications.topicArn",
        "Probe.filterArn",
        "QualityRule.relativeTo",
        "Solution.solutionArn",
        "inputProperties.batchRoleArn",
        "inputProperties.dataKmsKeyArn",
        "inputProperties.importRoleArn",
        "inputProperties.kmsKeyArn",
        "inputProperties.permissionsBoundaryArn",
    ], "SDKs of typed languages accept an Output only there"


def test_every_property_is_described_with_whole_sentences():
    unfinished = [place for place, spec in properties() if spec["description"][-1:] != "."]
    assert unfinished == []


def test_the_schema_has_nothing_that_breaks_a_generated_sdk():
    broken = [spec for spec in dicts(SCHEMA) if {"oneOf", "default"} & set(spec)]
    assert SCHEMA["language"] == {key: {"respectSchemaVersion": True} for key in LANGUAGES}
    assert broken == [], "unions break the Python SDK, and defaults of nested types the Go SDK"
