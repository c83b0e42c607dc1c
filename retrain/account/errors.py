"""The errors that end a command with one line, and the exit codes of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
DENIED_CODES = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
LOG_IN_HINT = "log in again, for example with `aws sso login`, or choose others with --profile"
REFUSALS: Mapping[Sequence[str], str] = {
    DENIED_CODES: (
        "these credentials may not call {operation}: {text}; `retrain doctor --policy` prints the "
        "permissions that the commands need"
    ),
    ("ResourceNotFoundException",): (
        "AWS refused {operation}: {text}; `retrain plan` lists the resources of the stack that do "
        "not exist"
    ),
    (
        *("ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "SlowDown", "InternalServerException", "ServiceUnavailable"),
    ): "AWS does not answer {operation} now: {text}; try again in a minute",
    ("ExpiredTokenException", "ExpiredToken", "RequestExpired"): (
        f"the AWS credentials have expired; {LOG_IN_HINT}"
    ),
    (
        *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"),
        *("SignatureDoesNotMatch", "AuthFailure"),
    ): f"AWS does not accept the credentials: {{text}}; {LOG_IN_HINT}",
}
"""The error codes of responses -> the message. `{text}` is the message of AWS."""
MESSAGES: Mapping[type[Exception] | tuple[type[Exception], ...], str] = {
    exceptions.NoCredentialsError: (
        "there are no AWS credentials; log in, for example with `aws sso login`, or name a profile "
        "of ~/.aws/config with --profile"
    ),
    exceptions.ProfileNotFound: "{text}; `aws configure list-profiles` lists the profiles",
    exceptions.NoRegionError: "there is no region; name it with --region, for example eu-west-1",
    (
        *(exceptions.UnauthorizedSSOTokenError, exceptions.SSOTokenLoadError),
        *(exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError),
    ): f"{{text}}; {LOG_IN_HINT}",
    exceptions.EndpointConnectionError: (
        "{text}; check the network, --endpoint-url, and whether the region is spelled right"
    ),
    (exceptions.ConnectionError, exceptions.HTTPClientError): (
        "AWS did not respond: {text}; check the network and try again"
    ),
}
"""The classes of errors without a response -> the message. `{text}` is the message of botocore.
The first class that matches counts."""


class OperatorError(Exception):
    """A command cannot do what it was asked for. The message is one line with the way out."""

    exit_code = EXIT_UNUSABLE

    def __init__(self, text: str, command: str | None = None) -> None:
        """`command` is the way out, if a single command is."""
        super().__init__(f"{text}: `{command}`" if command else text)
        self.text = text
        self.command = command


class FailedError(OperatorError):
    """The command can be used, but what was asked for did not happen."""

    exit_code = EXIT_FAILED


def code_of(error: exceptions.ClientError) -> str:
    """Return the error code of a response, for example `AccessDeniedException`."""
    return str(error.response["Error"]["Code"])


def aws_error(error: Exception) -> OperatorError:
    """Turn one of AWS_ERRORS into an error whose message is one line with the way out."""
    if isinstance(error, exceptions.ClientError):
        return _explain_refusal(error)

    text = one_line(str(error))
    for error_class, message in MESSAGES.items():
        if isinstance(error, error_class):
            return OperatorError(message.format(text=text))
    return OperatorError(f"AWS cannot be called: {text}")


def _explain_refusal(error: exceptions.ClientError) -> OperatorError:
    """Explain a response with an error code. An unknown code is shown as AWS has sent it."""
    code = code_of(error)
    text = one_line(error.response["Error"].get("Message", ""))
    for codes, message in REFUSALS.items():
        if code in codes:
            return OperatorError(message.format(operation=error.operation_name, text=text))

    parts = [f"AWS refused {error.operation_name}", code, text]
    return OperatorError(": ".join(filter(None, parts)))


def one_line(text: str) -> str:
    """Put a text into one line, without a period at its end."""
    return " ".join(text.split()).rstrip(".")
