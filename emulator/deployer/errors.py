"""The errors of the deployer that a user can cause."""

import re


class DeploymentError(Exception):
    """The program or a file needs something that the deployer or a service cannot do.

    The message names it and where it is.
    """


class InputRefusedError(DeploymentError):
    """An input of a resource has a value that the deployer or AWS does not accept.

    `path` is the path of the value, for example `target.retryPolicy`.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.input = re.split(r"[.\[]", path, maxsplit=1)[0]
        """The name of the input, for example `target`. Pulumi's engine prints it."""
        self.reason_in_input = reason if path == self.input else str(self)
        """The reason, with the path of a value inside the input."""


class GoneError(DeploymentError):
    """A resource does not exist."""
