"""Starts the AWS provider for the emulator as a plugin of the Pulumi engine.

The engine runs `plugin/pulumi-resource-aws` and reads the port that it prints. The engine shows the
user everything that the plugin prints later.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import grpc  # type: ignore[import-untyped]  # brings no types
from pulumi.runtime.proto import provider_pb2_grpc

from emulator.deployer.errors import DeploymentError
from emulator.deployer.service import Provider

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT_CHECK_SECONDS = 1.0
"""Seconds between two checks that the engine is still running."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine with the capitalised methods of a provider."""

    def __init__(self, provider: Provider) -> None:
        for name in vars(Provider):
            if name[0].isupper():
                setattr(self, name, partial(_answer, getattr(provider, name)))


def serve(provider: Provider) -> tuple[grpc.Server, int]:
    """Start a server on a free port of 127.0.0.1, and return it with the port."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve until the engine interrupts this process, or until the engine itself has ended."""
    engine = os.getppid()
    interrupted = Event()
    # Without a handler, Python does not see the signal if the engine runs in a background job of a
    # shell, which ignores it.
    signal.signal(signal.SIGINT, lambda _signal, _frame: interrupted.set())

    server, port = serve(Provider(os.environ))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while os.getppid() == engine and not interrupted.wait(PARENT_CHECK_SECONDS):
        pass
    server.stop(None)


def _answer(
    method: Callable[[object], object], request: object, context: grpc.ServicerContext
) -> object:
    """Answer with a method, or end the call with a gRPC error, which the user sees.

    Only errors that a user can cause are caught. All others are bugs of the provider.
    """
    try:
        return method(request)
    except DeploymentError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    return None


if __name__ == "__main__":
    main()
