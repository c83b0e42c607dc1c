"""An AWS that runs on this machine, for rehearsals and tests."""

from emulator.process import Emulator, EmulatorError, running

__all__ = ["Emulator", "EmulatorError", "running"]
