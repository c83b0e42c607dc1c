"""What AWS charges for imports and trainings: https://aws.amazon.com/personalize/pricing/."""

from .rules.recipes import find_recipe

DOLLARS_PER_IMPORTED_GB = 0.05
"""Every import is charged for the size of its export, also if the data has hardly changed."""


def import_cost(size: int) -> float:
    """Return about how many dollars an import of this many bytes costs."""
    return size / 10**9 * DOLLARS_PER_IMPORTED_GB


def training_cost(recipe: str | None, hours: float | None, price: float | None) -> float | None:
    """Return how many dollars a training costs, or None if its price is not known."""
    known = find_recipe(recipe)
    if hours is None or price is None or known is None or known.is_priced_by_interactions:
        return None
    return hours * price
