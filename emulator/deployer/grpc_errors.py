"""Sends the errors of the provider to the engine."""

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
    """Send the engine each error of the block that a user can cause, as the error of the request.

    Other errors are bugs of the provider and pass through. The engine keeps a resource that was
    created if the details of the error hold ErrorResourceInitFailed: pulumi/pulumi,
    sdk/go/common/resource/plugin/provider_plugin.go.
    """
    try:
        yield
    except UnfinishedError as error:
        unfinished = provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=wire.to_struct(error.outputs), reasons=[str(error)]
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
        status.details.add().Pack(unfinished)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
    except (DeploymentError, InputRefusedError, GoneError, ClientError, BotoCoreError) as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
