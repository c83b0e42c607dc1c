"""Runs the AWS CLI without importing it for each command, which takes longer than the command.

    with aws_command(folder):
        ...  # folder / "aws" is a program like the AWS CLI

A server imports the CLI once and runs each command in a copy of its process. The program passes
its arguments, environment, working directory and open files to the copy, and returns its exit code.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path

MAX_REQUEST = 1 << 20  # bytes
PROGRAM = """\
#!{python} -IS
import json, os, socket, sys
request = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    server.shutdown(socket.SHUT_WR)
    sys.exit(server.recv(1)[0])
"""


@contextlib.contextmanager
def aws_command(folder: Path):
    """Write the program `aws` into the folder, and run its server for the block."""
    address = str(folder / "aws.socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        command = [sys.executable, __file__, str(listener.fileno())]
        server = subprocess.Popen(command, pass_fds=[listener.fileno()])  # noqa: S603  # this file
    program = folder / "aws"
    program.write_text(PROGRAM.format(python=sys.executable, address=address))
    program.chmod(0o755)
    try:
        yield
    finally:
        server.kill()
        server.wait()


def serve(listener: socket.socket) -> None:
    """Run each command that arrives in a copy of this process."""
    import awscli.clidriver  # noqa: PLC0415  # only the server imports the CLI
    import awscli.handlers  # noqa: PLC0415  # the CLI imports it for the first command
    import botocore.session  # noqa: PLC0415  # the CLI has a botocore of its own

    # The copies share what the loader has read: the list of the services.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    botocore.session.Session().get_available_services()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies that have ended disappear
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run(connection, awscli.clidriver.main)
        connection.close()


def run(connection: socket.socket, main) -> None:
    """Run one command with the environment and the open files of the caller, and end."""
    request, files = receive(connection)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    data_path = os.environ["AWS_DATA_PATH"]  # the CLI set it when it was imported
    os.environ.clear()
    os.environ.update(request["environment"], AWS_DATA_PATH=data_path)
    os.chdir(request["folder"])
    sys.argv = ["aws", *request["arguments"]]
    try:
        code = main()
    except SystemExit as end:  # the parser of the arguments has ended the command
        code = end.code
    except BaseException:  # noqa: BLE001  # the copy has no other way to report it
        traceback.print_exc()
        code = 255
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([code]))
    os._exit(code)


def receive(connection: socket.socket):
    """Return the request of a program and the numbers of its open files."""
    text, files, _, _ = socket.recv_fds(connection, MAX_REQUEST, 3)
    while part := connection.recv(MAX_REQUEST):
        text += part
    return json.loads(text), files


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
