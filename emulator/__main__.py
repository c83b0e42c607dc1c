"""The command `python -m emulator`: run the emulator until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from emulator.process import Emulator, EmulatorError, read_log_tail, running

HELP = "Run an AWS on this machine until Ctrl-C, as emulator/README.md explains."


def main() -> int:
    """Run the emulator until SIGINT or SIGTERM, and return the exit status.

    It is 0 after a signal, and 1 if the emulator cannot start or dies.
    """
    arguments = _parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    try:
        with running(**vars(arguments)) as emulator:
            _print_exports(emulator)
            _wait(emulator, stop)
    except EmulatorError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator", description=HELP)
    parser.add_argument("--port", type=int, default=4566, help="0 for a free one (default 4566)")
    parser.add_argument("--region", default="eu-west-1", help="default %(default)s")
    return parser.parse_args()


def _print_exports(emulator: Emulator) -> None:
    """Print the lines that point a shell to the emulator."""
    print(  # noqa: T201  # this is a command
        f"The emulator serves on {emulator.endpoint} (log: {emulator.log}).",
        "In the shells that use it:",
        "",
        *(f"export {name}={value}" for name, value in emulator.exports.items()),
        "",
        "Press Ctrl-C to end it.",
        sep="\n",
        flush=True,
    )


def _wait(emulator: Emulator, stop: threading.Event) -> None:
    """Wait for a signal. Raise EmulatorError if the emulator dies before."""
    while not stop.wait(0.2):
        if not emulator.alive():
            raise EmulatorError(f"the emulator died\n{read_log_tail(emulator.log)}")


if __name__ == "__main__":
    sys.exit(main())
