"""Imports the one module of AWS Batch that moto's interpreter needs, without the rest of Batch.

The interpreter needs the names of the job statuses in `moto.batch.utils`. Importing the package
`moto.batch` would import the emulation of EC2 with its files of instance types and regions, which
takes longer than everything else in the interpreter. Import this module before the interpreter.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import moto

PACKAGE = "moto.batch"


def _import_job_statuses() -> None:
    """Import `moto.batch.utils` while an empty package stands in for `moto.batch`."""
    if PACKAGE in sys.modules:
        return
    package = ModuleType(PACKAGE)
    package.__path__ = [str(Path(moto.__file__).parent / "batch")]
    sys.modules[PACKAGE] = package
    try:
        importlib.import_module(f"{PACKAGE}.utils")
    finally:
        del sys.modules[PACKAGE]


_import_job_statuses()
