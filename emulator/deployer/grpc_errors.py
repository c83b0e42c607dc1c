"""Turns the errors of the provider into gRPC errors, which the engine shows to the user."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc  # type: ignore[import-untyped]  # brings no types
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime.proto import provider_pb2, status_pb2

from emulator.deployer import wire
from emulator.deployer.errors import DeploymentError, GoneError, InputRefusedError
from emulator.deployer.lifecycle import UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def errors_sent_to(context: grpc.ServicerContext) -> Iterator[None]:
    """End a call with a gRPC error if the block raises an error that a user can cause.

    Other errors are bugs of the provider and are not caught.
    """
    try:
        yield
    except UnfinishedError as error:
        details = _unfinished_status(error).SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
    except (DeploymentError, InputRefusedError, GoneError, ClientError, BotoCoreError) as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _unfinished_status(error: UnfinishedError) -> status_pb2.Status:
    """Return the status that makes the engine keep a resource although its creation failed.

    The engine looks for ErrorResourceInitFailed in the details: pulumi/pulumi,
    sdk/go/common/resource/plugin/provider_plugin.go.
    """
    unfinished = provider_pb2.ErrorResourceInitFailed(
        id=error.id, properties=wire.to_struct(error.outputs), reasons=[str(error)]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(unfinished)
    return status
