"""Undoes changes to this process's environment variables."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def restore_environment() -> Iterator[None]:
    """Restore all environment variables at the end of the block, whatever the block changed."""
    original_env = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(original_env)
