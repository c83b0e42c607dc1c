"""Runs a Pulumi program, as it is, against the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import logging
import runpy
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pulumi.runtime import Settings, configure, set_all_config
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.stack import run_in_stack

from emulator.deployer.aws import Aws
from emulator.deployer.configuration import Project, read_project
from emulator.deployer.errors import DeploymentError
from emulator.deployer.monitor import DeployedResource, Monitor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

REPOSITORY = Path(__file__).parents[2]
SUPPORTED = {"aws:region", "aws:profile", "aws:allowedAccountIds", "aws:defaultTags"}
"""What of the AWS provider's config has a meaning here."""

Structure = TypeVar("Structure", list[str], dict[str, dict[str, str]])


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
    account, home_region = _home(endpoint)
    _check_provider_config(project.config, account)
    region = project.config.get("aws:region") or home_region
    aws = Aws(endpoint, account, region, default_tags=_default_tags(project.config))
    monitor = Monitor(aws, project.name, stack)
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


def _home(endpoint: str) -> tuple[str, str]:
    """Ask the emulator which account and region it plays."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_emulator/health", timeout=30) as answer:  # noqa: S310
            health: dict[str, str] = json.load(answer)
    except OSError as error:
        raise DeploymentError(f"no emulator answers at {endpoint}: {error}") from error
    return health["account"], health["region"]


def _check_provider_config(config: Mapping[str, str], account: str) -> None:
    """Raise DeploymentError for keys that are not supported, and for an account not allowed."""
    unsupported = {key for key in config if key.startswith("aws:")} - SUPPORTED
    if unsupported:
        names = ", ".join(sorted(unsupported))
        raise DeploymentError(f"{names}: not supported by the emulator's deployer")
    accounts = _structure(config, "aws:allowedAccountIds", ["123456789012"])
    if accounts is not None and account not in (allowed := list(map(str, accounts))):
        raise DeploymentError(
            f"AWS account ID not allowed: {account}; aws:allowedAccountIds has {', '.join(allowed)}"
        )


def _default_tags(config: Mapping[str, str]) -> Mapping[str, str]:
    """Return the tags that the AWS provider puts on every resource."""
    given = _structure(config, "aws:defaultTags", {"tags": {"team": "data"}})
    return {} if given is None else {key: str(tag) for key, tag in given.get("tags", {}).items()}


def _structure(config: Mapping[str, str], key: str, example: Structure) -> Structure | None:
    """Return a structured value, or None where it is not set. It has the example's type.

    Raises DeploymentError.
    """
    if key not in config:
        return None
    with contextlib.suppress(ValueError):
        value = json.loads(config[key])
        if isinstance(value, type(example)):
            return value
    raise DeploymentError(f"{key}: {config[key]!r}; expected {json.dumps(example)}")


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
