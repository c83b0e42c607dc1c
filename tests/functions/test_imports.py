"""What importing a handler costs: our own modules, a few of the standard library, and no more."""

import ast
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from components.bundles import bundle
from components.state_machine.steps import STEPS

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "functions").rglob("*.py"))
STANDARD_LIBRARY = {"_csv", "csv", "difflib"}
"""Modules that handlers import and `import boto3` does not, or not in every Python."""
LARGEST_BUNDLE = 50_000
"""Bytes of a zip; plan_retraining has the largest."""

PROBE = """
import json, os, sys

import boto3


def refuse(*arguments, **options):
    raise SystemExit(f"a client is made at import: {arguments}")


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
    sys.path.insert(0, os.path.abspath(step))
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
    """Import each handler from its bundle, in a process that has only `import boto3` behind it."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    for step in STEPS:
        for name, asset in bundle(step).assets.items():
            target = unpacked / step / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(asset.path, target)
    probe = subprocess.run(  # noqa: S603 - this interpreter, and a program from above
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
    found = [json.loads(line) for line in probe.stdout.splitlines()]
    assert [each["step"] for each in found] == list(STEPS), "each import came to its end"
    return {each["step"]: each for each in found}


@pytest.mark.parametrize("step", STEPS)
def test_a_handler_imports_what_boto3_does_our_own_and_stated_modules(imported, step):
    foreign = {name for name in imported[step]["imported"] if name.partition(".")[0] != "functions"}
    assert foreign <= STANDARD_LIBRARY, "a cold start has a fourteenth of a core"


def test_every_stated_module_is_needed(imported):
    names = {name for each in imported.values() for name in each["imported"]}
    assert names >= STANDARD_LIBRARY


@pytest.mark.parametrize("step", STEPS)
def test_importing_a_handler_reads_no_environment_and_makes_no_client(imported, step):
    assert imported[step]["handler"], "a client would have ended the process"
    assert imported[step]["environment"] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_names_only_the_standard_library_boto3_and_its_neighbours(path):
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    named = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            named |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            named.add(node.module.partition(".")[0])
    assert named <= sys.stdlib_module_names | {"boto3", "botocore"}


@pytest.mark.parametrize("step", STEPS)
def test_a_bundle_is_small(step):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, asset in bundle(step).assets.items():
            packed.write(asset.path, name)
    assert len(archive.getvalue()) < LARGEST_BUNDLE, "it is loaded at every cold start"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_opens_with_one_sentence(path):
    first = ast.get_docstring(ast.parse(path.read_text())).split("\n\n")[0]
    assert first.endswith((".", "?"))
    assert "\n" not in first
