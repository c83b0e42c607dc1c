"""CloudWatch Logs: the keys of log groups, and the filter patterns that MiniStack understands.

MiniStack filters by words only. For a pattern of JSON, of fields or of a regular expression
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html) it would
return wrong lines, and an error is better than that.
"""

from ministack.services import cloudwatch_logs

from emulator.protocol.errors import ApiError
from emulator.server import http, ministack


@ministack.guard("logs")
def refuse_other_patterns(call: ministack.Call) -> None:
    """Refuse to search lines with a pattern that is not plain words."""
    pattern = str(call.document.get("filterPattern", "")).strip()
    is_stored_filter = "filterName" in call.document  # MiniStack never filters by it

    if pattern.startswith(("{", "[", "%")) and not is_stored_filter:
        message = (
            f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all"
            " in the line, and -words that are not"
        )
        raise ApiError("InvalidParameterException", message)


@ministack.guard("logs")
def store_key(call: ministack.Call) -> http.Response | None:
    """Respond to AssociateKmsKey and DisassociateKmsKey for log groups. MiniStack lacks both."""
    if call.operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
        return None

    name = call.document["logGroupName"]
    group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001  # no other way to set a key
    if group is None:
        message = f"The specified log group does not exist: {name}"
        raise ApiError("ResourceNotFoundException", message)

    group["kmsKeyId"] = call.document.get("kmsKeyId")
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, b"{}"
