"""Deploys an unchanged Pulumi program to the emulator: in process, or as a plugin of the engine."""

from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from emulator.deployer.monitor import DeployedResource
    from emulator.deployer.program import Deployment, deploy
else:

    def __getattr__(name: str) -> object:
        """Import a module at its first use, because the AWS provider starts faster without it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from emulator.deployer import monitor, program  # noqa: PLC0415

        return getattr(monitor if name == "DeployedResource" else program, name)


__all__ = ["DeployedResource", "Deployment", "DeploymentError", "deploy"]
