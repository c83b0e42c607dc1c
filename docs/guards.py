"""Prints the page of the guards, by `python -m docs.guards > docs/guards.md`."""

import inspect
import sys

from functions.planning.guards import GUARDS, Guard

PAGE = """\
# The guards

`python -m docs.guards` prints this page from the table in `functions/planning/guards.py`.

The guards are checked before anything is imported or trained. So after a REFUSE or SKIP, the
campaigns serve what they served before.

- **REFUSE**: the run fails with the messages of all guards that refuse it.
- **SKIP**: the run ends without an error, unless another guard refuses it.
- **HOLD**: the solution is not trained. Imports, other solutions and waiting versions go on.
- **WARN**: the run goes on, and its report contains the message.

The message of a guard says what is wrong and what to do. A message about a dataset begins with its
key, for example `datasets.items: ...`. An export is not checked if the dataset holds it already, or
if a run is importing it. An export that changes after the plan is checked again before its import.

| guard | verdict | checked for | what it looks for | what to do |
| --- | --- | --- | --- | --- |
{rows}
"""
SCOPES = {
    "run": "the run",
    "dataset": "each dataset to import",
    "export": "each export to import",
    "solution": "each solution to train",
    "training": "each solution that needs a new version",
}


def page() -> str:
    """Return the page with one row for each guard, in the order in which they are checked."""
    return PAGE.format(rows="\n".join(_row(guard) for guard in GUARDS))


def _row(guard: Guard) -> str:
    """Return the row of a guard. The docstring of its check says what the guard looks for."""
    purpose = _first_sentence(inspect.getdoc(guard.check) or "").removeprefix(
        "Yield a message for "
    )
    cells = (guard.name, guard.verdict, SCOPES[guard.scope], purpose, guard.advice)
    return f"| {' | '.join(cells)} |"


def _first_sentence(text: str) -> str:
    """Return the first sentence of a docstring, without its full stop."""
    return text.partition("\n")[0].partition(". ")[0].rstrip(".")


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


if __name__ == "__main__":
    main()
