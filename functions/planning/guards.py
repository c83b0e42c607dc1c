"""The decorator of the guards, which check a run before anything is imported or trained.

A guard is a function that yields messages. A message says what is wrong and what to do. The first
sentence of its docstring is its row in `docs/guards.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

Verdict = Literal["REFUSE", "WARN"]
Scope = Literal["run", "dataset", "export", "solution"]
Check = Callable[..., Iterator[str]]


class Guard(NamedTuple):
    """A check of a run, with what happens if it finds something."""

    name: str
    verdict: Verdict
    """REFUSE fails the run. WARN adds a warning to the report."""
    scope: Scope
    """`run` is checked once, `dataset` for each dataset of the run, `export` for each export that
    the run has to import and has not begun to import, and `solution` for each solution of the
    run."""
    check: Check


def guard(name: str, verdict: Verdict, scope: Scope) -> Callable[[Check], Guard]:
    """Return a decorator that makes a guard of a function."""
    return lambda check: Guard(name, verdict, scope, check)
