"""Generates the Pulumi schema of the package from the dataclasses of the arguments.

Use: `python -m package.schema > package/schema.json`.
"""

import inspect
import json
import sys
import tomllib
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Literal, TypeAlias, Union, get_args, get_origin

from pulumi import Output

from components import RetrainingPipeline, RetrainingPipelineArgs
from components.args import parse_attribute_docstrings, to_camel_case
from components.rules.single_settings import without_rules

Spec: TypeAlias = dict[str, object]
"""A part of the schema: https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/."""

ROOT = Path(__file__).parents[1]
PACKAGE = "personalize-retraining"
NAMESPACE = "retraining"
"""The owner of the generated SDKs: `@retraining/personalize-retraining` in TypeScript.

Without it, the owner would be a part of the git address from which a program adds the package.
"""
TOKEN = f"{PACKAGE}:index:RetrainingPipeline"
SCALAR_TYPES: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}
OUTPUTS: Mapping[str, object] = RetrainingPipeline.__annotations__
"""Name to type of each output of the component. The outputs are its annotated attributes."""
LANGUAGES = ("csharp", "go", "java", "nodejs", "python")


def schema() -> Spec:
    """Return the schema of the package. Name, version, address and publisher are in pyproject.toml.

    With the download URL, the SDK of a program knows from where Pulumi gets the plugin. It has the
    form in which `pulumi package add` writes the address of a git repository.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address = project["urls"]["Repository"]
    types: dict[str, Spec] = {}
    inputs = _object_type(RetrainingPipelineArgs, types)
    descriptions = parse_attribute_docstrings(RetrainingPipeline)
    outputs = {
        to_camel_case(name): {
            "type": "string",
            "description": descriptions[name],
        }
        for name, type_ in OUTPUTS.items()
    }
    return {
        **{key: project[key] for key in ("name", "version", "description", "license")},
        "displayName": "Personalize Retraining",
        "publisher": project["authors"][0]["name"],
        "namespace": NAMESPACE,
        "homepage": project["urls"]["Homepage"],
        "repository": address,
        "pluginDownloadURL": f"git://{address.removeprefix('https://')}.git/package",
        "keywords": [*project["keywords"], "category/cloud", "kind/component"],
        "language": {language: {"respectSchemaVersion": True} for language in LANGUAGES},
        "types": types,
        "resources": {
            TOKEN: {
                "isComponent": True,
                "description": inspect.getdoc(RetrainingPipeline),
                "inputProperties": inputs["properties"],
                "requiredInputs": inputs["required"],
                "properties": outputs,
                "required": [
                    to_camel_case(name) for name, type_ in OUTPUTS.items() if type_ == Output[str]
                ],
            }
        },
    }


def _object_type(cls: type, types: dict[str, Spec]) -> Spec:
    """Return the object type of a dataclass, and add the types of its fields to `types`."""
    descriptions = parse_attribute_docstrings(cls)
    return {
        "type": "object",
        "description": inspect.getdoc(cls),
        "properties": {
            to_camel_case(field.name): {
                **_field_type(field.type, field.name, types),
                "description": " ".join([descriptions[field.name], *_default_sentence(field)]),
            }
            for field in fields(cls)
        },
        "required": [
            to_camel_case(field.name)
            for field in fields(cls)
            if field.default is MISSING and field.default_factory is MISSING
        ],
    }


def _field_type(type_: object, name: str, types: dict[str, Spec]) -> Spec:
    """Return the type of the field `name`, and add the types that it refers to to `types`.

    A field whose type is not pulumi.Input is plain, so typed SDKs refuse an Output for it.
    """
    type_ = without_rules(type_)
    members = get_args(type_)
    origin = get_origin(type_)
    if origin in (Union, UnionType):
        spec = _field_type(members[0], name, types)
        # Awaitable is one of the types in pulumi.Input.
        if any(get_origin(member) is Awaitable for member in members):
            del spec["plain"]
        return spec
    if isinstance(type_, type) and is_dataclass(type_):
        return _add_type(type_.__name__.removesuffix("Args"), _object_type(type_, types), types)
    if origin is Literal:
        enum: Spec = {"type": "string", "enum": [{"value": member} for member in members]}
        type_name = "".join(map(str.capitalize, name.split("_")))
        return _add_type(type_name, enum, types)
    if origin is Sequence:
        return {"type": "array", "items": _field_type(members[0], name, types), "plain": True}
    if origin is Mapping:
        values = _field_type(members[1], name, types)
        return {"type": "object", "additionalProperties": values, "plain": True}
    return {"type": SCALAR_TYPES[type_], "plain": True}


def _add_type(name: str, spec: Spec, types: dict[str, Spec]) -> Spec:
    """Add a named type to `types`, and return a reference to it."""
    token = f"{PACKAGE}:index:{name}"
    assert types.setdefault(token, spec) == spec, f"two types have the name {name}"
    return {"$ref": f"#/types/{token}", "plain": True}


def _default_sentence(field: Field[object]) -> Iterator[str]:
    """Yield a sentence about the default of a field, if the default is a scalar.

    The schema has a key for defaults, but in a nested type it breaks the generated Go SDK (seen
    with the CLI 3.274.1).
    """
    if isinstance(field.default, bool):
        yield f"Default: {str(field.default).lower()}."
    elif isinstance(field.default, str | int | float):
        yield f"Default: {field.default}."


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(schema(), indent=2)}\n")
