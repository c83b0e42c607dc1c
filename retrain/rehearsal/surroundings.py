"""What surrounds a rehearsal: the caller's settings stay out, and a warning is told once."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOYMENTS = "emulator.deployer.program"
"""The logger that a deployed program's warnings go to."""


@contextmanager
def without_the_callers_settings() -> Iterator[None]:
    """Leave out the caller's AWS settings and proxies: nothing here may reach a real account."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    # When the emulator has ended, threads of a deployment that was interrupted give up at once.
    os.environ["AWS_MAX_ATTEMPTS"] = "2"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def warnings_once() -> Iterator[None]:
    """Tell what a program warns of once, however often a rehearsal deploys it."""
    told: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in told
        told.add(message)
        return new

    logger = logging.getLogger(DEPLOYMENTS)
    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)
