"""Starts the AWS provider for the emulator as a plugin of the Pulumi engine.

The engine runs `plugin/pulumi-resource-aws` and reads the port that it prints. The engine shows the
user everything that the plugin prints later.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import NamedTuple

import grpc  # type: ignore[import-untyped]  # brings no types
from pulumi.runtime.proto import provider_pb2_grpc

from emulator.deployer.service import Provider

PARENT_CHECK_SECONDS = 1.0
"""Seconds between two checks that the engine is still running."""


class ProviderServer(NamedTuple):
    """A server that runs, and its port on 127.0.0.1."""

    server: grpc.Server
    port: int


def serve(provider: Provider) -> ProviderServer:
    """Start a server on a free port of 127.0.0.1."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return ProviderServer(server, port)


def main() -> None:
    """Serve until the engine interrupts this process, or until the engine itself has ended."""
    engine, interrupted = os.getppid(), Event()
    # Without a handler, Python does not see the signal if the engine runs in a background job of a
    # shell, which ignores it.
    signal.signal(signal.SIGINT, lambda _signal, _frame: interrupted.set())
    server, port = serve(Provider(os.environ))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while os.getppid() == engine and not interrupted.wait(PARENT_CHECK_SECONDS):
        pass
    server.stop(None)


if __name__ == "__main__":
    main()
