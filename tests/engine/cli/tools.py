"""Builds the Pulumi CLI from its Go module into a cache outside the checkout, or finds one.

    python tests/engine/cli/tools.py

This prints the shell command that puts the CLI on the PATH. The cache is the folder
`personalize-retraining/pulumi-<hash>` in `$XDG_CACHE_HOME` or `~/.cache`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULE = Path(__file__).parent
"""The Go module that pins the CLI's version."""
YAML_MODULE = MODULE / "yaml"
"""The Go module of the YAML language host. It needs an older SDK than the CLI."""
ROOT = MODULE.parents[2]
PROVIDER = ROOT / "emulator" / "deployer" / "plugin"
"""The folder of `pulumi-resource-aws`, which replaces the AWS provider."""
CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
YAML_HOST = "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
SDK = "github.com/pulumi/pulumi/sdk/v3"
PROGRAM_RUNNER = "python/cmd/pulumi-language-python-exec"
"""The script of the SDK's Go module that runs a Python program."""
EXIT_CODE_MISSING = 3
"""The exit code if there is neither a CLI nor Go. `make engine` then skips its tests."""


class MissingError(Exception):
    """Neither Go to build the CLI nor a usable CLI is on the PATH."""


class BuildError(Exception):
    """Go could not build the CLI. The message contains the command."""


def folders() -> list[Path]:
    """Return the folders that must be at the start of the PATH, in this order.

    The pinned CLI is built, once per machine, because the tests may fail with another version. A
    machine of the code host, for example, has a CLI that nobody has tried. Without Go, the CLI on
    the PATH has to do. Raises MissingError or BuildError.
    """
    try:
        return [_cached_cli(), MODULE / "bin", PROVIDER]
    except MissingError:
        if not _has_usable_cli():
            raise
        return [PROVIDER]


def _has_usable_cli() -> bool:
    """Tell if the CLI on the PATH is complete, and not older than Pulumi.yaml requires.

    It is complete if its language hosts are beside it, as in the release archive. An older CLI does
    not read the requirement, so the tests would fail for unknown reasons.
    """
    cli = shutil.which("pulumi")
    if cli is None or not (Path(cli).resolve().parent / "pulumi-language-python").exists():
        return False

    _, _, requirement = (ROOT / "Pulumi.yaml").read_text().partition("requiredPulumiVersion")
    return _parse_version(_run([cli, "version"], MODULE)) >= _parse_version(requirement)


def _parse_version(text: str) -> tuple[int, ...]:
    """Return the first version in a text, such as (3, 219, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _cached_cli() -> Path:
    """Return the folder of the CLI in the cache. Build the CLI if it does not exist."""
    pins = [module / "go.sum" for module in (MODULE, YAML_MODULE)]
    version = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "personalize-retraining" / f"pulumi-{version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Only one process builds.
        if not folder.exists():
            _build(folder)

    return folder


def _build(folder: Path) -> None:
    """Build the CLI, its YAML host and its runner of Python programs into a new folder.

    The folder appears complete, because it is renamed at the end. An interrupted build leaves none.
    """
    go = shutil.which("go")
    if go is None:
        raise MissingError(
            "neither Go nor a new enough Pulumi CLI with its language hosts is on the PATH; "
            "install Go to build the CLI (https://go.dev/doc/install), or the CLI "
            "(https://www.pulumi.com/docs/install/)"
        )
    print(
        "building the Pulumi CLI from its Go module (once per machine; some minutes)",
        file=sys.stderr,
        flush=True,
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        # Without the download, `go list` shows no folder on a machine that has never built it.
        _run([go, "mod", "download", SDK], MODULE)
        sdk, version = _run([go, "list", "-m", "-f", "{{.Dir}} {{.Version}}", SDK], MODULE).split()
        flags = f"-ldflags=-X {SDK}/go/common/version.Version={version}"
        _run([go, "build", flags, "-o", f"{temporary}/", CLI], MODULE)
        _run([go, "build", "-o", f"{temporary}/", YAML_HOST], YAML_MODULE)
        runner = shutil.copy(Path(sdk, PROGRAM_RUNNER), temporary)
        Path(runner).chmod(0o755)
        Path(temporary).chmod(0o755)
        Path(temporary).rename(folder)
        Path(temporary).mkdir()  # The context manager removes it.

    minutes = (time.monotonic() - started) / 60
    print(f"built {folder} in {minutes:.1f} minutes", file=sys.stderr, flush=True)


def _run(command: list[str], folder: Path) -> str:
    """Return the output of a command. Raises BuildError if it fails."""
    process = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, "CGO_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if process.returncode:
        failure = f"failed with exit code {process.returncode}, as shown above"
        raise BuildError(f"'{shlex.join(command)}' {failure}")

    return process.stdout


def main() -> int:
    """Print `export PATH=...`, or an error message if there is no CLI. Return the exit code."""
    try:
        path = ":".join(shlex.quote(str(folder)) for folder in folders())
    except MissingError as error:
        print(error, file=sys.stderr)
        return EXIT_CODE_MISSING
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'export PATH={path}:"$PATH"')

    return 0


if __name__ == "__main__":
    sys.exit(main())
