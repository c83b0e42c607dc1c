"""Checks for libraries that only some commands need, and says how to install them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from retrain import IS_INSTALLED
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence


def require_libraries(libraries: Sequence[str], extra: str) -> None:
    """Raise OperatorError if a library is missing. The message says how to install it.

    Users of the package install the extra that contains it. In a checkout, they install the pinned
    requirements instead.
    """
    missing = [library for library in libraries if find_spec(library) is None]
    if not missing:
        return

    packages = "--require-hashes -r requirements.txt -r requirements-dev.txt"
    if IS_INSTALLED:
        packages = f"'personalize-retraining[{extra}]'"
    raise OperatorError(
        f"this command needs {', '.join(missing)}; install them with pip install {packages}"
    )
