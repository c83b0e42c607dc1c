"""Deploys an unchanged Pulumi program: its resource registrations become calls to the emulator."""

from emulator.deployer.errors import DeploymentError
from emulator.deployer.monitor import DeployedResource
from emulator.deployer.program import Deployment, deploy

__all__ = ["DeployedResource", "Deployment", "DeploymentError", "deploy"]
