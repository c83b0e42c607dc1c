"""Adds Amazon Personalize to MiniStack, which checks the signatures of requests.

Personalize has several APIs. A request to `personalize` has the header X-Amz-Target, and a request
to `personalize-runtime` or `personalize-events` is recognized by its path.

The caller's policies must allow every action on every resource. If a request contains a role, the
caller needs iam:PassRole for it, and Personalize must be allowed to assume it.
"""

import asyncio
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from ministack.core import router
from ministack.core.responses import get_account_id, get_region

from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import invalid_input
from emulator.personalize.operation_models import (
    CONTROL_SERVICE,
    EVENTS_SERVICE,
    RUNTIME_SERVICE,
)
from emulator.protocol import wire
from emulator.protocol.errors import ApiError, NoResponse
from emulator.protocol.service_models import load_service_model
from emulator.server import http, iam, ministack

SERVICE = "personalize.amazonaws.com"
TARGET_PREFIX = "AmazonPersonalize."


class Operation(NamedTuple):
    """An operation of `personalize` or `personalize-runtime`."""

    service: str
    name: str


def mount(personalize: Personalize) -> None:
    """Make `personalize` the handler for requests that are signed for Personalize."""

    async def respond(*fields: Any) -> http.Response:  # noqa: ANN401  # the fields of a Call
        return await _respond(personalize, ministack.Call(*fields))

    # There's no pattern for the runtime's paths, because a request to S3 could have the same path.
    # The signature tells them apart.
    router.SERVICE_PATTERNS["personalize"] = {"target_prefixes": [TARGET_PREFIX]}
    ministack.SERVICE_HANDLERS["personalize"] = respond


async def _respond(personalize: Personalize, call: ministack.Call) -> http.Response:
    """Perform a call in a thread, because it may wait for S3, which this process serves as well."""
    operation = find_operation(call.headers, call.path)
    if operation is None:
        message = f"{call.path} is not supported by this emulator of Personalize"
        return http.build_error("UnknownOperationException", message)

    access_key = router.extract_access_key_id(call.headers, call.query)
    caller = Caller(get_account_id(), get_region(), iam.find_caller_arn(access_key), access_key)
    perform = functools.partial(personalize.call, operation.name, caller=caller)
    try:
        return await asyncio.to_thread(wire.respond, perform, operation.service, call.body)
    except NoResponse:
        return http.NO_RESPONSE


def find_operation(headers: Mapping[str, str], path: str) -> Operation | None:
    """Return the operation that a request calls, or None if Personalize doesn't have it."""
    target = headers.get("x-amz-target", "")
    if target.startswith(TARGET_PREFIX):
        return Operation(CONTROL_SERVICE, target.removeprefix(TARGET_PREFIX))
    if "/personalize/aws4_request" not in headers.get("authorization", ""):
        return None
    return _map_paths().get(path)


@functools.cache
def _map_paths() -> dict[str, Operation]:
    """Map the request paths of `personalize-runtime` and `personalize-events` to operations."""
    operations = {}
    for service in (RUNTIME_SERVICE, EVENTS_SERVICE):
        model = load_service_model(service)
        for name in model.operation_names:
            path = model.operation_model(name).http["requestUri"]
            operations[path] = Operation(service, name)
    return operations


def authorize(caller: Caller, action: str, resource_arns: list[str]) -> None:
    """Reject a request unless its caller may perform an action on every resource.

    For iam:PassRole, Personalize must also be allowed to assume the role.
    """
    is_pass_role = action == "iam:PassRole"
    conditions = None
    if is_pass_role:
        conditions = {"iam:PassedToService": SERVICE}

    for arn in resource_arns:
        try:
            iam.authorize(caller.access_key, caller.region, action, arn, conditions)
        except iam.AccessDeniedError as error:
            raise ApiError("AccessDeniedException", error.message) from error

        source_arn = build_job_arn(caller.region, caller.account)
        if is_pass_role and not iam.trusts(arn, service=SERVICE, source_arn=source_arn):
            raise invalid_input(f"Amazon Personalize is not allowed to assume the role {arn}.")


def build_job_arn(region: str, account: str) -> str:
    """Return the `aws:SourceArn` that policies see when Personalize runs a job.

    It's always the ARN of an import job in the account, even for a batch job.
    """
    return f"arn:aws:personalize:{region}:{account}:dataset-import-job/import"
