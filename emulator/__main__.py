"""The command `python -m emulator`, which runs the emulator until Ctrl-C."""

import argparse
import signal
import sys
import threading

from emulator.process import Emulator, EmulatorError, read_log_tail, running

HELP = "Run an AWS on this machine until Ctrl-C, as emulator/README.md explains."


def main() -> int:
    """Run the emulator until SIGINT or SIGTERM and return the command's exit status.

    The status is 0 after a signal, and 1 if the emulator can't start or dies.
    """
    arguments = _parse_arguments()

    stop_requested = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop_requested.set())

    try:
        with running(**vars(arguments)) as emulator:
            _print_exports(emulator)
            _wait_for_signal(emulator, stop_requested)
    except EmulatorError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parse_arguments() -> argparse.Namespace:
    """Parse the options, whose names are those of the arguments of `running`."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description=HELP)
    parser.add_argument("--port", type=int, default=4566, help="0 for a free one (default 4566)")
    parser.add_argument("--region", default="eu-west-1", help="default %(default)s")
    return parser.parse_args()


def _print_exports(emulator: Emulator) -> None:
    """Print the `export` lines that point a shell's AWS CLI and boto3 at the emulator."""
    print(  # noqa: T201  # a command prints
        f"The emulator serves on {emulator.endpoint} (log: {emulator.log}).",
        "In the shells that use it:",
        "",
        *(f"export {name}={value}" for name, value in emulator.exports.items()),
        "",
        "Press Ctrl-C to end it.",
        sep="\n",
        flush=True,
    )


def _wait_for_signal(emulator: Emulator, stop_requested: threading.Event) -> None:
    """Wait until `stop_requested` is set. Raise EmulatorError if the emulator dies before that."""
    while not stop_requested.wait(0.2):
        if not emulator.is_alive():
            raise EmulatorError(f"the emulator died\n{read_log_tail(emulator.log)}")


if __name__ == "__main__":
    sys.exit(main())
