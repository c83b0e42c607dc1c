"""Deploys an unchanged Pulumi program: its resource registrations become calls to the emulator."""

from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from emulator.deployer.monitor import DeployedResource
    from emulator.deployer.program import Deployment, deploy
else:

    def __getattr__(name: str) -> object:
        """Import the modules at the first use: the AWS provider starts faster without them."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from emulator.deployer import monitor, program  # noqa: PLC0415

        return getattr(monitor if name == "DeployedResource" else program, name)


__all__ = ["DeployedResource", "Deployment", "DeploymentError", "deploy"]
