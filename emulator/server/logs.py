"""Corrects MiniStack's CloudWatch Logs: filter patterns are checked, and log groups keep KMS keys.

MiniStack can only filter by words. For a pattern with JSON, fields or a regular expression
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html), it would
return the wrong lines, and an error is better than that.
"""

from ministack.services import cloudwatch_logs

from emulator.protocol.errors import ApiError
from emulator.server import http, ministack


@ministack.guard("logs")
def reject_unsupported_patterns(call: ministack.Call) -> None:
    """Reject a search for log lines if its filter pattern isn't plain words."""
    pattern = str(call.document.get("filterPattern", "")).strip()
    is_stored_filter = "filterName" in call.document  # which MiniStack never applies

    if pattern.startswith(("{", "[", "%")) and not is_stored_filter:
        message = (
            f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all"
            " in the line, and -words that are not"
        )
        raise ApiError("InvalidParameterException", message)


@ministack.guard("logs")
def store_kms_key(call: ministack.Call) -> http.Response | None:
    """Respond to AssociateKmsKey and DisassociateKmsKey, because MiniStack lacks both operations.

    The key is only stored. Nothing is encrypted with it.
    """
    if call.operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
        return None

    name = call.document["logGroupName"]
    group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001  # there's no other way to set a key
    if group is None:
        message = f"The specified log group does not exist: {name}"
        raise ApiError("ResourceNotFoundException", message)

    # DisassociateKmsKey doesn't have this field, so it resets the key.
    group["kmsKeyId"] = call.document.get("kmsKeyId")
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, b"{}"
