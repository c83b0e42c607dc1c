"""Runs a Python file or folder as `python -u FILE ARGUMENT...` does, in a copy of a warm process.

The file must not find the modules of this checkout, because its program has other versions of them.
"""

import runpy
import sys

from emulator.process import ROOT

if __name__ == "__main__":
    sys.path = [folder for folder in sys.path if folder != str(ROOT)]
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
