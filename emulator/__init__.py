"""An AWS on this machine, with Amazon Personalize, for tests and rehearsals."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.process import Emulator, EmulatorError, running
else:

    def __getattr__(name: str) -> object:
        """Import `process` at the first use, so that the deployer's provider starts faster."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from emulator import process  # noqa: PLC0415

        return getattr(process, name)


__all__ = ["Emulator", "EmulatorError", "running"]
