"""Deploys an unchanged Pulumi program to the emulator, in this process or with Pulumi's engine."""

from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from emulator.deployer.monitor import DeployedResource
    from emulator.deployer.program import Deployment, deploy
else:

    def __getattr__(name: str) -> object:
        """Return a name of `__all__` and import its module, at the first use of the name.

        The AWS provider does not use these names, and it starts faster without their modules.
        """
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from emulator.deployer import monitor, program  # noqa: PLC0415

        return getattr(monitor if name == "DeployedResource" else program, name)


__all__ = ["DeployedResource", "Deployment", "DeploymentError", "deploy"]
