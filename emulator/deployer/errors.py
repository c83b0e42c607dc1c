"""What the deployer refuses, and how it says so."""


class DeploymentError(Exception):
    """The deployer cannot do what the program or its files ask; the message says what and where."""


class InputRefusedError(Exception):
    """An input of a resource has a value that the deployer cannot honour.

    The rows of `resources` raise it. The monitor turns it into a `DeploymentError` that also names
    the resource. The provider answers with it, and the Pulumi CLI prints it beside the resource.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class GoneError(Exception):
    """A resource does not exist. A row raises this if its service has no error of that meaning."""
