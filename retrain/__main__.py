"""`python -m retrain`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line; a signal ends it in good order, with exit code 128 and its number."""
    for each in SIGNALS:
        signal.signal(each, _end)
    from retrain.cli import app  # noqa: PLC0415  # only now: Ctrl-C may come while this takes time

    app(prog_name="python -m retrain")


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave; further signals would only keep what is left from being cleaned up."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
