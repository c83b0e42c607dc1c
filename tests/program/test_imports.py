"""Proves the rules about modules: what they import, who creates resources, and with what options.

The tests read the source.
"""

import ast
import functools
import re
from pathlib import Path

from components.function_configs import FUNCTION_CONFIGS

ROOT = Path(__file__).parents[2]
ROOMS = ("components", "functions", "emulator", "retrain", "package", "__main__")
MAY_IMPORT = {
    "functions": {"functions"},
    "functions.constants": set(),
    "components": {"components"},
    "components.constants": {"functions.constants"},
    "package": {"package", "components"},
    "__main__": {"components"},
    "retrain": {"retrain"},
    "retrain.rehearsal": {"retrain", "components", "functions", "emulator"},
    **{
        room: {"retrain", "components", "functions"}
        for room in ("retrain.account", "retrain.act", "retrain.check", "retrain.look")
    },
    "emulator": {"emulator"},
}
"""Module, or package for all its modules, to the modules of this project that it may import."""

ORDER = (
    ("functions.common", "functions.run", "functions.s3"),
    (
        "functions.common.clock",
        "functions.constants",
        "functions.common.hashes",
        "functions.common.messages",
    ),
    ("functions.contract",),
    ("functions.common.formatting",),
    ("functions.common.errors", "functions.run.execution_data"),
    ("functions.rules",),
    ("functions.common.prices", "functions.reconcile"),
    ("functions.common.truncation",),
    ("functions.common.aws", "functions.s3.csv_files"),
    ("functions.bake_alarms", "functions.run.executions", "functions.s3.exports"),
    ("functions.run.execution_input", "functions.run.admission", "functions.run.deployment_spec"),
    ("functions.personalize",),
    ("functions.common.metrics",),
    ("functions.planning",),
    ("functions.report",),
    ("functions.common.log",),
    tuple(f"functions.{step}" for step in FUNCTION_CONFIGS),
    ("components.constants", "components.rules.run_times"),
    ("components.rules.single_settings",),
    ("components.state_machine.asl", "components.function_configs"),
    ("components.errors", "components.naming"),
    ("components.rules.arns",),
    ("components.args",),
    ("components.args_reader", "components.context"),
    ("components.iam", "components.rules.several_settings", "components.workflow_settings"),
    ("components.alarms", "components.lambda_functions", "components.schedules"),
    ("components.dashboard", "components.state_machine.definition"),
    ("components.pipeline", "components.settings"),
    ("components",),
)
"""The layers of functions/ and of components/, from the bottom. Each layer imports only modules of
the layers below and of the same entry."""

LATE_IMPORTS = ("retrain.rehearsal.rehearse",)
"""Modules that are imported only inside functions, because they need the emulator's libraries."""

CREATE_RESOURCES = {
    f"components.{name}"
    for name in (
        "alarms",
        "context",
        "dashboard",
        "lambda_functions",
        "iam",
        "pipeline",
        "schedules",
    )
}

OPTIONS = {"parent", "depends_on", "aliases", "custom_timeouts"}
"""The options that a resource may set. The caller decides about all others."""


def modules():
    """Yield the name and the file of each module of the program."""
    for room in ROOMS:
        path = ROOT / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
            if {".venv", "python"} & set(file.relative_to(ROOT).parts):
                continue  # the plugin's environment, and the two modules that only the wheel has
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, file


MODULES = dict(modules())


@functools.cache
def syntax_tree(name):
    """Return the syntax tree of a module. Only the process that runs these tests parses it."""
    return ast.parse(MODULES[name].read_text())


def imports(name, tree):
    """Yield the full name of each module of this project that a syntax tree imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = absolute_name(name, node)
            imported = [
                full_name if (full_name := f"{module}.{alias.name}") in MODULES else module
                for alias in node.names
            ]
        else:
            continue
        yield from (module for module in imported if module.split(".")[0] in ROOMS)


def absolute_name(importer, node):
    """Return the absolute name of the module after `from` in a module."""
    is_package = MODULES[importer].name == "__init__.py"
    package = importer.split(".") if is_package else importer.split(".")[:-1]
    base = package[: len(package) - node.level + 1] if node.level else []
    return ".".join([*base, *([node.module] if node.module else [])])


def late_imports(name, tree):
    """Yield the imports inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(name, node)


def is_in(module, packages):
    """Return True if a module is one of these modules or in one of these packages."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def entry_of(name, layers):
    """Return the entry that a module belongs to, or None if no layer has it."""
    return max((module for module in layers if is_in(name, [module])), key=len, default=None)


def test_a_module_imports_only_its_layer_entry_and_lower_layers():
    layers = {name: number for number, names in enumerate(ORDER) for name in names}
    upward_imports = []
    for name in (name for name in MODULES if name.startswith(("functions.", "components."))):
        entry = entry_of(name, layers)
        assert entry, f"{name} has a layer"
        for imported in imports(name, syntax_tree(name)):
            other_entry = entry_of(imported, layers)
            if other_entry not in (None, entry) and layers[other_entry] >= layers[entry]:
                upward_imports.append((name, imported))

    assert upward_imports == []


def test_a_module_imports_only_what_its_rule_allows():
    forbidden = []
    for name in MODULES:
        rule = entry_of(name, MAY_IMPORT)
        imported = imports(name, syntax_tree(name))
        forbidden += [(name, module) for module in imported if not is_in(module, MAY_IMPORT[rule])]
    assert forbidden == []


def test_the_rehearsal_is_imported_only_when_it_is_used():
    for name in MODULES.keys() - set(LATE_IMPORTS):
        tree = syntax_tree(name)
        all_imports = [module for module in imports(name, tree) if is_in(module, LATE_IMPORTS)]
        late = [module for module in late_imports(name, tree) if is_in(module, LATE_IMPORTS)]
        assert all_imports == late, name


def importing(modules, packages):
    """Return the modules that import one of the packages by its absolute name."""
    pattern = re.compile(rf"^ *(?:from|import) (?:{'|'.join(packages)})\b", re.MULTILINE)
    return {name for name in modules if pattern.search(MODULES[name].read_text())}


def test_the_commands_for_a_real_account_work_without_the_emulator():
    rehearsal = {name for name in MODULES if is_in(name, ["retrain.rehearsal"])}
    owners_side = {name for name in MODULES if is_in(name, ["retrain"])} - rehearsal
    assert importing(owners_side, ["emulator"]) == set()

    # Completing a command line and `adopt` need these two, so they are imported in each process.
    for name in ("retrain.rehearsal.local_commands", "retrain.rehearsal.scenarios"):
        assert importing([name], ["emulator"]) == set()


def test_imports_inside_the_component_are_relative_so_that_it_can_be_installed():
    inside = [name for name in MODULES if is_in(name, ["components"])]
    assert importing(inside, ROOMS) == {"components.constants"}, "it imports them relatively first"


def test_only_these_modules_import_the_aws_provider():
    assert importing(MODULES, ["pulumi_aws"]) == CREATE_RESOURCES


def test_every_resource_and_lookup_has_a_parent_and_only_allowed_options():
    for name in CREATE_RESOURCES:
        for call in (node for node in ast.walk(syntax_tree(name)) if isinstance(node, ast.Call)):
            place = f"{name}, line {call.lineno}"
            if ast.unparse(call.func) in ("pulumi.ResourceOptions", "pulumi.InvokeOptions"):
                options = {keyword.arg for keyword in call.keywords}
                assert "parent" in options, place
                assert options <= OPTIONS, place
            assert not ast.unparse(call.func).endswith("ResourceOptions.merge"), place
