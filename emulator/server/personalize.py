"""Amazon Personalize as a service of MiniStack, which checks the signatures of its requests.

Personalize's services share the port. A request to `personalize` has an X-Amz-Target, and a request
to `personalize-runtime` is recognised by its path. `personalize-events` is not emulated.

The policies of the caller must allow every action on every resource. If a request passes a role,
the caller must be allowed to pass it to Personalize, and Personalize must be allowed to assume it.
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
from emulator.personalize.operation_models import CONTROL, RUNTIME
from emulator.protocol import wire
from emulator.protocol.errors import ApiError, NoResponse
from emulator.protocol.service_models import load_service_model
from emulator.server import http, iam, ministack

SERVICE = "personalize.amazonaws.com"
TARGET = "AmazonPersonalize."


class Operation(NamedTuple):
    """An operation of one of Personalize's services."""

    service: str
    name: str


def mount(personalize: Personalize) -> None:
    """Let MiniStack pass the requests that are signed for Personalize to `personalize`."""

    async def respond(*fields: Any) -> http.Response:  # noqa: ANN401  # the fields of a Call
        return await _respond(personalize, ministack.Call(*fields))

    # A request to S3 can have an equal path, so the signature decides about paths.
    router.SERVICE_PATTERNS["personalize"] = {"target_prefixes": [TARGET]}
    ministack.SERVICE_HANDLERS["personalize"] = respond


async def _respond(personalize: Personalize, call: ministack.Call) -> http.Response:
    """Perform a call in a thread, because it may wait for S3, which this process serves too."""
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
    """Find the operation that a request is for, or None if it is not for Personalize."""
    target = headers.get("x-amz-target", "")
    if target.startswith(TARGET):
        return Operation(CONTROL, target.removeprefix(TARGET))
    if "/personalize/aws4_request" not in headers.get("authorization", ""):
        return None
    return _runtime_operations().get(path)


@functools.cache
def _runtime_operations() -> dict[str, Operation]:
    """Return the operations of the runtime by their paths."""
    model = load_service_model(RUNTIME)
    return {
        model.operation_model(name).http["requestUri"]: Operation(RUNTIME, name)
        for name in model.operation_names
    }


def authorize(caller: Caller, action: str, resources: list[str]) -> None:
    """Reject a request unless its caller may perform an action on every resource.

    A role that the caller passes must be one that Personalize may assume.
    """
    is_role = action == "iam:PassRole"
    conditions = None
    if is_role:
        conditions = {"iam:PassedToService": SERVICE}

    for resource in resources:
        try:
            iam.authorize(caller.access_key, caller.region, action, resource, conditions)
        except iam.AccessDeniedError as error:
            raise ApiError("AccessDeniedException", error.message) from error

        source_arn = build_job_arn(caller.region, caller.account)
        if is_role and not iam.trusts(resource, service=SERVICE, source_arn=source_arn):
            raise invalid_input(f"Amazon Personalize is not allowed to assume the role {resource}.")


def build_job_arn(region: str, account: str) -> str:
    """Build the `aws:SourceArn` that policies see when Personalize works for a job.

    It is always an import job of the account, even if a batch job reads or writes.
    """
    return f"arn:aws:personalize:{region}:{account}:dataset-import-job/import"
