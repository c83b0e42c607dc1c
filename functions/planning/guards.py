"""The decorator for guards, which check a run before it imports or trains anything.

A guard is a function that yields messages, which say what is wrong and what to do. The first line
of its docstring begins with "Yield a message for". The rest of the line appears in
`docs/guards.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from ..common.messages import Reason

Effect = Literal["REFUSE", "WARN"]
Scope = Literal["run", "dataset", "export", "solution"]
Check = Callable[..., Iterator[Reason]]


class Guard(NamedTuple):
    """A check of a run, and what happens to the run if the check finds a problem."""

    name: str
    effect: Effect
    """REFUSE fails the run. WARN adds a warning to the report."""
    scope: Scope
    """What the guard checks: the run, each dataset, or each solution. With `export`, it checks each
    dataset whose export the run is going to import."""
    check: Check


def guard(name: str, effect: Effect, scope: Scope) -> Callable[[Check], Guard]:
    """Turn the decorated function into a guard."""
    return lambda check: Guard(name, effect, scope, check)
