"""The operator's command line: `retrain` once it's installed, or `python -m retrain`."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
"""The root of the checkout, or of the installed package."""
IS_INSTALLED = not (FOLDER / "pyproject.toml").exists()
