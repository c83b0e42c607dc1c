"""Amazon Personalize over HTTP: who calls, whether they may, and how it is answered.

Its services share the port: `personalize` is told by its X-Amz-Target, `personalize-runtime` and
`personalize-events` (which is not emulated, and says so) by their paths and the service that the
request was signed for. Signatures are checked like MiniStack
checks those of its services, and every action is authorised per resource by the caller's policies.
A role that a request hands over must be one that the caller may pass to Personalize, and that
Personalize may assume.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import uuid
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import (
    get_account_id,
    get_region,
    set_request_account_id,
    set_request_region,
)
from ministack.core.router import extract_access_key_id, extract_region

from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import ApiError, invalid_input
from emulator.personalize.service_model import CONTROL, EVENTS, RUNTIME, service
from emulator.personalize.wire import TARGET, respond
from emulator.server import authorization, http, ministack_seams

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    from emulator.personalize.store import Objects, Switches
    from emulator.personalize.timeline import Timings

SERVICE = "personalize.amazonaws.com"
_access_key: contextvars.ContextVar[str] = contextvars.ContextVar("personalize_access_key")


class PersonalizeHttp:
    """The emulated Personalize, behind IAM."""

    def __init__(
        self, objects: Objects, timings: Timings | None = None, switches: Switches | None = None
    ) -> None:
        self._make = functools.partial(
            Personalize,
            objects=objects,
            timings=timings,
            switches=switches,
            authorize=_authorize,
            pass_role=_pass_role,
        )
        self.personalize = self._make()
        self._paths = {
            service(each).operation_model(name).http["requestUri"]: (each, name)
            for each in (RUNTIME, EVENTS)
            for name in service(each).operation_names
        }

    def reset(self) -> None:
        """Forget every resource, fault and call."""
        self.personalize = self._make()

    def operation(self, scope: HTTPScope) -> tuple[str, str] | None:
        """Tell which service and operation of Personalize a request is for; None if for neither."""
        headers = http.headers(scope)
        target = headers.get("x-amz-target", "")
        if target.startswith(TARGET):
            return CONTROL, target.removeprefix(TARGET)
        # A bucket may be called like one of the paths.
        signed_for_it = "/personalize/aws4_request" in headers.get("authorization", "")
        return self._paths.get(scope["path"]) if signed_for_it else None

    async def __call__(
        self,
        service_name: str,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        """Answer one request for `service_name`. Raises NoAnswer where the answer is to be lost."""
        body = await http.read_body(receive)
        headers = http.headers(scope)
        refusal = _identify(scope, headers, body)
        if refusal is not None:
            await http.send_answer(send, *refusal)
            return
        answer = await asyncio.to_thread(
            respond,
            self.personalize,
            service_name=service_name,
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            body=body,
            caller=Caller(
                get_account_id(), get_region(), ministack_seams.caller_arn(_access_key.get())
            ),
        )
        await http.send_answer(send, *answer)


def _identify(scope: HTTPScope, headers: dict[str, str], body: bytes) -> http.Answer | None:
    """Make the caller known to the rest of this request, or refuse its credentials."""
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    access_key = extract_access_key_id(headers, query)
    set_request_account_id(access_key)
    set_request_region(extract_region(headers, query))
    raw_path = scope["raw_path"].decode()
    raw_headers = list(scope["headers"])
    iam_evaluator.pin_signed_request(scope["method"], raw_path, query, raw_headers)
    iam_evaluator.pin_signed_body(body)
    _access_key.set(access_key)
    if not access_key:
        return http.error("MissingAuthenticationTokenException", "Missing Authentication Token")
    failure = iam_evaluator.check_credentials(access_key, "personalize")
    if failure is None:
        return None
    answer: http.Answer = iam_actions.access_denied_response(
        "personalize",
        "",
        "",
        str(uuid.uuid4()),
        error_code=failure.code,
        message=failure.message,
        headers=headers,
    )
    return answer


def _authorize(caller: Caller, action: str, resources: list[str]) -> None:
    """Raise ApiError (AccessDeniedException) unless the caller may do this to all of these."""
    for resource in resources:
        try:
            authorization.authorize(_access_key.get(), caller.region, action, resource)
        except authorization.AccessDeniedError as error:
            raise ApiError("AccessDeniedException", str(error)) from error


def _pass_role(caller: Caller, role_arn: str) -> None:
    """Raise ApiError unless the caller may pass the role, and Personalize may assume it."""
    try:
        authorization.authorize(
            _access_key.get(),
            caller.region,
            "iam:PassRole",
            role_arn,
            {"iam:PassedToService": SERVICE},
        )
    except authorization.AccessDeniedError as error:
        raise ApiError("AccessDeniedException", str(error)) from error
    source = f"arn:aws:personalize:{caller.region}:{caller.account}:dataset-import-job/import"
    if not authorization.trusts(role_arn, service=SERVICE, source_arn=source):
        raise invalid_input(f"Amazon Personalize is not allowed to assume the role {role_arn}.")
