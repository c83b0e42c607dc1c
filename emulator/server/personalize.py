"""Amazon Personalize over HTTP: it identifies the caller, checks permissions and responds.

Personalize's services share the port. A request to `personalize` has an X-Amz-Target. A request to
`personalize-runtime` or `personalize-events` is recognised by its path and by the service that it
is signed for. (The operations of `personalize-events` are not emulated, and their error says so.)

Signatures are checked as MiniStack checks them. The policies of the caller must allow every action
on every resource. If a request passes a role, the caller must be allowed to pass it to
Personalize, and Personalize must be allowed to assume it.
"""

import asyncio
import contextvars
import functools
import uuid
from typing import NamedTuple
from urllib.parse import parse_qs

from hypercorn.typing import HTTPScope
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import (
    get_account_id,
    get_region,
    set_request_account_id,
    set_request_region,
)
from ministack.core.router import extract_access_key_id, extract_region

from emulator.personalize import wire
from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import ApiError, invalid_input
from emulator.personalize.service_model import CONTROL, EVENTS, RUNTIME, service_model
from emulator.server import http, iam

SERVICE = "personalize.amazonaws.com"
TARGET = "AmazonPersonalize."
_access_key: contextvars.ContextVar[str] = contextvars.ContextVar("personalize_access_key")


class Operation(NamedTuple):
    """An operation of one of Personalize's services."""

    service: str
    name: str


async def respond(
    personalize: Personalize, operation: Operation, scope: HTTPScope, body: bytes
) -> http.Response:
    """Return the response to a request for an operation. Raise NoResponse if a fault loses it."""
    headers = http.headers(scope)
    refusal = _authenticate(scope, headers, body)
    if refusal is not None:
        return refusal
    caller = Caller(get_account_id(), get_region(), iam.caller_arn(_access_key.get()))
    perform = functools.partial(personalize.call, operation.name, caller=caller)
    return await asyncio.to_thread(wire.respond, perform, operation.service, body)


def operation_of(scope: HTTPScope) -> Operation | None:
    """Return the operation that a request is for, or None if it is not for Personalize."""
    headers = http.headers(scope)
    target = headers.get("x-amz-target", "")
    if target.startswith(TARGET):
        return Operation(CONTROL, target.removeprefix(TARGET))
    # A request to S3 can have an equal path, so the request must be signed for Personalize.
    if "/personalize/aws4_request" not in headers.get("authorization", ""):
        return None
    return _operations_by_path().get(scope["path"])


@functools.cache
def _operations_by_path() -> dict[str, Operation]:
    """Return the operations of the runtime and of the events by their paths."""
    return {
        service_model(service).operation_model(name).http["requestUri"]: Operation(service, name)
        for service in (RUNTIME, EVENTS)
        for name in service_model(service).operation_names
    }


def _authenticate(scope: HTTPScope, headers: dict[str, str], body: bytes) -> http.Response | None:
    """Set the caller in the context of this request. Return an error for wrong credentials."""
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    access_key = extract_access_key_id(headers, query)
    set_request_account_id(access_key)
    set_request_region(extract_region(headers, query))
    _access_key.set(access_key)
    if not access_key:
        return http.error("MissingAuthenticationTokenException", "Missing Authentication Token")
    path, fields = scope["raw_path"].decode(), list(scope["headers"])
    iam_evaluator.pin_signed_request(scope["method"], path, query, fields)
    iam_evaluator.pin_signed_body(body)
    failure = iam_evaluator.check_credentials(access_key, "personalize")
    if failure is None:
        return None
    response: http.Response = iam_actions.access_denied_response(
        "personalize",
        "",
        "",
        str(uuid.uuid4()),
        error_code=failure.code,
        message=failure.message,
        headers=headers,
    )
    return response


def authorize(
    caller: Caller, action: str, resources: list[str], conditions: iam.Policy | None = None
) -> None:
    """Raise ApiError unless the caller of the request may perform an action on every resource."""
    for resource in resources:
        try:
            iam.authorize(_access_key.get(), caller.region, action, resource, conditions)
        except iam.AccessDeniedError as error:
            raise ApiError("AccessDeniedException", error.message) from error


def pass_role(caller: Caller, role_arn: str) -> None:
    """Raise ApiError unless the caller may pass a role, and Personalize may assume it."""
    authorize(caller, "iam:PassRole", [role_arn], {"iam:PassedToService": SERVICE})
    job_arn = f"arn:aws:personalize:{caller.region}:{caller.account}:dataset-import-job/import"
    if not iam.trusts(role_arn, service=SERVICE, source_arn=job_arn):
        raise invalid_input(f"Amazon Personalize is not allowed to assume the role {role_arn}.")
