"""How `pytest -n` deals the tests out: file by file, so that what the tests share is made once.

Files of end_to_end/ that share an emulator and its deployed stacks go to one process together.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

ONE_EMULATOR = "closing", "dead_letters", "happy_path", "permissions", "two_stacks"


class Scheduling(LoadFileScheduling):
    """Gives the next file, in the order of their names, to the process that is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        shared = [f"end_to_end/test_{each}.py" for each in ONE_EMULATOR]
        return "end_to_end" if file.endswith(tuple(shared)) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Use it, whatever `--dist` says."""
    config.option.loadscopereorder = False  # the longest have the fewest tests
    return Scheduling(config, log)
