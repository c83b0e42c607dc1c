"""The command `python -m emulator`: run the emulator until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from emulator.process import Emulator, EmulatorError, log_tail, running

ACCOUNT_DIGITS = 12
HIGHEST_PORT = 65_535
HELP = """\
Serves S3, IAM, STS, Lambda, EventBridge and its Scheduler, Step Functions, SNS, SQS, CloudWatch,
Logs and Personalize on 127.0.0.1. IAM is enforced: the account's root may do everything, and a
role only what its policies allow. Everything is in memory and is lost when the emulator ends.

The exports that it prints are enough for boto3 and for the AWS CLI. Only version 1 of the CLI
ignores them for SQS and calls the real SQS, so name the endpoint there:
  aws sqs ... --endpoint-url $AWS_ENDPOINT_URL

The emulator has controls of its own, as JSON below /_emulator (see emulator/server/admin.py). For
example, fire a schedule:
  curl -X POST $AWS_ENDPOINT_URL/_emulator/fire -d '{"schedule": "NAME", "group": "GROUP"}'
"""


def main() -> int:
    """Run the emulator until SIGINT or SIGTERM, and return the exit status.

    It is 0 after a signal, and 1 if the emulator cannot start or dies.
    """
    arguments = _parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(**vars(arguments)) as emulator:
            _print_exports(emulator)
            _wait_for_stop(emulator, stop)
    except EmulatorError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _wait_for_stop(emulator: Emulator, stop: threading.Event) -> None:
    """Wait until `stop` is set. Raise EmulatorError if the emulator dies before that."""
    while not stop.wait(0.2):
        if not emulator.alive():
            raise EmulatorError(f"the emulator died\n{log_tail(emulator.log)}")


def _print_exports(emulator: Emulator) -> None:
    """Print the shell commands with which boto3 and the AWS CLI find the emulator."""
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


def _port(text: str) -> int:
    """Return the value of `--port`, or raise ArgumentTypeError if it is not a port."""
    if text.isdecimal() and int(text) <= HIGHEST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {HIGHEST_PORT}")


def _account_number(text: str) -> str:
    """Return the value of `--account`, or raise ArgumentTypeError if it is not 12 digits."""
    if len(text) == ACCOUNT_DIGITS and text.isdecimal():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of {ACCOUNT_DIGITS} digits")


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="An AWS that runs on this machine.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=_port, default=4566, help="0 for a free one (default 4566)")
    parser.add_argument(
        "--account",
        type=_account_number,
        default="123456789012",
        help="12 digits (default %(default)s)",
    )
    parser.add_argument("--region", default="eu-west-1", help="default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
