"""Runs the phases of a trial in their order, and undoes them in the reverse order.

They are undone at the end, after an error, and after Ctrl-C.
"""

import signal
from collections.abc import Callable
from typing import NamedTuple

from tests.aws import cleanup
from tests.aws.account import say

LISTS_LAG_SECONDS = 90
"""How late AWS's lists may show what was created just before an error or Ctrl-C."""


class Phase(NamedTuple):
    """A part of a trial."""

    name: str
    """What it does or asks."""

    do: Callable
    """A function whose result is the answer to compare with the emulator's."""

    price: str = "free"
    undo: Callable | None = None
    """Undoes what users undo with a command of their own. `cleanup` removes everything else."""

    goes_on: bool = False
    """An error of this phase is its answer, and the trial goes on."""


def run(phases, page):
    """Run a trial, and remove whatever it has created. The page gets the answers.

    A second Ctrl-C during the removal ends the process. `make aws-clean` removes the rest then.
    """
    begun = []
    # What ends a process otherwise is treated like Ctrl-C, so that it also leads to the removal.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # by `nohup`
            signal.signal(number, signal.default_int_handler)
    try:
        for phase in phases:
            # What a phase has done before an error has to be undone as well.
            begun.append(phase)
            page.ask(phase)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # whatever it is, we clean up
        page.stopped = f"It stopped at {begun[-1].name!r}: {str(error) or type(error).__name__}"
    finally:
        say("%s Removing everything; Ctrl-C leaves it to `make aws-clean`.", page.stopped)
        for phase in reversed(begun):
            if phase.undo:
                attempt(phase.undo, f"undo {phase.name}", page)
        attempt(lambda: remove(page), "remove everything", page)


def attempt(action, name, page):
    """Do an action. An error must not keep the others from being done, but Ctrl-C does."""
    try:
        action()
    except (Exception, KeyboardInterrupt) as error:  # perhaps the credentials have expired
        page.left.append(f"could not {name}: {str(error) or type(error).__name__}")
        if isinstance(error, KeyboardInterrupt):
            raise


def remove(page):
    """Remove what belongs to the trial, and write what is left on the page."""
    account = page.account
    account.sleep(LISTS_LAG_SECONDS)
    page.left += cleanup.remove(account, account.trial)
