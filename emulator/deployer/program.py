"""Deploys a Pulumi program to the emulator in this process, without Pulumi's engine."""

import asyncio
import contextlib
import contextvars
import functools
import logging
import runpy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from pulumi.runtime import Settings, configure, set_all_config
from pulumi.runtime import stack as pulumi_stack

from emulator.deployer.aws import fetch_health
from emulator.deployer.errors import DeploymentError
from emulator.deployer.monitor import DeployedResource, Monitor

logger = logging.getLogger(__name__)

# Whenever an output becomes known, Pulumi starts to wait for all other outputs again, which takes a
# fifth of a deployment's time. If Pulumi only waits for the first error, the result is the same.
vars(pulumi_stack)["asyncio"] = SimpleNamespace(
    **{**vars(asyncio), "FIRST_COMPLETED": asyncio.FIRST_EXCEPTION}
)


class Deployment(NamedTuple):
    """The outputs and resources of a program that was deployed."""

    outputs: Mapping[str, object]
    """The program's exports, as plain values."""
    resources: Sequence[DeployedResource]
    """All resources except the stack, in the order of their deployment."""


def deploy(
    stack: str, *, project: str, program: Path, config: Mapping[str, str], endpoint: str
) -> Deployment:
    """Run `__main__.py` in the folder `program` and create its resources in the emulator.

    The keys of `config` include the namespace, for example `aws:region`, and the values are
    strings, as in the configuration that Pulumi passes to a program. A stack can be deployed only
    once to an emulator because there's no preview, diff, update or delete. The real AWS provider's
    own checks don't run.

    Don't call this function in a running event loop, since it starts its own. Don't call it in two
    threads at once either, since it changes the working directory. Exceptions of the program itself
    are passed through.

    Raises:
        DeploymentError: the emulator rejects a resource, or the program needs a feature that only
            Pulumi's engine or the real provider has.
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
    """Create a stack's monitor, whose default provider is configured with the `aws:` settings."""
    environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": fetch_health(endpoint)["region"]}
    provider_settings = {
        key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")
    }
    return Monitor(project, stack, environment, provider_settings)


def _run_program(
    program: Path, config: Mapping[str, str], create_settings: Callable[[], Settings]
) -> None:
    """Run a program in its own event loop until all resources are deployed."""

    def run_main() -> None:
        runpy.run_path(str(program), run_name="__main__")

    async def run() -> None:
        # Settings store their values in the current context, so create them in the new context.
        configure(create_settings())
        set_all_config(dict(config), [])
        await pulumi_stack.run_in_stack(run_main)

    # Pulumi keeps global state in the event loop and in the context. With a new loop and a new
    # context, this state doesn't leak into the caller's.
    with (
        contextlib.chdir(program),
        asyncio.Runner(loop_factory=_create_quiet_loop) as runner,
    ):
        runner.run(run(), context=contextvars.Context())


def _create_quiet_loop() -> asyncio.AbstractEventLoop:
    """Create an event loop that logs unhandled errors of tasks only at debug level.

    If an output fails, all outputs that depend on it fail with the same error. Pulumi raises the
    first error, and asyncio would log all others, even though they're only repetitions.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: logger.debug("%s", context["message"]))
    return loop
