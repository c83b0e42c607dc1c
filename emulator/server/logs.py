"""CloudWatch Logs: the keys of log groups, and the filter patterns that MiniStack understands.

MiniStack filters by words only. For a pattern of JSON, of fields or of a regular expression
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html) it would
return wrong lines, and an error is better than that.
"""

from ministack.services import cloudwatch_logs

from emulator.server import http, ministack


@ministack.guard("logs")
def refuse_other_patterns(call: ministack.Call) -> http.Response | None:
    """Return an error for a request to search lines with a pattern that is not plain words."""
    pattern = str(call.document.get("filterPattern", "")).strip()
    has_only_words = not pattern.startswith(("{", "[", "%"))
    is_stored_filter = "filterName" in call.document  # MiniStack never filters by it
    if has_only_words or is_stored_filter:
        return None
    return http.error(
        "InvalidParameterException",
        f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all in"
        " the line, and -words that are not",
    )


@ministack.guard("logs")
def store_key(call: ministack.Call) -> http.Response | None:
    """Respond to AssociateKmsKey and DisassociateKmsKey for log groups. MiniStack lacks both."""
    if call.operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
        return None
    name = call.document["logGroupName"]
    group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001  # no other way to set a key
    if group is None:
        message = f"The specified log group does not exist: {name}"
        return http.error("ResourceNotFoundException", message)
    group["kmsKeyId"] = call.document.get("kmsKeyId")
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, b"{}"
