"""Corrects MiniStack's CloudWatch Logs by checking filter patterns and storing KMS keys.

MiniStack can only filter by words. For a pattern with JSON, fields or a regular expression
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html), it would
return the wrong lines, so we reject such patterns.
"""

from ministack.services import cloudwatch_logs

from emulator.protocol.errors import ApiError
from emulator.server import http, ministack


@ministack.guard("logs")
def reject_unsupported_patterns(call: ministack.Call) -> None:
    """Reject a search for log lines if its filter pattern doesn't consist of plain words."""
    pattern = str(call.document.get("filterPattern", "")).strip()
    is_stored_filter = "filterName" in call.document  # MiniStack never applies metric filters.

    if pattern.startswith(("{", "[", "%")) and not is_stored_filter:
        raise ApiError(
            "InvalidParameterException",
            f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all"
            " in the line, and -words that are not",
        )


@ministack.guard("logs")
def store_kms_key(call: ministack.Call) -> http.Response | None:
    """Handle AssociateKmsKey and DisassociateKmsKey, which MiniStack doesn't have.

    The key is only stored. Log groups aren't encrypted.
    """
    if call.operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
        return None

    name = call.document["logGroupName"]
    group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001  # there's no other way to set a key
    if group is None:
        raise ApiError(
            "ResourceNotFoundException", f"The specified log group does not exist: {name}"
        )

    # A DisassociateKmsKey request doesn't have this field, so the key becomes None.
    group["kmsKeyId"] = call.document.get("kmsKeyId")
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, b"{}"
