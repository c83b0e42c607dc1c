"""Tests of the import of a handler: which modules it loads, and that it does nothing else."""

import ast
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from components.lambda_functions import function_code
from components.state_machine.steps import STEPS

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "functions").rglob("*.py"))
STANDARD_LIBRARY = {"_csv", "csv", "difflib"}
"""Modules that handlers import and that `import boto3` does not import in every Python."""
LARGEST_CODE = 200_000
"""Bytes of the zip that every function has."""

PROBE = """
import json, os, sys

import boto3


def refuse(*arguments, **options):
    raise SystemExit(f"a client is created at import: {arguments}")


class Environment(dict):
    read = []

    def __getitem__(self, key):
        self.read.append(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.read.append(key)
        return super().get(key, default)


boto3.client = boto3.resource = boto3.session.Session.__init__ = refuse
for name in json.loads(sys.argv[2]):
    sys.modules.pop(name, None)
before = set(sys.modules)
for step in json.loads(sys.argv[1]):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    os.environ = Environment(os.environ)
    sys.path.insert(0, os.getcwd())
    module = __import__(f"functions.{step}", fromlist=["handler"])
    print(json.dumps({
        "step": step,
        "handler": callable(module.handler),
        "imported": sorted(set(sys.modules) - before),
        "environment": Environment.read,
    }), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Import each handler from the code, in a process that has only imported boto3."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    for name, asset in function_code().assets.items():
        target = unpacked / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(asset.path, target)
    probe = subprocess.run(  # noqa: S603 - this interpreter and the program above
        [
            *(sys.executable, "-W", "error", "-c", PROBE),
            *(json.dumps(list(STEPS)), json.dumps(list(STANDARD_LIBRARY))),
        ],
        cwd=unpacked,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert probe.stderr == ""
    handlers = [json.loads(line) for line in probe.stdout.splitlines()]
    assert [handler["step"] for handler in handlers] == list(STEPS), "every import has ended"
    return {handler["step"]: handler for handler in handlers}


@pytest.mark.parametrize("step", STEPS)
def test_a_handler_imports_only_boto3_this_package_and_few_other_modules(imported, step):
    others = {name for name in imported[step]["imported"] if name.partition(".")[0] != "functions"}
    assert others <= STANDARD_LIBRARY, "a cold start has a fourteenth of a core"


def test_every_listed_module_is_imported(imported):
    names = {name for handler in imported.values() for name in handler["imported"]}
    assert names >= STANDARD_LIBRARY


@pytest.mark.parametrize("step", STEPS)
def test_the_import_of_a_handler_reads_no_environment_and_creates_no_client(imported, step):
    assert imported[step]["handler"], "the process ends if a client is created"
    assert imported[step]["environment"] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_the_standard_library_boto3_and_this_package(path):
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    imported_names = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            imported_names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            imported_names.add(node.module.partition(".")[0])
    assert imported_names <= sys.stdlib_module_names | {"boto3", "botocore"}


def test_the_code_of_a_function_is_small():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, asset in function_code().assets.items():
            packed.write(asset.path, name)
    assert len(archive.getvalue()) < LARGEST_CODE, "every cold start loads it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_docstring_of_a_module_begins_with_one_sentence(path):
    first = ast.get_docstring(ast.parse(path.read_text())).split("\n\n")[0]
    assert first.endswith((".", "?"))
    assert "\n" not in first
