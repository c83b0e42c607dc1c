"""Exit codes, and the errors that end a command with a one-line message instead of a traceback.

Most messages end with a *hint*, which says what the operator can do about the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXIT_FAILED = 1
"""The command was valid, but didn't achieve what it was asked for."""
EXIT_UNUSABLE = 2
"""The command can't run, because the arguments, the config or the credentials are wrong."""
EXIT_INTERRUPTED = 130
"""What a shell reports after Ctrl-C (128 plus SIGINT)."""
EXIT_CLOSED_OUTPUT = 141
"""What a shell reports if the reader of a pipe is gone (128 plus SIGPIPE)."""

AWS_ERRORS = (exceptions.BotoCoreError, exceptions.ClientError)
"""The base classes of all exceptions that boto3 raises."""
DENIED_CODES = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
LOG_IN_HINT = "log in again, for example with `aws sso login`, or choose others with --profile"
MESSAGES_BY_CODE: Mapping[Sequence[str], str] = {
    DENIED_CODES: (
        "these credentials may not call {operation}: {text}; `retrain doctor --policy` prints the "
        "permissions that the commands need"
    ),
    ("ResourceNotFoundException",): (
        "AWS refused {operation}: {text}; `retrain plan` lists the resources of the stack that do "
        "not exist"
    ),
    (
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "InternalServerException",
        "ServiceUnavailable",
    ): "AWS does not answer {operation} now: {text}; try again in a minute",
    ("ExpiredTokenException", "ExpiredToken", "RequestExpired"): (
        f"the AWS credentials have expired; {LOG_IN_HINT}"
    ),
    (
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
    ): f"AWS does not accept the credentials: {{text}}; {LOG_IN_HINT}",
}
"""Error codes in AWS's responses -> our message. `{text}` stands for AWS's own message."""
MESSAGES_BY_CLASS: Mapping[type[Exception] | tuple[type[Exception], ...], str] = {
    exceptions.NoCredentialsError: (
        "there are no AWS credentials; log in, for example with `aws sso login`, or name a profile "
        "of ~/.aws/config with --profile"
    ),
    exceptions.ProfileNotFound: "{text}; `aws configure list-profiles` lists the profiles",
    exceptions.NoRegionError: "there is no region; name it with --region, for example eu-west-1",
    (
        exceptions.UnauthorizedSSOTokenError,
        exceptions.SSOTokenLoadError,
        exceptions.TokenRetrievalError,
        exceptions.CredentialRetrievalError,
    ): f"{{text}}; {LOG_IN_HINT}",
    exceptions.EndpointConnectionError: (
        "{text}; check the network, --endpoint-url, and whether the region is spelled right"
    ),
    (exceptions.ConnectionError, exceptions.HTTPClientError): (
        "AWS did not respond: {text}; check the network and try again"
    ),
}
"""Classes of errors that aren't a response of AWS -> our message. `{text}` stands for botocore's
own message.

The first match wins, so subclasses come before their base classes."""


class OperatorError(Exception):
    """An error that ends a command with a one-line message, usually with a hint.

    This base class is for problems that the operator has to solve before the command can run, for
    example in the arguments, the config or the credentials.
    """

    exit_code = EXIT_UNUSABLE

    def __init__(self, text: str, command: str | None = None) -> None:
        """Build the message from `text` and the command that solves the problem, if there's one."""
        super().__init__(f"{text}: `{command}`" if command else text)
        self.text = text
        self.command = command


class FailedError(OperatorError):
    """An error that ends a valid command if it didn't achieve what the operator asked for."""

    exit_code = EXIT_FAILED


def get_error_code(error: exceptions.ClientError) -> str:
    """Get the error code of AWS's response, for example `AccessDeniedException`."""
    return str(error.response["Error"]["Code"])


def explain_aws_error(error: Exception) -> OperatorError:
    """Turn one of AWS_ERRORS into an OperatorError, whose message is one line with a hint."""
    if isinstance(error, exceptions.ClientError):
        return _explain_error_response(error)

    text = join_lines(str(error))
    for error_class, message in MESSAGES_BY_CLASS.items():
        if isinstance(error, error_class):
            return OperatorError(message.format(text=text))
    return OperatorError(f"AWS cannot be called: {text}")


def _explain_error_response(error: exceptions.ClientError) -> OperatorError:
    """Turn an error response into an OperatorError.

    If we have no message for the error code, use the one from AWS.
    """
    code = get_error_code(error)
    text = join_lines(error.response["Error"].get("Message", ""))
    for codes, message in MESSAGES_BY_CODE.items():
        if code in codes:
            return OperatorError(message.format(operation=error.operation_name, text=text))

    parts = [f"AWS refused {error.operation_name}", code, text]
    return OperatorError(": ".join(filter(None, parts)))


def join_lines(text: str) -> str:
    """Join the lines of a text, and drop the final period, so that a hint can follow."""
    return " ".join(text.split()).rstrip(".")
