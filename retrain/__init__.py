"""The operator's command line: `retrain` once it's installed, or `python -m retrain`."""

import shlex
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
"""The root of the checkout, or of the installed package."""
IS_INSTALLED = not (FOLDER / "pyproject.toml").exists()


def get_install_command(extra: str) -> str:
    """Return what the operator has to run if a library is missing.

    It names the Python that lacks the library, because another one may be on the PATH. In a
    checkout, `make` installs the pinned requirements into .venv.
    """
    if IS_INSTALLED:
        package = f"personalize-retraining[{extra}]"
        return shlex.join([sys.executable, "-m", "pip", "install", package])
    return f"make -C {shlex.quote(str(FOLDER))} install"
