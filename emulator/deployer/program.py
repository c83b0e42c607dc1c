"""Runs an unchanged Pulumi program against the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import runpy
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

from pulumi.runtime import Settings, configure, set_all_config
from pulumi.runtime import stack as pulumi_stack

from emulator.deployer.aws import read_health
from emulator.deployer.errors import DeploymentError
from emulator.deployer.monitor import DeployedResource, Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

# Pulumi waits again for all outputs whenever one of them is known, which takes a fifth of the time
# of a deployment. Waiting for the first error has the same result.
vars(pulumi_stack)["asyncio"] = SimpleNamespace(
    **{**vars(asyncio), "FIRST_COMPLETED": asyncio.FIRST_EXCEPTION}
)


class Deployment(NamedTuple):
    """The outputs and the resources of a program after it has run."""

    outputs: Mapping[str, object]
    """The program's exports, as plain values."""
    resources: Sequence[DeployedResource]
    """All resources but the stack, in the order in which they were deployed."""


def deploy(
    stack: str, *, project: str, program: Path, config: Mapping[str, str], endpoint: str
) -> Deployment:
    """Run a program, the `__main__.py` in a folder, and create its resources in the emulator.

    The keys of `config` have their namespaces, such as `aws:region`. A value is text, as Pulumi
    hands it to a program. A stack can be deployed once to an emulator, because there is no preview,
    diff, update or delete. The checks of the real AWS provider do not run.

    Raises the errors of the program, and DeploymentError if the emulator refuses a resource or if
    only Pulumi's engine or the real provider can do something. Do not call this in a running event
    loop, and not in two threads at once, because it changes the working directory.
    """
    program = program.resolve()
    monitor = _create_monitor(stack, project, config, endpoint)
    create_settings = functools.partial(
        Settings,
        project=project,
        stack=stack,
        monitor=monitor,
        engine=monitor,
        dry_run=False,
        organization="organization",
        root_directory=str(program),
    )
    _run_program(program, config, create_settings)

    if monitor.errors:
        raise DeploymentError("the program logged errors: " + "; ".join(monitor.errors))
    return Deployment(monitor.outputs, monitor.resources)


def _create_monitor(stack: str, project: str, config: Mapping[str, str], endpoint: str) -> Monitor:
    """Create the monitor of a stack, whose default provider gets the settings `aws:...`."""
    environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": read_health(endpoint)["region"]}
    provider_settings = {
        key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")
    }
    return Monitor(project, stack, environment, provider_settings)


def _run_program(
    program: Path, config: Mapping[str, str], create_settings: Callable[[], Settings]
) -> None:
    """Run the program of a stack until it ends and all its resources are deployed."""

    def run_main() -> None:
        runpy.run_path(str(program), run_name="__main__")

    async def run() -> None:
        # Settings store their values in the context, so they are created in the new one.
        configure(create_settings())
        set_all_config(dict(config), [])
        await pulumi_stack.run_in_stack(run_main)

    # Pulumi keeps global state in the event loop and in the context. A new loop and a new context
    # keep it away from the caller.
    with (
        contextlib.chdir(program),
        asyncio.Runner(loop_factory=_loop_without_error_logs) as runner,
    ):
        runner.run(run(), context=contextvars.Context())


def _loop_without_error_logs() -> asyncio.AbstractEventLoop:
    """Create an event loop that logs the errors of tasks only as debug messages.

    If an output fails, every output that depends on it fails with the same error. Pulumi raises the
    first error, and asyncio would log the other ones later.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: logger.debug("%s", context["message"]))
    return loop
