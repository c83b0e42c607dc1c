"""An AWS on this machine, with Amazon Personalize, for tests and rehearsals."""

from emulator.process import Emulator, EmulatorError, running

__all__ = ["Emulator", "EmulatorError", "running"]
