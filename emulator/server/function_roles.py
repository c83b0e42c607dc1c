"""The check that Lambda may assume a function's role, at creation and at each invocation.

MiniStack opens a session of any role for its functions, even of a role that does not exist. AWS
refuses the creation. It also refuses an invocation when it has to assume the role again, and the
emulator checks each invocation
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region

from emulator.server import authorization, http, ministack_internals

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "lambda.amazonaws.com"
CREATION = "/2015-03-31/functions"
INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
MESSAGE = "The role defined for the function cannot be assumed by Lambda."


def mount(record_denial: Callable[[str, str], None]) -> None:
    """From now on, check that Lambda may assume the role of a function.

    When an event of EventBridge cannot reach a function, `record_denial` is called with the name
    of the service and the denied action.
    """
    ministack_internals.guard_service("lambda", _refusal)
    ministack_internals.guard_event_targets(
        is_allowed=lambda function_arn, _rule_arn: can_run(function_arn),
        report_denial=lambda _function_arn, _rule_arn: record_denial(SERVICE, "sts:AssumeRole"),
    )


def _refusal(method: str, path: str, body: bytes) -> http.Response | None:
    """Return AWS's error for a function whose role Lambda may not assume, or None.

    Only CreateFunction and Invoke are checked.
    """
    if method != "POST":
        return None
    if path.rstrip("/") == CREATION:
        request = json.loads(body)
        name, role = request["FunctionName"], request["Role"]
        arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
        if authorization.trusts(role, service=SERVICE, source_arn=arn):
            return None
        return http.error("InvalidParameterValueException", MESSAGE)
    invocation = INVOCATION.fullmatch(path)
    if invocation is None or can_run(unquote(invocation[1])):
        return None
    _, headers, body = http.error("AccessDeniedException", MESSAGE)
    return 403, headers, body


def can_run(function: str) -> bool:
    """Return True if Lambda may assume the role of a function. `function` is its ARN or name.

    Return True for a function that does not exist, because MiniStack refuses it.
    """
    config = ministack_internals.function_config(function)
    if config is None:
        return True
    return authorization.trusts(config.role_arn, service=SERVICE, source_arn=config.arn)
