"""Checks that the libraries of the emulator are installed."""

from importlib.util import find_spec

import typer

EXIT_UNUSABLE = 2
EMULATOR_LIBRARIES = ("awslambdaric", "hypercorn", "implicit", "ministack")
"""Only the development requirements contain these."""


def require_emulator() -> None:
    """Exit with code 2 if a library of the emulator is missing."""
    missing = [library for library in EMULATOR_LIBRARIES if find_spec(library) is None]
    if missing:
        typer.echo(
            f"this command needs {', '.join(missing)}, which the development requirements "
            "install: pip install --require-hashes -r requirements.txt -r requirements-dev.txt",
            err=True,
        )
        raise typer.Exit(EXIT_UNUSABLE)
