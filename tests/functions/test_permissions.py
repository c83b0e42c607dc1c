"""Tests that each function may call exactly the actions that its code uses.

The code is read, not run: from a handler, through every function that it can reach in functions/,
to the methods of boto3's clients.
"""

import ast
from functools import cache
from pathlib import Path

import boto3
import pytest

from components.function_configs import FUNCTION_CONFIGS
from tests.functions.samples import REGION

FUNCTIONS = Path(__file__).parents[2] / "functions"
CODE = (ast.FunctionDef, ast.ClassDef)
PREFIXES = {
    "personalize": "personalize",
    "personalize-runtime": "personalize",
    "s3": "s3",
    "cloudwatch": "cloudwatch",
    "events": "events",
    "scheduler": "scheduler",
    "sns": "sns",
    "stepfunctions": "states",
}
"""Service as boto3 names it -> the prefix of its IAM actions."""
CLIENTS = {
    "PersonalizeClient": "personalize",
    "PersonalizeRuntimeClient": "personalize-runtime",
    "S3Client": "s3",
    "SFNClient": "stepfunctions",
    "CloudWatchClient": "cloudwatch",
    "BaseClient": None,
    "Client": None,
}
"""Type of a function's `client` -> its service. None stands for any client."""
CLIENT_CALLS = {
    "personalize_read_client": "personalize",
    "personalize_write_client": "personalize",
    "personalize_runtime_client": "personalize-runtime",
    "cloudwatch": "cloudwatch",
    "scheduler": "scheduler",
    "stepfunctions": "stepfunctions",
    "sns": "sns",
    "eventbridge": "events",
}
"""Function of `common/aws.py` -> the service of its client."""
RENAMED = {"s3:ListObjectsV2": "s3:ListBucket"}
"""IAM actions that have another name than their operation."""
IMPLIED = {
    # Tags in a create need an action of their own, and so does the role of an import job.
    "import_dataset": {"iam:PassRole", "kms:Decrypt"},
    "train_solution": {"personalize:TagResource"},
    # S3 decrypts an object only if the caller may use its key.
    "run_batch_job": {"iam:PassRole", "kms:Decrypt", "personalize:TagResource"},
    "plan_retraining": {"kms:Decrypt"},
    # The publisher to an encrypted topic uses the key of the topic.
    "report_outcome": {"kms:GenerateDataKey", "kms:Decrypt"},
    "close_run": {"kms:GenerateDataKey", "kms:Decrypt"},
}
"""Actions that a request needs beside the action of its operation."""


@cache
def methods():
    """Return (service, method) -> IAM action. A paginator has the name of its method."""
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
    """Return name -> node of the definitions of a module, and name -> origin of its imports.

    `name` is the path below functions/ without the suffix, for example `personalize/imports`. The
    node of a constant is its value.
    """
    path = FUNCTIONS / f"{name}.py"
    definitions = {}
    imported = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, CODE):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            definitions[ast.unparse(target)] = node.value
        elif isinstance(node, ast.ImportFrom) and node.level:
            owner = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for alias in node.names:
                origin = (owner, alias.name)
                if owner.is_dir():  # a module, not a name in it
                    origin = (owner / alias.name, None)
                owner_name = origin[0].relative_to(FUNCTIONS).as_posix()
                imported[alias.asname or alias.name] = (owner_name, origin[1])

    return definitions, imported


def mentions(module_name, part):
    """Yield the definitions that a part of a module mentions, as (module, name)."""
    definitions, imported = module(module_name)
    for node in ast.walk(part):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner, name = imported.get(node.value.id, (None, ""))
            if name is None:  # from . import exports; exports.read_export(...)
                yield owner, node.attr
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in definitions:
                yield module_name, node.id
            owner, name = imported.get(node.id, (None, None))
            if name:
                yield owner, name
            elif owner:  # a table of modules leads to their guards
                yield from ((owner, guard) for guard in guards(owner))


def guards(module_name):
    """Yield the names of the guards of a module."""
    for name, node in module(module_name)[0].items():
        decorators = node.decorator_list if isinstance(node, CODE) else []
        if any(ast.unparse(decorator).startswith("guard(") for decorator in decorators):
            yield name


def reached(step):
    """Return (module, name) -> node of the functions and classes that a step's handler can reach.

    A constant or a class can lead to functions too, for example the table of the guards.
    """
    nodes = {}
    waiting = [(step, "handler")]
    while waiting:
        module_name, name = found = waiting.pop()
        node = module(module_name)[0].get(name)
        if found not in nodes and node is not None:
            nodes[found] = node
            waiting.extend(mentions(module_name, node))

    return {found: node for found, node in nodes.items() if isinstance(node, CODE)}


def actions(step):
    """Return the IAM actions of all client methods that a step's code names."""
    used = set()
    for node in reached(step).values():
        services = services_in(node)
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute):
                used.add(methods().get((services.get(ast.unparse(part.value)), part.attr)))
            if not isinstance(part, ast.Call):
                continue
            if ast.unparse(part.func) == "read_list":
                client, operation, *_ = part.args
                used.add(methods()[services[ast.unparse(client)], operation.value])
            elif ast.unparse(part.func).endswith("client.get_paginator"):
                service = services[ast.unparse(part.func.value)]
                used.add(methods()[service, part.args[0].value])

    return used - {None}


def services_in(node):
    """Return expression -> service of the clients in a function or class.

    A client is the argument `client`, the attribute `_client`, or the result of a function.
    """
    services = {
        f"{module_name}{call}()": service
        for call, service in CLIENT_CALLS.items()
        for module_name in ("aws.", "")
    }
    for part in ast.walk(node):
        if isinstance(part, ast.arg) and part.arg == "client":
            service = CLIENTS[ast.unparse(part.annotation)]
            services |= {"client": service, "self._client": service}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign) and ast.unparse(part.value) in services:
            services[ast.unparse(part.targets[0])] = services[ast.unparse(part.value)]

    return services


@pytest.mark.parametrize("step", FUNCTION_CONFIGS)
def test_a_function_may_call_what_its_code_uses_and_nothing_else(step):
    allowed = {action for kind in FUNCTION_CONFIGS[step].permissions.values() for action in kind}
    assert actions(step) | IMPLIED.get(step, set()) == allowed


def test_every_function_in_the_code_is_reached_from_a_handler():
    files = FUNCTIONS.rglob("*.py")
    names = [path.relative_to(FUNCTIONS).with_suffix("").as_posix() for path in files]
    everywhere = {
        (module_name, name)
        for module_name in names
        for name, node in module(module_name)[0].items()
        if isinstance(node, CODE)
    }
    everything = {found for step in FUNCTION_CONFIGS for found in reached(step)}

    assert everywhere - everything == set(), "a function that nothing calls can be deleted"


def test_handlers_and_rows_are_the_same():
    handlers = {path.stem for path in FUNCTIONS.glob("*.py") if "handler" in module(path.stem)[0]}
    assert handlers == set(FUNCTION_CONFIGS)
