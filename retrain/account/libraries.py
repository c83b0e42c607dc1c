"""Checks for libraries that only some commands need, and says how to install them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from retrain import get_install_command
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence


def require_libraries(libraries: Sequence[str], extra: str) -> None:
    """Raise OperatorError if a library is missing. The message says how to install it.

    `extra` is the one of our package that contains the libraries.
    """
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        command = get_install_command(extra)
        raise OperatorError(f"this command needs {', '.join(missing)}; run `{command}`")
