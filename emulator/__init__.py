"""An AWS that runs on this machine, for rehearsals and tests."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.process import Emulator, EmulatorError, running
else:

    def __getattr__(name: str) -> object:
        """Import `process` at the first use: the AWS provider starts faster without it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from emulator import process  # noqa: PLC0415

        return getattr(process, name)


__all__ = ["Emulator", "EmulatorError", "running"]
