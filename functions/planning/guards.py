"""The decorator of the guards, which check a run before anything is imported or trained.

A guard is a function that yields messages, which say what is wrong and what to do. The first line
of its docstring begins with "Yield a message for", and the rest of it is a row in `docs/guards.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from ..messages import Reason

Verdict = Literal["REFUSE", "WARN"]
Scope = Literal["run", "dataset", "export", "solution"]
Check = Callable[..., Iterator[Reason]]


class Guard(NamedTuple):
    """A check of a run, and what becomes of the run if the check finds something."""

    name: str
    verdict: Verdict
    """REFUSE fails the run. WARN adds a warning to the report."""
    scope: Scope
    """What the guard is called with: the run, each of its datasets, or each of its solutions. With
    `export`, it's each dataset whose export the run is going to import."""
    check: Check


def guard(name: str, verdict: Verdict, scope: Scope) -> Callable[[Check], Guard]:
    """Turn the decorated function into a guard."""
    return lambda check: Guard(name, verdict, scope, check)
