"""Change the code on purpose, one change at a time: do the tests notice?

    python -m tests.mutants [--seconds 1800] [--seed 1]
    python -m tests.mutants --source 'emulator/personalize/*.py' --suite tests/emulator

A mutant is a copy of the project with one random change. It is killed if a test of a suite fails,
or takes far longer than usual. By default, the functions and the state machine are changed, and the
suites are `tests/model`, `tests/functions` and `tests/workflow`. The exit code is 1 if less than
85% are killed.
"""

import argparse
import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCES = ("functions/**/*.py", "components/state_machine/definition.py")
SUITES = ("tests/model", "tests/functions", "-n 2 tests/workflow")
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__")
LEAST_SHARE = 0.85
SWAPS = [(ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)]
SWAPS += [(ast.Is, ast.IsNot), (ast.In, ast.NotIn), (ast.And, ast.Or)]
SWAPPED = {first: second for pair in SWAPS for first, second in permutations(pair)}
NEXT_STATES = ("next_state", "on_error", "on_active", "on_failed", "default")
"""The arguments that name a next state of the workflow."""


class Change(NamedTuple):
    """A change of a syntax node. `fields` are the new values of its fields."""

    line: int
    description: str
    fields: dict[str, object]


class Mutant(NamedTuple):
    """The changed source of a module. `path` is relative to the root."""

    path: str
    description: str
    source: str


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    tree = ast.parse((ROOT / path).read_text())
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            for line, description, fields in changes(node):
                original = {name: getattr(node, name) for name in fields}
                vars(node).update(fields)
                source = ast.unparse(ast.fix_missing_locations(tree))
                vars(node).update(original)
                yield Mutant(path, f"{path}:{line}: {description}", source)


def changes(node: ast.AST) -> Iterator[Change]:
    """Yield every change of a node."""
    yield from _dropped_statements(node)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        negated = ast.UnaryOp(op=ast.Not(), operand=node.test)
        yield Change(node.lineno, f"negated {ast.unparse(node.test)!r}", {"test": negated})
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            swapped = SWAPPED[type(operator)]()
            operators = [*node.ops[:place], swapped, *node.ops[place + 1 :]]
            yield Change(node.lineno, _swap(node, swapped), {"ops": operators})
    elif isinstance(node, ast.BoolOp):
        swapped = SWAPPED[type(node.op)]()
        yield Change(node.lineno, _swap(node, swapped), {"op": swapped})
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield Change(node.lineno, f"{not node.value} for {node.value}", {"value": not node.value})
    elif isinstance(node, ast.Dict):
        yield from _dropped_entries(node)
    elif isinstance(node, ast.Call):
        yield from _redirected_states(node)


def _swap(node: ast.expr, operator: ast.AST) -> str:
    return f"{type(operator).__name__} in {ast.unparse(node)!r}"


def _dropped_statements(node: ast.AST) -> Iterator[Change]:
    """Drop a statement. Without a `raise`, an error is ignored."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        for place, statement in enumerate(block if isinstance(block, list) else []):
            is_docstring = isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Constant
            )
            if not is_docstring and not isinstance(statement, ast.FunctionDef | ast.Pass):
                remaining = [*block[:place], ast.Pass(), *block[place + 1 :]]
                description = f"dropped {ast.unparse(statement)[:60]!r}"
                yield Change(statement.lineno, description, {field: remaining})


def _dropped_entries(node: ast.Dict) -> Iterator[Change]:
    """Drop an entry of a dict that contains only constants."""
    if not all(isinstance(value, ast.Constant) for value in node.values):
        return
    for place, key in enumerate(node.keys):
        fields = {
            "keys": [*node.keys[:place], *node.keys[place + 1 :]],
            "values": [*node.values[:place], *node.values[place + 1 :]],
        }
        yield Change(node.lineno, f"dropped {ast.unparse(key)}", fields)


def _redirected_states(node: ast.Call) -> Iterator[Change]:
    """Replace a next state by another next state of the call: an error continues as a success."""
    targets = [keyword for keyword in node.keywords if keyword.arg in NEXT_STATES]
    for changed, source in permutations(targets, 2):
        keywords = [keyword for keyword in node.keywords if keyword is not changed]
        keywords.append(ast.keyword(arg=changed.arg, value=source.value))
        description = f"{changed.arg} is {ast.unparse(source.value)}"
        yield Change(node.lineno, description, {"keywords": keywords})


def _suite_passes(folder: Path, suite: str, seconds: float) -> bool:
    process = subprocess.Popen(  # noqa: S603 - the project's tests
        [sys.executable, "-m", "pytest", "-x", "-q", *suite.split()],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def tests_pass(folder: Path, suites: Sequence[str], seconds: float) -> bool:
    """Return True if all suites pass in a copy of the project, each within so many seconds."""
    return all(_suite_passes(folder, suite, seconds) for suite in suites)


def survives(mutant: Mutant, folder: Path, suites: Sequence[str], seconds: float) -> bool:
    """Return True if the tests pass although the copy of the project contains the mutant."""
    file = folder / mutant.path
    original = file.read_text()
    file.write_text(mutant.source)
    try:
        return tests_pass(folder, suites, seconds)
    finally:
        file.write_text(original)


def main() -> int:
    """Try mutants until the time is over, print the survivors, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--seconds", type=float, default=1800, help="the time for all mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--source",
        action="append",
        metavar="GLOB",
        help="the modules to change, as functions/personalize/*.py; may be given several times",
    )
    parser.add_argument(
        "--suite",
        action="append",
        metavar="ARGUMENTS",
        help="the arguments of pytest, as '-n 2 tests/workflow'; may be given several times",
    )
    arguments = parser.parse_args()
    sources = arguments.source or SOURCES
    suites = arguments.suite or SUITES
    end = time.monotonic() + arguments.seconds
    paths = [str(file.relative_to(ROOT)) for glob in sources for file in ROOT.glob(glob)]
    # A statement of a nested function is found twice.
    mutants = sorted({mutant for path in paths for mutant in mutants_of(path)})
    random.Random(arguments.seed).shuffle(mutants)  # noqa: S311 - a sample
    tried = 0
    survivors = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(ROOT, Path(temporary) / "copy", ignore=NOT_COPIED))
        started = time.monotonic()
        if not tests_pass(folder, suites, arguments.seconds):
            sys.exit("the tests fail without a mutant, or need more than all the time")
        limit = 2 * (time.monotonic() - started) + 10
        for mutant in mutants:
            if time.monotonic() + limit > end:
                break
            tried += 1
            if survives(mutant, folder, suites, limit):
                survivors.append(f"survived: {mutant.description}")
    share = (tried - len(survivors)) / max(tried, 1)
    summary = f"of {len(mutants)} mutants {tried} were tried, and {share:.0%} were killed"
    print(summary, *survivors, sep="\n")

    return 0 if share >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
