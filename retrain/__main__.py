"""Runs the command line: `python -m retrain`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line. A signal ends it with exit code 128 plus the signal's number."""
    for number in SIGNALS:
        signal.signal(number, _exit)
    # Imported after the signals are handled, because the import takes a while.
    from retrain.cli import app  # noqa: PLC0415

    app(prog_name="python -m retrain")


def _exit(number: int, _frame: FrameType | None) -> None:
    """Exit with the code with which a shell reports a signal.

    Further signals are ignored, because they would interrupt the cleaning up.
    """
    for ignored in SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
