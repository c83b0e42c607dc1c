"""Emulates AWS, including Amazon Personalize, on this machine, for tests and rehearsals."""

from emulator.process import Emulator, EmulatorError, running

__all__ = ["Emulator", "EmulatorError", "running"]
