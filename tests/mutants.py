"""Break functions and workflow on purpose, one mutant at a time: do the tests notice?

    python -m tests.mutants [--seconds 1800] [--seed 1] [--only functions/gate.py]

Mutants are drawn at random until the seconds are over, and are made in a temporary copy. One has
died if a test fails in `tests/functions` or `tests/workflow`, or if these take far longer than
usual. The test of random faults (`test_exactly_once.py`) takes minutes, and is left out. Fails
where fewer than 85% die.
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
SOURCES = ("functions/*.py", "components/workflow.py")
SUITES = (["tests/functions"], ["tests/workflow", "--ignore=tests/workflow/test_exactly_once.py"])
IGNORED = shutil.ignore_patterns(".*", "__pycache__")
ENOUGH = 0.85
"""Share of the mutants that have to die."""
PAIRS = ["Lt LtE", "Gt GtE", "Eq NotEq", "Is IsNot", "In NotIn", "And Or"]
NEIGHBOURS = {a: b for pair in PAIRS for a, b in (pair.split(), reversed(pair.split()))}
WAYS = ("then", "on_error", "ended", "otherwise")
"""Where a state of the workflow leads to; an error that goes the way of success is swallowed."""

Edit = tuple[int, str, dict[str, object]]
"""A line, what is done there in words, and the values of the node's fields afterwards."""


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Give each mutant of a module: what was done, and its source."""
    tree = ast.parse(source)
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    for function in [*tree.body, *(each for one in classes for each in one.body)]:
        for node in ast.walk(function) if isinstance(function, ast.FunctionDef) else []:
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
            other = _neighbour(operator)
            what = f"{type(other).__name__} in {ast.unparse(node)!r}"
            yield node.lineno, what, {"ops": [*node.ops[:place], other, *node.ops[place + 1 :]]}
    elif isinstance(node, ast.BoolOp):
        what = f"{NEIGHBOURS[type(node.op).__name__]} in {ast.unparse(node)!r}"
        yield node.lineno, what, {"op": _neighbour(node.op)}
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node.lineno, f"{not node.value} for {node.value}", {"value": not node.value}
    elif isinstance(node, ast.Call):
        for one, other in combinations([each for each in node.keywords if each.arg in WAYS], 2):
            rest = [each for each in node.keywords if each is not other]
            wrong = ast.keyword(arg=other.arg, value=one.value)
            what = f"{other.arg} is {ast.unparse(one.value)}"
            yield other.value.lineno, what, {"keywords": [*rest, wrong]}


def _neighbour(operator: ast.AST) -> ast.AST:
    return getattr(ast, NEIGHBOURS[type(operator).__name__])()


def _status(node: ast.AST, function: ast.FunctionDef) -> Iterator[Edit]:
    """Take the status of another variable: the campaign's for that of its latest update."""
    if isinstance(node, ast.Subscript) and ast.unparse(node).endswith("['status']"):
        known = {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
        for other in sorted(known & {"described", "latest"} - {ast.unparse(node.value)}):
            value = ast.Name(id=other, ctx=ast.Load())
            yield node.lineno, f"the status of {other}", {"value": value}


def passes(copy: Path, seconds: float) -> bool:
    """Tell whether all tests pass in the copy, each suite within so many seconds."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for suite in SUITES:
        command = [sys.executable, "-m", "pytest", "-x", "-q", *suite]
        with subprocess.Popen(  # noqa: S603 - our own tests
            command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        ) as tests:
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
    parser.add_argument("--only", help="one module, as functions/gate.py")
    given = parser.parse_args()
    ends = time.monotonic() + given.seconds
    files = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    names = [str(path.relative_to(ROOT)) for path in files]
    names = [name for name in names if given.only in (None, name)]
    drawn = [(name, *each) for name in names for each in mutants((ROOT / name).read_text())]
    random.Random(given.seed).shuffle(drawn)  # noqa: S311 - a sample
    died, survivors = 0, []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder) / "copy", ignore=IGNORED))
        began = time.monotonic()
        if not passes(copy, given.seconds):
            sys.exit("the tests fail without any mutant, or take longer than the whole budget")
        usual = time.monotonic() - began
        for name, what, source in drawn:
            longest = 3 * usual + 10
            if time.monotonic() + longest > ends:
                break
            before = (copy / name).read_text()
            (copy / name).write_text(source)
            if passes(copy, longest):
                survivors.append(f"{name}:{what}")
            else:
                died += 1
            (copy / name).write_text(before)
    tried = died + len(survivors)
    print(f"{died} of {tried} mutants died ({died / max(tried, 1):.0%}); there are {len(drawn)}")
    print("\n".join(f"survived: {each}" for each in survivors))
    return 0 if died >= ENOUGH * tried else 1


if __name__ == "__main__":
    sys.exit(main())
