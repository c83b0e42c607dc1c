"""Deal the tests out to the processes of `pytest -n` so that no process waits long for another.

A file goes to one process, so that its tests share what they set up. The end-to-end tests share
an emulator and its deployed stacks, so they go to one process together. The tests of random faults
share nothing, so each of them goes to the next free process. The longest groups start first.
"""

import functools
import gc

import botocore.session
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.golden import golden, pytest_addoption

__all__ = ["golden", "pytest_addoption"]

STACKS = "end_to_end/"
"""The folder whose files share an emulator and its deployed stacks."""
REHEARSALS = "end_to_end/test_rehearse"
RANDOM_FAULTS = "workflow/test_sequences"
ORDER = ["end_to_end/test_happy_path", STACKS, RANDOM_FAULTS, "engine/test_life"]
"""The beginnings of the paths of the tests that start first. The tests of the happy path look at
everything that the first runs have done, so they are before the other tests of their stacks."""

# Each boto3 session would read the data files of botocore again, longer than most tests take.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# A deadline would make a property test fail on a busy machine. The tests draw the same examples
# each time, so that a change fails for its own reason. `make faults` draws others.
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")


class Scheduling(LoadFileScheduling):
    """Deals the next group of tests, in the order of collection, to the next free process."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group to which a test belongs."""
        path = nodeid.removeprefix("tests/")
        if path.startswith(RANDOM_FAULTS):
            return nodeid
        if path.startswith(STACKS) and not path.startswith(REHEARSALS):
            return STACKS
        return super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Return this scheduling for every value of `--dist`."""
    config.option.loadscopereorder = False  # else files with many tests come first
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Sort the longest groups to the beginning, and keep the order of the other files."""

    def place(item):
        path = item.nodeid.removeprefix("tests/")
        return next((n for n, start in enumerate(ORDER) if path.startswith(start)), len(ORDER))

    items.sort(key=place)


def pytest_collection_finish():
    """Keep the garbage collector away from the modules, which it would search again and again."""
    gc.collect()
    gc.freeze()
