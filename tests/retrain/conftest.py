"""The command line and the rehearsal do what their help says.

With the command's entry points, and doubles of the emulator. Does not prove AWS.
"""

import signal

import pytest


@pytest.fixture
def restored_signals():
    """Restore the handlers of the signals after the test."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
