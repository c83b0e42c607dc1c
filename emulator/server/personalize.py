"""Adds Amazon Personalize to MiniStack, which checks the signatures of requests.

Personalize has several APIs. Requests to `personalize` have the header X-Amz-Target, and those to
`personalize-runtime` and `personalize-events` are recognized by their paths.

The caller's policies must allow the action on each resource. If a request contains a role, the
caller also needs iam:PassRole for that role, and the role must trust Personalize.
"""

import functools
from collections.abc import Mapping

from ministack.core import router
from ministack.core.responses import get_account_id, get_region

from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import invalid_input
from emulator.personalize.operation_models import EVENTS_SERVICE, RUNTIME_SERVICE
from emulator.protocol import wire
from emulator.protocol.errors import ApiError, NoResponse
from emulator.protocol.service_models import load_service_model
from emulator.server import http, iam, ministack

SERVICE_PRINCIPAL = "personalize.amazonaws.com"
TARGET_PREFIX = "AmazonPersonalize."


def mount(personalize: Personalize) -> None:
    """Make `personalize` handle all requests that are signed for Personalize."""
    # MiniStack recognizes all other requests to Personalize by their signature. A pattern for their
    # paths could also match requests to S3.
    router.SERVICE_PATTERNS["personalize"] = {"target_prefixes": [TARGET_PREFIX]}
    ministack.handle("personalize", functools.partial(_respond, personalize))


def _respond(personalize: Personalize, call: ministack.Call) -> http.Response:
    """Perform a call that MiniStack has authenticated."""
    operation = find_operation(call.headers, call.path)
    if operation is None:
        message = f"{call.path} is not supported by this emulator of Personalize"
        return wire.build_error(ApiError("UnknownOperationException", message))

    access_key = router.extract_access_key_id(call.headers, call.query)
    caller = Caller(get_account_id(), get_region(), iam.find_caller_arn(access_key), access_key)
    perform = functools.partial(personalize.call, operation, caller=caller)
    try:
        return wire.respond(perform, call.body)
    except NoResponse:
        return http.NO_RESPONSE


def find_operation(headers: Mapping[str, str], path: str) -> str | None:
    """Return the Personalize operation that a request calls, or None for any other request."""
    target = headers.get("x-amz-target", "")
    if target.startswith(TARGET_PREFIX):
        return target.removeprefix(TARGET_PREFIX)
    if "/personalize/aws4_request" not in headers.get("authorization", ""):
        return None
    return _map_paths().get(path)


@functools.cache
def _map_paths() -> dict[str, str]:
    """Map each request path of `personalize-runtime` and `personalize-events` to its operation."""
    return {
        model.operation_model(name).http["requestUri"]: name
        for model in map(load_service_model, (RUNTIME_SERVICE, EVENTS_SERVICE))
        for name in model.operation_names
    }


def authorize(caller: Caller, action: str, resource_arns: list[str]) -> None:
    """Reject a request unless the caller may perform an action on all of the resources.

    For iam:PassRole, the resources are roles, which must also trust Personalize.
    """
    is_pass_role = action == "iam:PassRole"
    conditions = None
    if is_pass_role:
        conditions = {"iam:PassedToService": SERVICE_PRINCIPAL}

    for arn in resource_arns:
        try:
            iam.authorize(caller.access_key, caller.region, action, arn, conditions)
        except iam.AccessDeniedError as error:
            raise ApiError("AccessDeniedException", error.message) from error

        source_arn = build_job_arn(caller.region, caller.account)
        if is_pass_role and not iam.trusts(arn, service=SERVICE_PRINCIPAL, source_arn=source_arn):
            raise invalid_input(f"Amazon Personalize is not allowed to assume the role {arn}.")


def build_job_arn(region: str, account: str) -> str:
    """Build the value of `aws:SourceArn` for policies when Personalize runs a job.

    The emulator always uses the ARN of an import job, even for a batch job.
    """
    return f"arn:aws:personalize:{region}:{account}:dataset-import-job/import"
