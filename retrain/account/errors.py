"""The errors that end a command with one line, and the exit codes of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_FAILED = 1
"""What was asked for did not happen."""
EXIT_UNUSABLE = 2
"""The command cannot be used like this: its arguments, the config or the credentials are wrong."""
EXIT_INTERRUPTED = 130
"""The code with which a shell reports Ctrl-C."""
EXIT_CLOSED_OUTPUT = 141
"""The code with which a shell reports a program whose output nobody reads any more (SIGPIPE)."""

AWS_ERRORS = (exceptions.BotoCoreError, exceptions.ClientError)
"""The base classes of the errors that boto3 raises."""
POLICY_HINT = "`retrain doctor --policy` prints the permissions that the commands need"
LOG_IN_HINT = "log in again, for example with `aws sso login`, or choose others with --profile"
NO_CREDENTIALS = (
    "there are no AWS credentials; log in, for example with `aws sso login`, or name a profile of "
    "~/.aws/config with --profile"
)
NO_RESPONSE = "AWS did not respond: {text}; check the network and try again"
DENIED_CODES = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
EXPIRED_CODES = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
INVALID_CODES = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
)
"""The error codes of AWS for access keys that do not exist, or with a wrong secret."""


class OperatorError(Exception):
    """A command cannot do what it was asked for. The message is one line with the way out."""

    exit_code = EXIT_UNUSABLE


class FailedError(OperatorError):
    """The command can be used, but what was asked for did not happen."""

    exit_code = EXIT_FAILED


def code_of(error: exceptions.ClientError) -> str:
    """Return the error code of a response, for example `AccessDeniedException`."""
    return str(error.response["Error"]["Code"])


def aws_error(error: Exception) -> OperatorError:
    """Return one of AWS_ERRORS as an error whose message is one line with the way out."""
    if isinstance(error, exceptions.ClientError):
        return _refusal(error)
    text = one_line(str(error))
    for error_class, message in _MESSAGES.items():
        if isinstance(error, error_class):
            return OperatorError(message.format(text=text))
    return FailedError(f"AWS cannot be called: {text}")


_MESSAGES: Mapping[type[exceptions.BotoCoreError], str] = {
    exceptions.NoCredentialsError: NO_CREDENTIALS,
    exceptions.PartialCredentialsError: "the AWS credentials are incomplete: {text}",
    exceptions.ProfileNotFound: "{text}; `aws configure list-profiles` lists the profiles",
    exceptions.NoRegionError: "there is no region; name it with --region, for example eu-west-1",
    exceptions.InvalidRegionError: "{text}; name a region like eu-west-1 with --region",
    exceptions.UnauthorizedSSOTokenError: f"{{text}}; {LOG_IN_HINT}",
    exceptions.SSOTokenLoadError: f"{{text}}; {LOG_IN_HINT}",
    exceptions.TokenRetrievalError: f"{{text}}; {LOG_IN_HINT}",
    exceptions.CredentialRetrievalError: f"{{text}}; {LOG_IN_HINT}",
    exceptions.EndpointConnectionError: (
        "{text}; check the network, --endpoint-url, and whether the region is spelled right"
    ),
    exceptions.ConnectionError: NO_RESPONSE,
    exceptions.HTTPClientError: NO_RESPONSE,
}
"""The classes of errors without a response -> the message, in which `{text}` is botocore's text.
The first class that matches counts."""


def _refusal(error: exceptions.ClientError) -> OperatorError:
    """Return the error for a response with which AWS refused a request."""
    code, text = code_of(error), one_line(error.response["Error"].get("Message", ""))
    action = error.operation_name
    if code in DENIED_CODES:
        return OperatorError(f"these credentials may not call {action}: {text}; {POLICY_HINT}")
    if code in EXPIRED_CODES:
        return OperatorError(f"the AWS credentials have expired; {LOG_IN_HINT}")
    if code in INVALID_CODES:
        return OperatorError(f"AWS does not accept the credentials: {text}; {LOG_IN_HINT}")
    return FailedError(f"AWS refused {action}: {code}: {text}")


def one_line(text: str) -> str:
    """Return a text without line breaks and without a period at its end."""
    return " ".join(text.split()).rstrip(".")
