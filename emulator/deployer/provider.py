"""Runs the emulator's AWS provider as a plugin of Pulumi's engine, which talks to it over gRPC.

The engine starts `plugin/pulumi-resource-aws`, and reads from its output the port that it listens
on. After that, the plugin must be silent, because the engine shows users whatever else it prints.
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
"""How often the plugin checks that the engine is still running."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Exposes a provider's capitalized methods to the engine as a gRPC service."""

    def __init__(self, provider: Provider) -> None:
        for name in vars(Provider):
            if name[0].isupper():
                setattr(self, name, partial(_respond, getattr(provider, name)))


def serve(provider: Provider) -> tuple[grpc.Server, int]:
    """Start a gRPC server on a free port of 127.0.0.1, and return it together with the port."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve until the engine interrupts this process, or until the engine itself is gone."""
    engine_pid = os.getppid()
    interrupted = Event()
    # A shell's background jobs start with SIGINT ignored. Without a handler of its own, the plugin
    # wouldn't notice the engine's signal there.
    signal.signal(signal.SIGINT, lambda _signal, _frame: interrupted.set())

    server, port = serve(Provider(os.environ))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while os.getppid() == engine_pid and not interrupted.wait(PARENT_CHECK_SECONDS):
        pass
    server.stop(None)


def _respond(
    method: Callable[[object], object], request: object, context: grpc.ServicerContext
) -> object:
    """Respond with a method's result, or with a gRPC error whose message the engine shows to users.

    Only errors that users can cause are turned into messages. All others are bugs in the provider.
    """
    try:
        return method(request)
    except DeploymentError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    return None


if __name__ == "__main__":
    main()
