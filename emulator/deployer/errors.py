"""What the deployer refuses, and how it says so."""


class DeploymentError(Exception):
    """The deployer cannot do what the program or its files ask; the message says what and where."""


class InputRefusedError(Exception):
    """An input of a resource has a value that the deployer cannot honour.

    Raised by the rows of `resources`; the monitor turns it into a `DeploymentError` that also names
    the resource, the provider into a failure that the Pulumi CLI prints beside it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class GoneError(Exception):
    """A resource does not exist any more. Raised by a row where the service has no error for it."""
