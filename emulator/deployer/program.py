"""Runs a Pulumi program, as it is, against the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.runtime import Settings, configure, set_all_config
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.stack import run_in_stack

from emulator.deployer.aws import Aws, home
from emulator.deployer.configuration import Project, read_project
from emulator.deployer.errors import DeploymentError
from emulator.deployer.monitor import DeployedResource, Monitor
from emulator.deployer.provider_settings import (
    ProviderSettings,
    account_problem,
    provider_settings,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Deployment:
    """What a program left behind."""

    outputs: Mapping[str, object]
    """The program's exports, as plain values."""
    resources: Sequence[DeployedResource]


def deploy(
    stack: str,
    *,
    endpoint: str,
    project_dir: Path = REPOSITORY,
    config: Mapping[str, str] | None = None,
) -> Deployment:
    """Run the program in `project_dir` with the config of `stack`, and create what it declares.

    `config` overrides the stack's file; a key without a namespace is the project's. Run again on
    the same endpoint, a program that has not changed changes nothing. Raises what the program
    raises, botocore's errors, and DeploymentError for what only Pulumi's engine or provider can do.
    This is not Pulumi's engine nor its AWS provider: there is no preview, diff, update or delete,
    and the provider's own checks do not run.

    Not for use inside a running event loop, nor in two threads at once: the working directory is
    the program's while it runs.
    """
    project = read_project(project_dir.resolve(), stack, config or {})
    account, home_region = home(endpoint)
    settings = _provider_settings(project.config)
    aws = Aws(endpoint, account, settings.region or home_region)
    monitor = Monitor(aws, project.name, stack, settings.default_tags)
    if problem := account_problem(settings, account):
        raise DeploymentError(problem)
    engine = _Engine()

    async def run() -> None:
        configure(
            Settings(
                project=project.name,
                stack=stack,
                monitor=monitor,
                engine=engine,
                dry_run=False,
                organization="organization",
                root_directory=str(project_dir),
            )
        )
        set_all_config(dict(project.config), [])
        await run_in_stack(lambda: _run_main(project))

    # A loop and a context of its own: nothing of Pulumi's global state is left in the caller's.
    with (
        contextlib.chdir(project.program),
        asyncio.Runner(loop_factory=_quiet_loop) as runner,
    ):
        runner.run(run(), context=contextvars.Context())
    if engine.errors:
        raise DeploymentError("the program logged errors: " + "; ".join(engine.errors))
    monitor.finish()
    return Deployment(monitor.outputs, monitor.resources)


def _quiet_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that says nothing of the copies of an error in every output that depends on it.

    Pulumi looks at one, which is raised; asyncio would log the others, at any time later.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: logger.debug("%s", context["message"]))
    return loop


def _run_main(project: Project) -> None:
    runpy.run_path(str(project.program), run_name="__main__")


def _provider_settings(config: Mapping[str, str]) -> ProviderSettings:
    """Read the AWS provider's config. Raises DeploymentError with the names of unknown settings."""
    settings = {
        key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")
    }
    if unknown := unsupported(settings):
        names = ", ".join(f"aws:{name}" for name in unknown)
        raise DeploymentError(f"{names}: not supported by the emulator's deployer")
    return provider_settings(settings)


class _Engine:
    """Pulumi's engine, as far as a program sees it: a place for messages."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def Log(self, request: engine_pb2.LogRequest) -> None:  # noqa: N802
        """Pass a message on; one of severity error fails the deployment, as in the CLI."""
        if request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        elif request.severity != engine_pb2.DEBUG:
            level = logging.INFO if request.severity == engine_pb2.INFO else logging.WARNING
            logger.log(level, "%s", request.message)
