"""The errors that users of the deployer can cause. Users see their messages, but no tracebacks."""


class DeploymentError(Exception):
    """Raised if a program uses something that the deployer doesn't support or a service rejects."""


class NotFoundError(DeploymentError):
    """Raised if a resource doesn't exist, for example because somebody has deleted it."""
