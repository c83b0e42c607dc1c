"""Runs an unchanged Pulumi program against the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

from pulumi.runtime import Settings, configure, set_all_config
from pulumi.runtime import stack as pulumi_stack

from emulator.deployer.aws import emulator_health
from emulator.deployer.configuration import Project, read_project
from emulator.deployer.errors import DeploymentError
from emulator.deployer.monitor import DeployedResource, Monitor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

# Pulumi waits again for all outputs whenever one of them is known, which takes a fifth of the time
# of a deployment. Waiting for the first error has the same result.
vars(pulumi_stack)["asyncio"] = SimpleNamespace(
    **{**vars(asyncio), "FIRST_COMPLETED": asyncio.FIRST_EXCEPTION}
)

REPOSITORY = Path(__file__).parents[2]


class Deployment(NamedTuple):
    """The outputs and the resources of a program after it has run."""

    outputs: Mapping[str, object]
    """The program's exports, as plain values."""
    resources: Sequence[DeployedResource]
    """All resources but the stack, in the order in which they were deployed."""


def deploy(
    stack: str,
    *,
    endpoint: str,
    project_dir: Path = REPOSITORY,
    config: Mapping[str, str] | None = None,
) -> Deployment:
    """Run the program in `project_dir` with the config of `stack`, and create its resources.

    The values in `config` win over the stack's file. A key without a namespace belongs to the
    project. A stack can be deployed once to an emulator, because there is no preview, diff, update
    or delete. The checks of the real AWS provider do not run.

    Raises the errors of the program, and DeploymentError if the emulator refuses a resource or if
    only Pulumi's engine or the real provider can do something. Do not call this in a running event
    loop, and not in two threads at once, because it changes the working directory.
    """
    project = read_project(project_dir.resolve(), stack, config or {})
    environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": emulator_health(endpoint)["region"]}
    settings = {
        key.removeprefix("aws:"): value
        for key, value in project.config.items()
        if key.startswith("aws:")
    }
    monitor = Monitor(project.name, stack, environment, settings)
    _run_program(project, stack, project_dir, monitor)
    return Deployment(monitor.outputs, monitor.resources)


def _run_program(project: Project, stack: str, project_dir: Path, monitor: Monitor) -> None:
    """Run the program of a stack until it ends and all its resources are deployed.

    Raises the errors of the program, and DeploymentError if the program logged an error.
    """

    def run_main() -> None:
        runpy.run_path(str(project.program), run_name="__main__")

    async def run() -> None:
        configure(
            Settings(
                project=project.name,
                stack=stack,
                monitor=monitor,
                engine=monitor,
                dry_run=False,
                organization="organization",
                root_directory=str(project_dir),
            )
        )
        set_all_config(dict(project.config), [])
        await pulumi_stack.run_in_stack(run_main)

    # Pulumi keeps global state in the event loop and in the context. A new loop and a new context
    # keep it away from the caller.
    with (
        contextlib.chdir(project.program),
        asyncio.Runner(loop_factory=_loop_without_error_logs) as runner,
    ):
        runner.run(run(), context=contextvars.Context())
    if monitor.errors:
        raise DeploymentError("the program logged errors: " + "; ".join(monitor.errors))


def _loop_without_error_logs() -> asyncio.AbstractEventLoop:
    """Return an event loop that logs the errors of tasks only as debug messages.

    If an output fails, every output that depends on it fails with the same error. Pulumi raises the
    first error, and asyncio would log the other ones later.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: logger.debug("%s", context["message"]))
    return loop
