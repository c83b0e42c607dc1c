"""Lambda creates and runs a function only where the function's role lets Lambda assume it.

MiniStack opens a session of any role for its functions, also of one that does not exist. AWS
refuses the creation and, once it has to assume the role anew, each invocation; here that is each
invocation (https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region

from emulator.server import authorization, http, ministack_seams

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "lambda.amazonaws.com"
CREATION = "/2015-03-31/functions"
INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
MESSAGE = "The role defined for the function cannot be assumed by Lambda."


def mount(record_denial: Callable[[str, str], None]) -> None:
    """Begin to ask; `record_denial(role, action)` hears of events that reach no function."""

    def refusal(method: str, path: str, body: bytes) -> http.Answer | None:
        if method != "POST":
            return None
        if path.rstrip("/") == CREATION:
            request = json.loads(body)
            name, role = request["FunctionName"], request["Role"]
            arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
            trusted = authorization.trusts(role, service=SERVICE, source_arn=arn)
            return None if trusted else http.error("InvalidParameterValueException", MESSAGE)
        invoked = INVOCATION.fullmatch(path)
        return None if invoked is None or runs(unquote(invoked[1])) else _denied()

    ministack_seams.guard_service("lambda", refusal)

    def reaches(function_arn: str, _rule_arn: str) -> bool:
        if runs(function_arn):
            return True
        record_denial(SERVICE, "sts:AssumeRole")
        return False

    ministack_seams.guard_event_targets(reaches)


def runs(function: str) -> bool:
    """Whether Lambda may assume the role of a function, named by ARN or name; yes for no function.

    That it does not exist is for MiniStack to say.
    """
    found = ministack_seams.function_arn_and_role(function)
    if found is None:
        return True
    arn, role = found
    return authorization.trusts(role, service=SERVICE, source_arn=arn)


def _denied() -> http.Answer:
    _, headers, body = http.error("AccessDeniedException", MESSAGE)
    return 403, headers, body
