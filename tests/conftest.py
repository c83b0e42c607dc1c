"""Deal the tests out to the processes of `pytest -n` so that no process waits long for another.

A file goes to one process, so that its tests share what they set up. The files that share an
emulator and its deployed stacks go to one process together. The tests of random faults share
nothing, so each of them goes to the next free process. The longest files start first.
"""

import functools
import gc

import botocore.session
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

SHARED_EMULATOR = tuple(
    f"tests/end_to_end/test_{name}.py"
    for name in (
        *("happy_path", "two_stacks", "closing", "dead_letters"),
        *("permissions", "guide", "scenarios"),
    )
)
RANDOM_FAULTS = "tests/workflow/test_exactly_once.py"
LONGEST_FILES = (*SHARED_EMULATOR, RANDOM_FAULTS, "tests/end_to_end/test_rehearse.py")

# Each boto3 session would read the data files of botocore again, longer than most tests take.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# A deadline would make a property test fail on a busy machine.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


class Scheduling(LoadFileScheduling):
    """Deals the next group of tests, in the order of collection, to the next free process."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group to which a test belongs."""
        file = super()._split_scope(nodeid)
        if file == RANDOM_FAULTS:
            return nodeid
        return "end_to_end" if file in SHARED_EMULATOR else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Return this scheduling for every value of `--dist`."""
    config.option.loadscopereorder = False  # else files with many tests come first
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Sort the longest files to the beginning, and keep the order of the other files."""
    places = {file: place for place, file in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.location[0], len(places)))


def pytest_collection_finish():
    """Keep the garbage collector away from the modules, which it would search again and again."""
    gc.collect()
    gc.freeze()
