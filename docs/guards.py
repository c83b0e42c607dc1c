"""Prints the page of the guards, by `python -m docs.guards > docs/guards.md`."""

import inspect
import sys

from functions.planning.guards import Guard
from functions.planning.plan_run import GUARDS

PAGE = """\
# The guards

`python -m docs.guards` prints this page from the guards in `functions/planning/`.

The guards are checked before anything is imported or trained. So if a guard refuses the run, the
campaigns serve what they served before.

- **REFUSE**: the run fails with the messages of all guards that refuse it.
- **WARN**: the run goes on, and its report contains the message.

The message of a guard says what is wrong and what to do. A message about a dataset begins with its
key, for example `datasets.items: ...`. An export is not checked if the dataset holds it already, or
if a run is importing it. An export that changes after the plan is checked again before its import.

Three more rules need no guard. A run that the deployment of its schedule has caused is skipped, and
so is a run that has nothing to import, to train or to deploy. A solution that was trained as often
as `limits.maxTrainingsPerMonth` allows is not trained, but imports, other solutions and waiting
versions go on.

| guard | verdict | checked for | what it looks for |
| --- | --- | --- | --- |
{rows}
"""
SCOPES = {
    "run": "the run",
    "dataset": "each dataset to import",
    "export": "each export to import",
    "solution": "each solution to train",
}


def page() -> str:
    """Return the page with one row for each guard, in the order in which they are checked."""
    return PAGE.format(rows="\n".join(_row(guard) for guard in GUARDS))


def _row(guard: Guard) -> str:
    """Return the row of a guard. The docstring of its check says what the guard looks for."""
    purpose = _first_sentence(inspect.getdoc(guard.check) or "").removeprefix(
        "Yield a message for "
    )
    cells = (guard.name, guard.effect, SCOPES[guard.scope], purpose)
    return f"| {' | '.join(cells)} |"


def _first_sentence(text: str) -> str:
    """Return the first sentence of a docstring, without its full stop."""
    return text.partition("\n")[0].partition(". ")[0].rstrip(".")


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


if __name__ == "__main__":
    main()
