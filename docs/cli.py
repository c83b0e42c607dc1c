"""Prints the page of the command line: its commands, options and exit codes.

Use: `python -m docs.cli > docs/cli.md`.
"""

import inspect
import re
import sys
from collections.abc import Iterator

import typer

from retrain import cli
from retrain.account.permissions import GRANTS_BY_COMMAND
from retrain.options import commands

PAGE = """\
# The command line

This page is generated from the commands: `python -m docs.cli > docs/cli.md`.

`make install` writes `.venv/bin/retrain`, and so does each target of `make` that uses the
environment. `python -m retrain` does the same. Without a checkout, the extra `[cli]` of the package
[installs the command line](package.md#with-the-command-line-from-an-empty-folder), and the project
is the folder in which you call it. `retrain COMMAND --help` shows what this page shows.
`retrain --install-completion` lets your shell complete commands, options and the names of stacks.

{index}

## The pipeline and the credentials

- **The pipeline.** `--stack` names the stack. Without it, the stack is `dev`. The Pulumi CLI
  reads the state machine of a deployed stack from its outputs. Without the Pulumi CLI, or for a
  pipeline in another Pulumi program, name the state machine with `--state-machine-arn`. Then the
  region is the region in the ARN.
- **The credentials.** A command uses the same credentials as the AWS CLI, from the environment or
  from a profile in its files. `--profile` chooses a profile.
- **Another endpoint.** `--endpoint-url` sends all requests to one address. For the emulator it is
  the address that `retrain emulate` and `retrain rehearse --keep` print.

{common}

## What a command prints, and its exit code

Results go to stdout. Questions, progress and errors go to stderr. With `--json` stdout has one JSON
document and nothing else. A command that did nothing, for example because you did not confirm, and
each with exit code 2 prints no document: stdout is empty, and the reason is on stderr. In a
terminal there are colours and bars. If `NO_COLOR` is set, there are bars without colours. A
terminal that is not UTF-8 shows other signs as codes, such as `\\u2713`. Anywhere else there are
plain lines with the time in UTC. A command that asks a question needs a terminal or `--yes`.
`retrain --version` prints the version.

| exit code | meaning |
| --- | --- |
| 0 | the command did what it was asked for |
| 1 | it did not: a run failed, a check found a problem, or you answered no |
| 2 | it cannot be used like this: arguments, config, credentials, no pipeline, or AWS refuses |
| 130 | Ctrl-C. AWS goes on with what it was asked for |
| 141 | nobody reads the output to its end, as in `retrain history \\| head -1` |

An error is one line, which also says what to do. A run that was rejected, rolled back or skipped
has not failed, so its exit code is 0. With `--json`, the result has its outcome.

{commands}
## From a dataset group to a pipeline

    retrain adopt --dataset-group-arn ARN --stack prod   # writes Pulumi.prod.yaml
    retrain doctor --stack prod     # what is missing in the account, and how to repair it
    retrain rehearse --stack prod   # the same stack on this machine
    retrain plan --stack prod       # what the first run would do, and what it would cost
    pulumi stack init prod
    pulumi up --stack prod

None of these commands changes anything in the account before `pulumi up`. `plan` and `doctor` read
the stack's file, so they also show what a change of the file would do before it is deployed. They
say so if the deployed pipeline has other settings. `plan` estimates a training from the last
versions of the same mode. The estimate has a cost if the stack sets `trainingHourPrice`, but not
for recipes that are priced by interactions.

`doctor` shows three levels: `ok` (✓ in a terminal), `warn` (!) and `missing` (✗). If it may not
read something, that is a warning. A condition in a policy that it does not know is a warning too.
If it cannot find out what was deployed, for example because you are not logged in to Pulumi, that
is a problem, and its last line says that the deployed pipeline was not checked.
Before the deployment it examines the caller, the data, the policies and the keys. Afterwards it
also runs `pulumi preview --refresh`, which changes nothing, and lists what was deleted or changed
by hand, and what is not deployed yet, each with its old and its new value. On the emulator that
takes 4 to 5 seconds. `pulumi up --refresh` brings back and sets back all of it. `pulumi up` alone
compares with the state of the stack, so it would change nothing back.

The comparison needs the Pulumi CLI, the file and the passphrase of the stack, and the right to read
every resource. If something of this is missing, that is a problem (exit code 1), and `doctor` only
says which parts do not exist. With `--state-machine-arn`, as in the messages of a pipeline, there
is no stack to compare: the exit code follows from what was found, and the last line says what was
not compared. In the folder of the project, `retrain doctor -s STACK` compares that too.

What Pulumi does not see is examined in any case: functions that have failed, what the roles may do
and which policy forbids it, the topic and its subscriptions, alarms that ring, and the datasets,
solutions and campaigns. It compares the permissions of the roles with the deployed settings,
because a deployment changes both.

## The permissions of the commands

`retrain doctor --policy` prints the IAM policy that all commands need for one pipeline, without
asking AWS. The permissions to deploy are in
[deployment.md](deployment.md#permissions-to-deploy). `pulumi stack output` reads the stack's state,
so it needs access to your Pulumi backend. For the comparison, `doctor` also needs the actions there
that only read: those with Get, List and Describe.

| command | actions |
| --- | --- |
{permissions}

## A run on the screen

For example:

    $ retrain start --stack prod --watch
    20261129-84d30253
    To follow the run:
      retrain watch --run 20261129-84d30253 --stack prod
    20261129-84d30253  RUNNING  2026-11-29 03:04 UTC, 1 h 5 min, until ~05:35
        retraining the solutions
        import interactions   ━━━━━━━━━━━━  IMPORTED  19 min
        import items          ━━━━━━━━━━━━  IMPORTED  12 min
        train movies-for-you  ━━━━━         training  41 min, until ~05:10
        update home-page                    planned   takes about 25 min

- The words of a job that goes on are the phases of the workflow: `importing`, `training`,
  `updating`, `waiting`, `on trial`, or `in progress` until the workflow has said more. An
  update is `updating or on trial` while one function does both. A run that was
  stopped leaves jobs `not finished` or `not started`.
- An import and a training are expected to take as long as the median of the last jobs of their
  kind. The first job of a kind has no bar until it has ended.
- An update is expected to take as long as the last one of the campaign, or else 15 minutes, and the
  time of its probe or bake besides.
- The screen shows what the workflow has noticed. `make benchmark` prints how late that is.
- With `--json`, stdout gets the run when it has ended, and nothing else is printed.
- Ctrl-C ends only the display, and the run goes on. `retrain watch` shows it again, even on another
  machine.
- If the credentials expire, the command ends and prints the command that shows the run again.
"""
COMMON = ("stack", "state_machine_arn", "region", "profile", "endpoint_url", "as_json")
"""The parameters that commands for an account have in common."""
EXIT_CODE = re.compile(r"Exit code (\d+): (.*?)(?=Exit code|$)")


