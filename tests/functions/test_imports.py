"""What importing a handler costs: our own modules, a few of the standard library, and no more."""

import ast
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from components.lambda_functions import bundle
from components.steps import STEPS

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "functions").glob("*.py"))
STANDARD_LIBRARY = {"difflib"}
"""Modules that handlers import and `import boto3` does not."""
LARGEST_BUNDLE = 60_000
"""The guards doubled the code: plan_retraining, which has most of it, imports in some 20 ms instead
of 15, beside 130 ms for boto3.
"""

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
before = set(sys.modules)
for step in json.loads(sys.argv[1]):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    os.environ = Environment(os.environ)
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
def imported():
    """Import each handler in a process that has only `import boto3` behind it."""
    probe = subprocess.run(  # noqa: S603 - this interpreter, and a program from above
        [sys.executable, "-W", "error", "-c", PROBE, json.dumps(list(STEPS))],
        cwd=ROOT,
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


def test_the_bundle_is_every_module_and_small():
    assert set(bundle().assets) == {f"functions/{path.name}" for path in MODULES}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in MODULES:
            packed.write(path, f"functions/{path.name}")
    assert len(archive.getvalue()) < LARGEST_BUNDLE, "it is loaded at every cold start"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_opens_with_one_sentence_and_stays_short(path):
    text = path.read_text()
    first = ast.get_docstring(ast.parse(text)).split("\n\n")[0]
    assert first.endswith((".", "?"))
    assert "\n" not in first
    assert text.count("\n") <= 300
