"""Each function's row in STEPS allows just what its code asks of AWS.

The code is read, not run: from a handler, through every function that it can reach in functions/,
to the methods of boto3's clients.
"""

import ast
from functools import cache
from pathlib import Path

import boto3
import pytest

from components.state_machine.steps import STEPS
from tests.functions.samples import REGION

FUNCTIONS = Path(__file__).parents[2] / "functions"
PREFIXES = {
    "personalize": "personalize",
    "personalize-runtime": "personalize",
    "s3": "s3",
    "scheduler": "scheduler",
    "stepfunctions": "states",
}
"""Service as boto3 names it, to the prefix of its IAM actions."""
CLIENTS = {
    "PersonalizeClient": "personalize",
    "PersonalizeRuntimeClient": "personalize-runtime",
    "S3Client": "s3",
    "SFNClient": "stepfunctions",
    "BaseClient": None,
    "Client": None,
}
"""Type of a function's `client`, to its service; None is any, of which no method is called."""
RENAMED = {"s3:ListObjectsV2": "s3:ListBucket"}
"""Actions that are not called like their operation."""
IMPLIED = {
    # Both are given tags, which is an action of its own.
    "create_dataset_import_job": {"personalize:TagResource", "iam:PassRole"},
    "create_solution_version": {"personalize:TagResource"},
    # S3 decrypts what was encrypted with a key, for who may use that.
    "plan_retraining": {"kms:Decrypt"},
}
"""Actions that a request needs beside its own; PassRole: the import job is given a role."""


@cache
def methods():
    """Give the IAM action of each service's methods; paginators have their method's name."""
    found = {}
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    for service, prefix in PREFIXES.items():
        mapping = boto3.client(service, region_name=REGION, **keys).meta.method_to_api_mapping
        for method, operation in mapping.items():
            action = f"{prefix}:{operation}"
            found[service, method] = RENAMED.get(action, action)
    return found


@cache
def module(name):
    """Return a module's functions and constants, and what each name that it imports stands for.

    `name` is the path below functions/ without its ending, as `personalize/jobs`.
    """
    path = FUNCTIONS / f"{name}.py"
    tree = ast.parse(path.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    constants = {
        ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target): node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    }
    names = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            package = path.parents[node.level - 1]
            owner = package.joinpath(*(node.module or "").split("."))
            for alias in node.names:
                known = alias.asname or alias.name
                if owner.is_dir():  # a module, not a name in it
                    place = (owner / alias.name).relative_to(FUNCTIONS).as_posix()
                    names[known] = (None, place)
                else:
                    names[known] = (owner.relative_to(FUNCTIONS).as_posix(), alias.name)
    return functions, constants, names


def mentions(module_name, part):
    """Give the functions that a function or a constant mentions, as (module, name)."""
    functions, constants, names = module(module_name)
    for node in ast.walk(part):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner, imported = names.get(node.value.id, ("", None))
            if owner is None:  # from . import world; world.read(...)
                yield imported, node.attr
        if isinstance(node, ast.Name):
            if node.id in functions:
                yield module_name, node.id
            if constants.get(node.id, part) is not part:
                yield from mentions(module_name, constants[node.id])
            owner, imported = names.get(node.id, (None, None))
            if owner:
                yield owner, imported


def reached(step):
    """Give the functions that a step's handler can reach, itself among them."""
    found, ahead = {}, [(step, "handler")]
    while ahead:
        place = ahead.pop()
        functions, _, _ = module(place[0])
        if place not in found and place[1] in functions:
            found[place] = functions[place[1]]
            ahead.extend(mentions(place[0], functions[place[1]]))
    return found


def actions(step):
    """Give the IAM actions of all client methods that a step's code names."""
    used = set()
    for function in reached(step).values():
        types = {each.arg: each.annotation for each in function.args.args}
        services = {"aws.scheduler()": "scheduler"}
        if "client" in types:
            services["client"] = CLIENTS[ast.unparse(types["client"])]
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute):
                used.add(methods().get((services.get(ast.unparse(node.value)), node.attr)))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "client.get_paginator":
                used.add(methods()[services["client"], node.args[0].value])
    return used - {None}


@pytest.mark.parametrize("step", STEPS)
def test_a_function_may_do_what_its_code_does_and_nothing_else(step):
    allowed = {action for actions_ in STEPS[step].may.values() for action in actions_}
    assert actions(step) | IMPLIED.get(step, set()) == allowed


def places():
    """Return the modules below functions/, as `personalize/jobs`."""
    files = FUNCTIONS.rglob("*.py")
    return [path.relative_to(FUNCTIONS).with_suffix("").as_posix() for path in files]


def test_every_function_in_the_bundle_is_reached_from_a_handler():
    everywhere = {(place, name) for place in places() for name in module(place)[0]}
    everything = {place for step in STEPS for place in reached(step)}
    assert everywhere - everything == set(), "what nothing calls is dead"


def test_handlers_and_rows_are_the_same():
    handlers = {path.stem for path in FUNCTIONS.glob("*.py") if "handler" in module(path.stem)[0]}
    assert handlers == set(STEPS)