def page() -> str:
    """Return the whole page."""
    cli.build_program()  # imports all commands
    index = _table("command | what it does", _index_rows())
    common = _table("common option | meaning", _option_rows("doctor", common=True))
    sections = "\n".join(section for name in cli.MODULES for section in _sections(name))
    return PAGE.format(
        index=index, common=common, commands=sections, permissions="\n".join(_permission_rows())
    )


def _permission_rows() -> Iterator[str]:
    """Yield a row for each command with the actions that its caller needs."""
    for command, grants in GRANTS_BY_COMMAND.items():
        actions = sorted({action for names in grants.values() for action in names})
        yield f"| `{command}` | {', '.join(actions)} |"


def _index_rows() -> Iterator[str]:
    """Yield a row for each command with the first sentence of its help."""
    for name in cli.MODULES:
        yield f"[`{name}`](#{name}) | {_paragraphs(name)[0]}"


def _paragraphs(name: str) -> list[str]:
    """Return the paragraphs of the help of a command."""
    return [" ".join(part.split()) for part in (inspect.getdoc(commands[name]) or "").split("\n\n")]


def _sections(name: str) -> Iterator[str]:
    """Yield the heading of a command, its help, its exit codes and its options."""
    yield f"## {name}\n"
    *paragraphs, codes = _paragraphs(name)
    for paragraph in paragraphs:
        yield f"{paragraph}\n"
    for code, meaning in EXIT_CODE.findall(codes):
        yield f"- exit code {code}: {meaning.strip()}"
    yield ""
    if rows := list(_option_rows(name, common=False)):
        yield f"{_table('option | meaning', rows)}\n"


def _option_rows(name: str, *, common: bool) -> Iterator[str]:
    """Yield a row for each option of a command that is common, or that is not."""
    app = typer.Typer(add_completion=False)
    app.command()(commands[name])
    for parameter in typer.main.get_command(app).params:
        if parameter.name == "help" or (parameter.name in COMMON) != common:
            continue
        metavar = f" {parameter.metavar}" if parameter.metavar else ""
        flags = ", ".join(f"`{flag}{metavar}`" for flag in parameter.opts)
        yield f"{flags} | {getattr(parameter, 'help', '').replace('<', '&lt;')}"


def _table(heading: str, rows: Iterator[str] | list[str]) -> str:
    """Return a Markdown table."""
    columns = heading.count("|") + 1
    return "\n".join([f"| {heading} |", f"|{' --- |' * columns}", *(f"| {row} |" for row in rows)])


if __name__ == "__main__":
    sys.stdout.write(page())
