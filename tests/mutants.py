"""Break functions and workflow on purpose, one mutant at a time: do the tests notice?

    python -m tests.mutants [--seconds 1800] [--seed 1] [--only functions/personalize/gate.py]

Mutants are drawn at random until the time is up, and made in a temporary copy. One has died if
a test fails in `tests/functions` or `tests/workflow` (without that of random faults, which takes
minutes), or if these take far longer than usual. Fails if fewer than 85% die.
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
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("functions/**/*.py", "components/state_machine/definition.py")
SUITES = "tests/functions", "-n 2 tests/workflow --ignore=tests/workflow/test_exactly_once.py"
IGNORED = shutil.ignore_patterns(".*", "__pycache__")
PAIRS = "Lt LtE", "Gt GtE", "Eq NotEq", "Is IsNot", "In NotIn", "And Or"
KINDS = [[getattr(ast, name) for name in pair.split()] for pair in PAIRS]
NEIGHBOURS = {**dict(KINDS), **{other: one for one, other in KINDS}}
WAYS = ("next_state", "on_active", "on_error", "on_failed", "default")
"""Where a state of the workflow leads to; an error that goes the way of success is swallowed."""

Edit = tuple[int, str, dict[str, object]]
"""A line, what is done there in words, and the values of the node's fields afterwards."""


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Give each mutant of a module: what was done, and its source."""
    tree = ast.parse(source)
    for function in (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)):
        for node in ast.walk(function):
            for line, what, values in (*_dropped(node), *_turned(node), *_status(node, function)):
                before = {name: getattr(node, name) for name in values}
                vars(node).update(values)
                yield f"{line}: {what}", ast.unparse(ast.fix_missing_locations(tree))
                vars(node).update(before)


def _dropped(node: ast.AST) -> Iterator[Edit]:
    """Drop a statement (a raise: the error is swallowed), or an entry of a plain dict."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        for place, each in enumerate(block if isinstance(block, list) else []):
            docstring = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            if not docstring and not isinstance(each, ast.FunctionDef | ast.Pass):
                left = [*block[:place], ast.Pass(), *block[place + 1 :]]
                yield each.lineno, f"dropped {ast.unparse(each)[:60]!r}", {name: left}
    if isinstance(node, ast.Dict) and all(isinstance(each, ast.Constant) for each in node.values):
        for place, key in enumerate(node.keys):
            keys, values = (
                [*all_[:place], *all_[place + 1 :]] for all_ in (node.keys, node.values)
            )
            yield node.lineno, f"dropped {ast.unparse(key)}", {"keys": keys, "values": values}


def _turned(node: ast.AST) -> Iterator[Edit]:
    """Negate a condition, take the neighbour of an operator, let one way out be the other."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        negated = ast.UnaryOp(op=ast.Not(), operand=node.test)
        yield node.lineno, f"negated {ast.unparse(node.test)!r}", {"test": negated}
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = NEIGHBOURS[type(operator)]()
            what = f"{type(other).__name__} in {ast.unparse(node)!r}"
            yield node.lineno, what, {"ops": [*node.ops[:place], other, *node.ops[place + 1 :]]}
    elif isinstance(node, ast.BoolOp):
        other = NEIGHBOURS[type(node.op)]()
        yield node.lineno, f"{type(other).__name__} in {ast.unparse(node)!r}", {"op": other}
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node.lineno, f"{not node.value} for {node.value}", {"value": not node.value}
    elif isinstance(node, ast.Call):
        for one, other in combinations([each for each in node.keywords if each.arg in WAYS], 2):
            rest = [each for each in node.keywords if each is not other]
            keywords = [*rest, ast.keyword(arg=other.arg, value=one.value)]
            yield node.lineno, f"{other.arg} is {ast.unparse(one.value)}", {"keywords": keywords}


def _status(node: ast.AST, function: ast.FunctionDef) -> Iterator[Edit]:
    """Take the status of another variable: the campaign's for that of its latest update."""
    if isinstance(node, ast.Subscript) and ast.unparse(node).endswith("['status']"):
        known = {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
        for other in sorted(known & {"described", "latest"} - {ast.unparse(node.value)}):
            yield node.lineno, f"the status of {other}", {"value": ast.Name(id=other)}


def passes(copy: Path, seconds: float) -> bool:
    """Tell whether all tests pass in the copy, each suite within so many seconds."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for suite in SUITES:
        command = [sys.executable, "-m", "pytest", "-x", "-q", *suite.split()]
        tests = subprocess.Popen(  # noqa: S603 - our own tests
            command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            if tests.wait(timeout=seconds) != 0:
                return False
        except subprocess.TimeoutExpired:
            return False
        finally:
            if tests.poll() is None:
                os.killpg(tests.pid, signal.SIGKILL)
    return True


def main() -> int:
    """Try mutants until the time is over; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--seconds", type=float, default=1800, help="the whole budget")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one module, as functions/personalize/gate.py")
    given = parser.parse_args()
    ends = time.monotonic() + given.seconds
    every = [str(path.relative_to(ROOT)) for each in SOURCES for path in ROOT.glob(each)]
    names = [given.only] if given.only else every
    drawn = sorted({(at, *each) for at in names for each in mutants((ROOT / at).read_text())})
    random.Random(given.seed).shuffle(drawn)  # noqa: S311 - a sample
    tried, survivors = 0, []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder) / "copy", ignore=IGNORED))
        began = time.monotonic()
        if not passes(copy, given.seconds):
            sys.exit("the tests fail without any mutant, or take longer than the whole budget")
        usual = time.monotonic() - began
        for name, what, source in drawn:
            if time.monotonic() + (longest := 2 * usual + 10) > ends:
                break
            before = (copy / name).read_text()
            (copy / name).write_text(source)
            tried += 1
            if passes(copy, longest):
                survivors.append(f"survived: {name}:{what}")
            (copy / name).write_text(before)
    share = (tried - len(survivors)) / max(tried, 1)
    print(f"of {len(drawn)} mutants {tried} were tried, and {share:.0%} died", *survivors, sep="\n")
    return 0 if share >= 0.85 else 1


if __name__ == "__main__":
    sys.exit(main())
