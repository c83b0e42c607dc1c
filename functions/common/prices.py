"""What AWS charges for imports and trainings: https://aws.amazon.com/personalize/pricing/."""

from ..rules.recipes import find_recipe

DOLLARS_PER_IMPORTED_GB = 0.05
"""AWS bills every import by the size of its export, even if the data has hardly changed."""


def estimate_import_cost(byte_count: int) -> float:
    """Estimate the price of an import in dollars."""
    return byte_count / 10**9 * DOLLARS_PER_IMPORTED_GB


def estimate_training_cost(
    recipe_name: str | None, training_hours: float | None, hourly_price: float | None
) -> float | None:
    """Estimate how many dollars a training costs, or return None if that's unknown."""
    recipe = find_recipe(recipe_name)
    # Some recipes aren't billed by training hours, but by interactions.
    if recipe is None or recipe.is_priced_by_interactions:
        return None

    if training_hours is None or hourly_price is None:
        return None
    return training_hours * hourly_price
