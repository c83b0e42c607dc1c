"""Finds the Pulumi CLI, or builds it from its Go module into a cache outside the checkout.

    python tests/engine/cli/tools.py     print the shell commands that put the CLI on the PATH

The cache is `personalize-retraining/pulumi-<hash>` in `$XDG_CACHE_HOME` or `~/.cache`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
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
"""The Go module of the YAML language host, which needs an older SDK than the CLI has."""
ROOT = MODULE.parents[2]
PROVIDER = ROOT / "emulator" / "deployer" / "plugin"
"""The folder of `pulumi-resource-aws`, the stand-in for the AWS provider."""
CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
YAML_HOST = "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
SDK = "github.com/pulumi/pulumi/sdk/v3"
PROGRAM_RUNNER = "python/cmd/pulumi-language-python-exec"
"""The script of the SDK's Go module that runs a Python program."""
MISSING = 3
"""Exit code if there is no CLI. `make engine` then skips the tests of the engine."""


class MissingError(Exception):
    """There is no CLI and no Go to build it."""


class BuildError(Exception):
    """Go could not build the CLI. The message has the command."""


def folders() -> list[Path]:
    """Return the folders that the PATH needs, in this order.

    The CLI on the PATH is taken if it came with its language hosts, as in its release archive.
    Otherwise the CLI is built, once per machine. Raises MissingError or BuildError.
    """
    found = shutil.which("pulumi")
    if found and (Path(found).resolve().parent / "pulumi-language-python").exists():
        return [PROVIDER]
    return [_built(), MODULE / "bin", PROVIDER]


def _built() -> Path:
    """Return the folder of the CLI in the cache. Build the CLI if it is not there."""
    pins = [module / "go.sum" for module in (MODULE, YAML_MODULE)]
    version = hashlib.sha256(b"".join(each.read_bytes() for each in pins)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "personalize-retraining" / f"pulumi-{version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Only one process builds.
        if not folder.exists():
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise MissingError(
            "neither the Pulumi CLI nor Go is on the PATH; install the CLI "
            "(https://www.pulumi.com/docs/install/), or Go to build it (https://go.dev/doc/install)"
        )
    print(
        "building the Pulumi CLI from its Go module (once per machine; some minutes)",
        file=sys.stderr,
        flush=True,
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
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
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, "CGO_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"'{shlex.join(command)}' failed with {done.returncode}, as shown above")
    return done.stdout


def main() -> int:
    """Print `export PATH=...`, or the reason why there is no CLI."""
    try:
        path = ":".join(shlex.quote(str(each)) for each in folders())
    except MissingError as error:
        print(error, file=sys.stderr)
        return MISSING
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'export PATH={path}:"$PATH"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
