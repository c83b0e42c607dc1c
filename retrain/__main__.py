"""Runs the command line: `python -m retrain`."""

import platform
import signal
import sys
import warnings
from io import TextIOWrapper
from types import FrameType

from retrain import IS_INSTALLED

EXIT_UNUSABLE = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line. A signal ends it with exit code 128 plus the signal's number."""
    for number in SIGNALS:
        signal.signal(number, _exit)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    try:
        # Imported after the signals are handled, because an import takes a while.
        from retrain import cli  # noqa: PLC0415
    except ImportError as error:
        sys.stderr.write(_explain_missing_library(error))
        sys.exit(EXIT_UNUSABLE)

    exit_code = cli.main(sys.argv[1:])
    _ignore_signals()  # the command is done, and a signal while Python ends would hide its code
    sys.exit(exit_code)


def _explain_missing_library(error: ImportError) -> str:
    """Say which Python lacks the libraries, because it's often not the one that has them."""
    way_out = (
        "run `make demo` once, which installs everything into .venv, and then use .venv/bin/retrain"
    )
    if IS_INSTALLED:
        way_out = "install it with pip install 'personalize-retraining[cli]'"
    python = f"{sys.executable} (Python {platform.python_version()})"
    return f"{python} cannot run retrain: {error}; {way_out}\n"


def _exit(number: int, _frame: FrameType | None) -> None:
    """Exit with the code with which a shell reports a signal.

    Further signals are ignored, because they would interrupt the cleaning up. Python would warn
    about the coroutines that an interrupted deployment leaves behind.
    """
    warnings.simplefilter("ignore")
    _ignore_signals()
    sys.exit(128 + number)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
