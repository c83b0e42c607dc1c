"""Keeps changes of this process's environment inside a block."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def restore_environment() -> Iterator[None]:
    """Let the block change environment variables, and undo that when it ends."""
    variables = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(variables)
