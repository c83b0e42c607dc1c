"""Errors of the deployer that its users can cause, so they get a message instead of a traceback."""


class DeploymentError(Exception):
    """The program needs something that the deployer doesn't support, or that a service rejects."""


class NotFoundError(DeploymentError):
    """The resource doesn't exist, or no longer."""
