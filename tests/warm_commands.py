"""Runs a command many times without importing its program each time, which takes longer.

with warm_command(folder, "aws", "awscli", ["awscli.clidriver"]):
    ...  # folder / "aws" is a program like the AWS CLI
"""

import contextlib
import shlex
import socket

from emulator import warm_process
from emulator.process import ROOT


@contextlib.contextmanager
def warm_command(folder, name, module, modules, services=()):
    """Write a program that runs `python -m module` into the folder. It works during the block.

    Its warm process imports `modules`, and reads the models of `services`.
    """
    address = str(folder / f"{name}.socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        process = warm_process.start(listener, modules, services, module_folder=str(ROOT))
    program = folder / name
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join(warm_process.build_command(address, module))} "$@"\n'
    )
    program.chmod(0o755)
    try:
        yield
        assert process.poll() is None, "the commands were copies of the warm process"
    finally:
        process.kill()
        process.wait()
