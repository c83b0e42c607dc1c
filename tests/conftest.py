"""How `pytest -n` deals the tests out: file by file, so that what the tests share is made once.

Files of end_to_end/ that share an emulator and its deployed stacks go to one process together, and
the tests of the longest file, which share nothing, to a process each. The longest come first: the
last one dealt would keep its process busy alone.
"""

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

ONE_EMULATOR = tuple(
    f"tests/end_to_end/test_{each}.py"
    for each in ("closing", "dead_letters", "happy_path", "permissions", "two_stacks")
)
EXACTLY_ONCE = "tests/workflow/test_exactly_once.py"
LONGEST = (
    *ONE_EMULATOR,
    EXACTLY_ONCE,
    "tests/end_to_end/test_rehearse.py",
)


# A deadline would fail a property test for the load of the machine.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


class Scheduling(LoadFileScheduling):
    """Gives the next file, in the order of collection, to the process that is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if file == EXACTLY_ONCE:
            return nodeid
        return "end_to_end" if file in ONE_EMULATOR else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Use it, whatever `--dist` says."""
    config.option.loadscopereorder = False  # the longest have the fewest tests
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Put the longest files first, and leave the others in the order of their names."""
    order = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.location[0], len(order)))
