"""Runs a Python file or folder as `python -u FILE ARGUMENT...` does, in a copy of a warm process.

The file must not find the modules of this checkout, because its program has other versions of them.
Anything else that a language host asks of `python` runs in a new process.
"""

import runpy
import subprocess
import sys

from emulator.process import ROOT

if __name__ == "__main__":
    if sys.argv[1:2] != ["-u"]:
        sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))  # noqa: S603  # as it was asked
    sys.path = [folder for folder in sys.path if folder != str(ROOT)]
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
