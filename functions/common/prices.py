"""What AWS charges for imports and trainings: https://aws.amazon.com/personalize/pricing/."""

from ..rules.recipes import find_recipe

DOLLARS_PER_IMPORTED_GB = 0.05
"""AWS bills every import by the size of its export, even if the data has hardly changed."""


def estimate_import_cost(byte_count: int) -> float:
    """Estimate the price of an import in dollars."""
    return byte_count / 10**9 * DOLLARS_PER_IMPORTED_GB


def estimate_training_cost(
    recipe: str | None, hours: float | None, price: float | None
) -> float | None:
    """Estimate how many dollars a training costs, or return None if its price is unknown.

    `price` is the price of a training hour. Some recipes are billed by interactions instead.
    """
    known_recipe = find_recipe(recipe)
    if known_recipe is None or known_recipe.is_priced_by_interactions:
        return None
    if hours is None or price is None:
        return None

    return hours * price
