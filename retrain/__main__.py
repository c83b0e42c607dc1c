"""The entry point of `python -m retrain`. It handles signals before it imports anything slow."""

import platform
import signal
import sys
import warnings
from io import TextIOWrapper
from types import FrameType

from retrain import IS_INSTALLED, get_install_command

EXIT_UNUSABLE = 2
HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line, and exit with the command's exit code.

    After SIGINT or SIGTERM, the exit code is 128 plus the signal's number.
    """
    for signal_number in HANDLED_SIGNALS:
        signal.signal(signal_number, _exit_after_signal)

    # Otherwise, printing a character that the terminal can't encode would raise an error.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    try:
        # This import takes a while, and Ctrl-C should already work in the meantime.
        from retrain import cli  # noqa: PLC0415
    except ImportError as error:
        sys.stderr.write(_explain_missing_library(error))
        sys.exit(EXIT_UNUSABLE)

    exit_code = cli.main(sys.argv[1:])
    # From now on, a signal would only replace the exit code of a command that is done.
    _ignore_signals()
    sys.exit(exit_code)


def _explain_missing_library(error: ImportError) -> str:
    """Build the message that says which library is missing, and how to install it.

    The message names the Python interpreter, because the libraries are often installed for a
    different one.
    """
    python = f"{sys.executable} (Python {platform.python_version()})"
    message = f"{python} cannot run retrain: {error}; run `{get_install_command('cli')}`"
    if not IS_INSTALLED:
        message += ", and then use .venv/bin/retrain"
    return f"{message}\n"


def _exit_after_signal(signal_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by raising SystemExit, so that the command can still clean up.

    The exit code is the one that a shell reports for the signal.
    """
    # Otherwise, Python would warn about the coroutines of an interrupted deployment.
    warnings.simplefilter("ignore")
    # A second signal would interrupt the cleanup.
    _ignore_signals()
    sys.exit(128 + signal_number)


def _ignore_signals() -> None:
    """Ignore SIGINT and SIGTERM from now on."""
    for signal_number in HANDLED_SIGNALS:
        signal.signal(signal_number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
