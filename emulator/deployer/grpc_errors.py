"""Turns the errors of the provider into answers to the engine."""

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
def errors_answered(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer the engine with each error that a user can cause. All others are faults of this code.

    The engine looks for ErrorResourceInitFailed among the details of an error: pulumi/pulumi,
    sdk/go/common/resource/plugin/provider_plugin.go.
    """
    try:
        yield
    except UnfinishedError as error:
        failed = provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=wire.structure(error.outputs), reasons=[str(error)]
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
        status.details.add().Pack(failed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
    except (DeploymentError, InputRefusedError, GoneError, ClientError, BotoCoreError) as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
