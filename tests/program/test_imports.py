"""Proves the house's order by reading the source: who imports whom, how long a module may be."""

import ast
from pathlib import Path

import pytest

from components.state_machine.steps import STEPS

ROOT = Path(__file__).parents[2]
ROOMS = ("components", "functions", "emulator", "retrain", "package", "settings", "__main__")
JUDGES = {
    f"components.rules.{name}" for name in ("arns", "locations", "metrics", "rates", "values")
}
"""Judge single values, or the datasets together."""

TABLE = {
    f"emulator.deployer.{name}"
    for name in ("aws", "errors", "naming", "rows", "translation", "wire")
}
"""What a row of the emulator's resource table is made of."""

MAY_IMPORT = {
    "functions": {"functions"},
    "components.state_machine.asl": set(),
    "components.state_machine.steps": set(),
    "components.rules.arns": {"components.rules.values"},
    "components.rules.locations": {"components.args", "components.rules.values"},
    "components.rules.metrics": set(),
    "components.rules.rates": set(),
    "components.bundles": set(),
    "components.rules.reading": set(),
    "components.rules.values": set(),
    "components.args": {"components.rules.metrics", "components.rules.rates"},
    "components.document": {"components.args", "components.rules.rates"},
    "components.rules.plain": {"components.args", "components.rules.values"},
    "components.rules.pipeline": {"components.args", "components.rules.plain", *JUDGES},
    "components.naming": {"components.state_machine.steps"},
    "components.rules.stacks": {"components.naming", "components.rules.values"},
    "components.rules": set(),
    "components.state_machine": set(),
    "components.iam": {
        "components.args",
        "components.rules.arns",
        "components.rules.values",
        "components.state_machine.steps",
    },
    "components.state_machine.definition": {"components.state_machine.asl", "components.args"},
    "components.lambda_functions": {
        "components.args",
        "components.bundles",
        "components.naming",
        "components.iam",
        "components.state_machine.steps",
    },
    "components.schedule": {"components.args", "components.iam"},
    "components.monitoring": {"components.lambda_functions", "components.naming"},
    "components.retraining_pipeline": {"components"},
    "components": {"components.args", "components.retraining_pipeline"},
    "settings": {
        "components.args",
        "components.rules.reading",
        "components.rules.pipeline",
        "components.rules.stacks",
        "components.rules.values",
    },
    "package": {"package", "components", "settings"},
    "__main__": {"settings", "components"},
    "retrain": {"retrain"},
    "retrain.rehearsal": {"retrain", "settings", "components", "functions", "emulator"},
    "emulator": {"emulator"},
    # The resource table knows nothing of who uses it: the monitor, or the engine's provider.
    "emulator.deployer.errors": set(),
    "emulator.deployer.wire": {"emulator.deployer.errors"},
    "emulator.deployer.translation": {"emulator.deployer.errors", "emulator.deployer.wire"},
    "emulator.deployer.rows": {
        *("emulator.deployer.aws", "emulator.deployer.naming", "emulator.deployer.translation")
    },
    "emulator.deployer.inputs": TABLE,
    "emulator.deployer.differences": {*TABLE, "emulator.deployer.inputs"},
    "emulator.deployer.lifecycle": {
        *TABLE,
        *("emulator.deployer.inputs", "emulator.deployer.differences"),
    },
    **{
        f"emulator.deployer.resources_{service}": {*TABLE, "emulator.deployer.bundle"}
        for service in ("events", "iam", "lambda", "logs", "sfn", "sqs")
    },
    "emulator.deployer.provider": {"emulator.deployer.service"},
}
"""Module, or package for all its modules, to what of ours it may import."""

ORDER = (
    ("functions.clock", "functions.contract", "functions.errors"),
    ("functions.aws",),
    ("functions.executions", "functions.exports"),
    ("functions.personalize",),
    ("functions.planning",),
    ("functions.report",),
    ("functions.log",),
    tuple(f"functions.{step}" for step in STEPS),
)
"""The rooms of functions/, from the ground up: each imports only itself and what is below it."""

LATE = ("retrain.rehearsal.emulate", "retrain.rehearsal.rehearse")
"""Are imported inside a function alone: the emulator's libraries need not be installed."""

