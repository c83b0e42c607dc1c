"""Runs the emulator's AWS provider as a plugin that Pulumi's engine calls over gRPC.

The engine starts `plugin/pulumi-resource-aws`, which prints the port that it listens on. The plugin
mustn't print anything after that, because the engine would show it to users.
"""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import grpc  # type: ignore[import-untyped]  # brings no types
from pulumi.runtime.proto import provider_pb2_grpc

from emulator.deployer.errors import DeploymentError
from emulator.deployer.service import Provider

PARENT_CHECK_SECONDS = 1.0
"""How often the plugin checks that the engine is still running."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Exposes the capitalized methods of a provider as a gRPC service."""

    def __init__(self, provider: Provider) -> None:
        for name in vars(Provider):
            if name[0].isupper():
                setattr(self, name, partial(_respond, getattr(provider, name)))


def serve(provider: Provider) -> tuple[grpc.Server, int]:
    """Start a gRPC server on a free port of 127.0.0.1 and return the server and the port."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve until the engine interrupts this process or the engine itself has ended."""
    engine_pid = os.getppid()
    interrupted = Event()
    # Background jobs of a shell ignore SIGINT by default. Without this handler, the plugin of a
    # `pulumi` command in the background would ignore the engine's signal, too.
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
    """Call a method and return its result, or turn a DeploymentError into a gRPC error.

    The engine shows the message of the gRPC error to users. Any other exception is a bug in the
    provider, so it keeps its traceback.
    """
    try:
        return method(request)
    except DeploymentError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    return None


if __name__ == "__main__":
    main()
