"""The decorator of the guards, which check a run before anything is imported or trained.

A guard is a function that yields messages, which say what is wrong and what to do. The first
sentence of its docstring describes it in `docs/guards.md`.
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
    """What the guard gets: the run, each of its datasets, each of its solutions, or each dataset
    whose export has to be imported and is not being imported yet."""
    check: Check


def guard(name: str, verdict: Verdict, scope: Scope) -> Callable[[Check], Guard]:
    """Return a decorator that turns a function into a guard."""
    return lambda check: Guard(name, verdict, scope, check)