CREATE_RESOURCES = {
    "components.iam",
    "components.lambda_functions",
    "components.monitoring",
    "components.retraining_pipeline",
    "components.schedule",
}


OPTIONS = {"parent", "depends_on", "aliases", "custom_timeouts", "ignore_changes"}
"""What a resource's options may say; everything else is for the caller to decide."""


def modules():
    """Give name and syntax tree of each module of the program."""
    for room in ROOMS:
        path = ROOT / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
            if ".venv" in file.relative_to(ROOT).parts:
                continue  # the environment that `pulumi install` makes for the plugin
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, file, ast.parse(file.read_text())


MODULES = {name: (file, tree) for name, file, tree in modules()}


def imports(name, tree):
    """Give the full name of each module of ours that is imported anywhere in a syntax tree."""
    package = name.split(".") if MODULES[name][0].name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found = [
                whole if (whole := f"{module}.{alias.name}") in MODULES else module
                for alias in node.names
            ]
        else:
            continue
        yield from (each for each in found if room(each) in ROOMS)


def test_functions_import_only_from_their_own_room_and_from_below():
    floors = {name: floor for floor, names in enumerate(ORDER) for name in names}
    upwards = []
    for name in (each for each in MODULES if each.startswith("functions.")):
        (mine,) = [each for each in floors if within(name, [each])]
        for imported in imports(name, MODULES[name][1]):
            room = next((each for each in floors if within(imported, [each])), None)
            if room and room != mine and floors[room] >= floors[mine]:
                upwards.append((name, imported))
    assert upwards == []


def late_imports(name, tree):
    """Give those of them that happen inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(name, node)


def within(module, allowed):
    """Tell whether a module is one of those allowed, or in a package of them."""
    return any(module == each or module.startswith(f"{each}.") for each in allowed)


def room(name):
    """Give the package, or top module, that a module belongs to."""
    return name.split(".")[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_place_in_the_house_allows(name):
    if name.startswith("components."):
        assert name in MAY_IMPORT, "every module of the component has a rule of its own"
    nearest = max((each for each in MAY_IMPORT if within(name, [each])), key=len)
    allowed = MAY_IMPORT[nearest]
    assert [each for each in imports(name, MODULES[name][1]) if not within(each, allowed)] == []


@pytest.mark.parametrize("name", [each for each in MODULES if each not in LATE])
def test_the_rehearsal_is_imported_only_when_it_is_asked_for(name):
    tree = MODULES[name][1]
    everywhere = [each for each in imports(name, tree) if within(each, LATE)]
    assert everywhere == [each for each in late_imports(name, tree) if within(each, LATE)]


@pytest.mark.parametrize("name", [each for each in MODULES if within(each, ["components"])])
def test_imports_inside_the_component_are_relative_so_that_it_can_be_installed(name):
    absolute = [
        node.lineno
        for node in ast.walk(MODULES[name][1])
        if (
            isinstance(node, ast.ImportFrom)
            and not node.level
            and node.module.split(".")[0] in ROOMS
        )
        or (isinstance(node, ast.Import) and node.names[0].name.split(".")[0] in ROOMS)
    ]
    assert absolute == []


def test_only_the_modules_that_create_resources_know_the_aws_provider():
    knowing = {
        name
        for name, (_, tree) in MODULES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any("pulumi_aws" in a.name for a in node.names))
        or (isinstance(node, ast.ImportFrom) and "pulumi_aws" in (node.module or ""))
    }
    assert knowing == CREATE_RESOURCES


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_about(name):
    _, tree = MODULES[name]
    assert ast.get_docstring(tree), "a module opens with one sentence"


@pytest.mark.parametrize("name", sorted(CREATE_RESOURCES))
def test_every_resource_and_lookup_names_its_parent_and_never_passes_the_callers_options_on(name):
    for call in (node for node in ast.walk(MODULES[name][1]) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in ("pulumi.ResourceOptions", "pulumi.InvokeOptions"):
            written = {each.arg for each in call.keywords}
            assert "parent" in written, f"line {call.lineno}"
            assert written <= OPTIONS, f"line {call.lineno}"
        if ast.unparse(call.func).endswith("ResourceOptions.merge"):
            pytest.fail(f"line {call.lineno} merges options")
