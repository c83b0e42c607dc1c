"""The errors of the deployer that a user can cause."""


class DeploymentError(Exception):
    """The program or a file asks for what the deployer cannot do.

    The message says what and where.
    """


class InputRefusedError(Exception):
    """An input of a resource has a value that the deployer or AWS does not accept.

    The resource table raises it. The monitor turns it into a DeploymentError that also names the
    resource. The provider returns it, and the Pulumi CLI prints it beside the resource.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class GoneError(Exception):
    """A resource does not exist. A row raises this if its service has no such error."""
