"""A pseudo-terminal of 80 columns and 24 lines in which a command runs."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress

from tests.program.sample_stack import ROOT

COLUMNS, LINES = 80, 24
SECONDS = 60
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command that runs in a pseudo-terminal."""

    def __init__(self, process, master):
        self.process = process
        self.master = master
        self.written = ""

    @property
    def lines(self):
        """The lines that the command has written, without colours and movements of the cursor.

        A bar that was drawn twice is there twice.
        """
        text = CONTROL_SEQUENCE.sub("", self.written).replace("\r", "\n")
        return [line.rstrip() for line in text.split("\n") if line.strip()]

    def read_until(self, is_enough):
        """Read what the command writes until `is_enough` accepts the lines."""
        deadline = time.monotonic() + SECONDS
        while not is_enough(self.lines):
            assert time.monotonic() < deadline, "\n".join(self.lines[-LINES:])
            assert self._read(), "\n".join(self.lines[-LINES:])

    def end(self):
        """Read until the command has ended. Return its exit code."""
        while self._read():
            pass
        return self.process.wait(SECONDS)

    def press_ctrl_c(self):
        """Send the signal of Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def _read(self):
        """Read what is there. Return False if the command has ended."""
        ready, _, _ = select.select([self.master], [], [], SECONDS)
        assert ready, "the command has written nothing for a minute"
        with suppress(OSError):  # the terminal was closed
            data = os.read(self.master, 65536)
            self.written += data.decode()
            return bool(data)
        return False


@contextmanager
def terminal(*arguments, folder=ROOT, variables=None):
    """Run the command line of a checkout in a pseudo-terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "retrain", *arguments],
        cwd=folder,
        env={
            **os.environ,
            **(variables or {}),
            "TERM": "xterm-256color",
            "PYTHONPATH": str(folder),
        },
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
