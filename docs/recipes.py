"""Prints the page of the recipes, by `python -m docs.recipes > docs/recipes.md`."""

import sys

from functions.common.formatting import format_list
from functions.rules.recipes import RECIPES, Recipe, has_segment_jobs

PAGE = """\
# The recipes

`python -m docs.recipes` prints this page from `functions/rules/recipes.py`, which has what AWS
documents about each recipe. Guards, the quality gate, prices, `retrain adopt` and the rehearsal
take it from there. A run warns of a recipe that is not in the table, and checks nothing about it.

- **probe**: the request that a campaign answers, and what a [probe](runs.md#what-the-probe-asks)
  has to name. What is in brackets is needed only for some filters.
- **batch job**: what each line of the input of a [batch job](batch-jobs.md) needs.
- **billed by**: what AWS counts in a training. Reports and `retrain plan` price only hours.
- **tuned**: who optimizes the hyperparameters. With the recipes of version 2, AWS does it only if
  [Personalize trains](deployment.md#who-trains-a-solution). With the others, `performHPO` is a
  setting of the solution.

| recipe | probe | batch job | billed by | tuned | settings of its own |
| --- | --- | --- | --- | --- | --- |
{rows}
"""


def page() -> str:
    """Return the page with one row for each recipe."""
    return PAGE.format(rows="\n".join(_row(name, recipe) for name, recipe in RECIPES.items()))


def _row(name: str, recipe: Recipe) -> str:
    """Return the row of a recipe."""
    cells = [
        f"`{name}`",
        _describe_probe(recipe),
        _describe_batch_job(name, recipe),
        "interactions" if recipe.is_priced_by_interactions else "hours",
        "by automatic training" if recipe.is_tuned_by_automatic_training else "with `performHPO`",
        format_list([f"`{feature}`" for feature in recipe.features]) or "none",
    ]
    return f"| {' | '.join(cells)} |"


def _describe_probe(recipe: Recipe) -> str:
    """Say which request the campaigns of a recipe answer, and with which keys."""
    if recipe.operation is None:
        return "none, because it has no campaigns"

    keys = [f"`{key}`" for key in recipe.required_keys]
    keys += [f"(`{key}`)" for key in recipe.optional_keys]
    return f"{recipe.operation}: {', '.join(keys)}"


def _describe_batch_job(name: str, recipe: Recipe) -> str:
    """Say what each line of the input needs, and for segments also that."""
    if not recipe.batch_line_keys:
        return "none"

    keys = ", ".join(f"`{key}`" for key in recipe.batch_line_keys)
    return f"{keys}, for user segments" if has_segment_jobs(name) else keys


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


if __name__ == "__main__":
    main()
