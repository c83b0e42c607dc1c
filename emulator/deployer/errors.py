"""The errors of the deployer that a user can cause."""


class DeploymentError(Exception):
    """The program or a file needs something that the deployer cannot do.

    The message names it and where it is.
    """


class InputRefusedError(Exception):
    """An input of a resource has a value that the deployer or AWS does not accept.

    `path` is the path of the input, for example `target.retryPolicy`. The monitor turns the error
    into a DeploymentError that also names the resource. The provider returns the error to the
    engine, and the Pulumi CLI prints it beside the resource.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class GoneError(Exception):
    """A resource does not exist. A row raises this if the service itself reports no error."""
