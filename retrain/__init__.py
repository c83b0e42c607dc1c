"""The command line of the operator: `python -m retrain` in a checkout, or an installed program."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
"""The checkout, or the folder of the installed package."""
IS_INSTALLED = not (FOLDER / "pyproject.toml").exists()
