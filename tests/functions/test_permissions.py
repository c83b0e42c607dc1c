"""Each function's row in STEPS allows just what its code asks of AWS.

The code is read, not run: from a handler, through every function that it can reach in functions/,
to the methods of boto3's clients.
"""

import ast
from functools import cache
from pathlib import Path

import boto3
import pytest

from components.steps import STEPS
from tests.functions.samples import REGION

FUNCTIONS = Path(__file__).parents[2] / "functions"
PREFIXES = {"personalize": "personalize", "stepfunctions": "states", "scheduler": "scheduler"}
"""Service as boto3 names it, to the prefix of its IAM actions."""
IMPLIED = {
    # Both are given tags, which is an action of its own.
    "create_dataset_import_job": {"personalize:TagResource", "iam:PassRole"},
    "create_solution_version": {"personalize:TagResource"},
}
"""Actions that a request needs beside its own; PassRole: the import job is given a role."""


@cache
def methods():
    """Give each client method and its IAM action; paginators have their method's name."""
    found = {}
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    for service, prefix in PREFIXES.items():
        mapping = boto3.client(service, region_name=REGION, **keys).meta.method_to_api_mapping
        for method, operation in mapping.items():
            found.setdefault(method, set()).add(f"{prefix}:{operation}")
    return found


@cache
def module(name):
    """Give a module's functions, and what each name that it imports stands for."""
    tree = ast.parse((FUNCTIONS / f"{name}.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    names = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module, alias.name)
    return functions, names


def mentions(module_name, function):
    """Give the functions that a function's body mentions, as (module, name)."""
    functions, names = module(module_name)
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner, imported = names.get(node.value.id, ("", None))
            if owner is None:  # from . import world; world.read(...)
                yield imported, node.attr
        if isinstance(node, ast.Name):
            if node.id in functions:
                yield module_name, node.id
            owner, imported = names.get(node.id, (None, None))
            if owner:
                yield owner, imported


def reached(step):
    """Give the functions that a step's handler can reach, itself among them."""
    found, ahead = {}, [(step, "handler")]
    while ahead:
        place = ahead.pop()
        functions, _ = module(place[0])
        if place not in found and place[1] in functions:
            found[place] = functions[place[1]]
            ahead.extend(mentions(place[0], functions[place[1]]))
    return found


def actions(step):
    """Give the IAM actions of all client methods that a step's code names."""
    used = set()
    for function in reached(step).values():
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and node.attr in methods():
                used |= methods()[node.attr]
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".get_paginator"):
                used |= methods()[node.args[0].value]
    return used


@pytest.mark.parametrize("step", STEPS)
def test_a_function_may_do_what_its_code_does_and_nothing_else(step):
    allowed = {action for actions_ in STEPS[step].may.values() for action in actions_}
    assert actions(step) | IMPLIED.get(step, set()) == allowed


def test_every_function_in_the_bundle_is_reached_from_a_handler():
    everywhere = {
        (path.stem, name) for path in FUNCTIONS.glob("*.py") for name in module(path.stem)[0]
    }
    everything = {place for step in STEPS for place in reached(step)}
    assert everywhere - everything == set(), "what nothing calls is dead"


def test_handlers_and_rows_are_the_same():
    handlers = {path.stem for path in FUNCTIONS.glob("*.py") if "handler" in module(path.stem)[0]}
    assert handlers == set(STEPS)
