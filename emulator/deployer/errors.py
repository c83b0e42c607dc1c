"""The errors of the deployer that a user can cause."""


class DeploymentError(Exception):
    """The program or a file needs something that the deployer or a service cannot do."""


class GoneError(DeploymentError):
    """A resource does not exist."""
