"""The state machine of the sample stack: its definition as JSON, or a page with its diagram.

    python -m docs.state_machine
    python -m docs.state_machine --mermaid > docs/state-machine.md

ARNs of functions and of the import role are made up here in the shape that AWS gives them.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

import settings
from components import naming
from components.document import document
from components.lambda_functions import CALLED_BY_EVENTS
from components.rules.arns import parse
from components.state_machine.definition import definition
from components.state_machine.steps import STEPS

ROOT = Path(__file__).parents[1]
STACK = "dev"
PAGE = """\
# The state machine

`python -m docs.state_machine --mermaid` draws it from `components/state_machine/definition.py`.

A box with boxes inside runs once per dataset, solution or campaign, in parallel. `error` is the way
that a Task takes when its retries are used up, or when there is nothing to retry. What travels from
state to state is described in `functions/contract.py`, and so are the phases at the arrows.

```mermaid
{diagram}
```
"""

Document: TypeAlias = Mapping[str, object]


def sample() -> Document:
    """Give the definition that the sample stack deploys."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    config = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())["config"]
    texts = {
        key: each if isinstance(each, str) else json.dumps(each) for key, each in config.items()
    }
    args = settings.parse_stack(project, STACK, texts)
    arn = parse(str(args.solutions[0].solution_arn))
    assert arn is not None, "settings.py has judged it"
    name = f"retraining-{STACK}"
    functions = {
        step: f"arn:{arn.partition}:lambda:{arn.region}:{arn.account}:function:"
        f"{naming.step_name(name, step)}:1"
        for step in STEPS
        if step not in CALLED_BY_EVENTS
    }
    told = document(
        args,
        job_prefix=naming.job_prefix(
            f"arn:{arn.partition}:scheduler:{arn.region}:{arn.account}:schedule-group/{name}"
        ),
        import_role_arn=f"arn:{arn.partition}:iam::{arn.account}:role/{name}-import",
    )
    return definition(functions, told, args)


def page(machine: Document) -> str:
    """Give the page that shows a definition as a Mermaid state diagram."""
    return PAGE.format(diagram="\n".join(["stateDiagram-v2", *_machine(machine, depth=1)]))


def _machine(machine: Document, *, depth: int) -> Iterator[str]:
    """Draw a machine, or a Map's processor: its states, then the ways between them."""
    indent = "    " * depth
    states = cast("Mapping[str, Document]", machine["States"])
    for name, state in states.items():
        yield f"{indent}{_id(name)}: {name}"
        if "ItemProcessor" in state:
            yield f"{indent}state {_id(name)} {{"
            yield from _machine(cast("Document", state["ItemProcessor"]), depth=depth + 1)
            yield f"{indent}}}"
    yield f"{indent}[*] --> {_id(str(machine['StartAt']))}"
    for name, state in states.items():
        for target, labels in _ways(state).items():
            label = f": {', '.join(each or 'done' for each in labels)}" if any(labels) else ""
            yield f"{indent}{_id(name)} --> {_id(target) or '[*]'}{label}"


def _ways(state: Document) -> Mapping[str, Sequence[str]]:
    """Give the states that may follow, each with when it does; no name is the machine's end."""
    ways: dict[str, list[str]] = {}
    for rule in cast("list[Document]", state.get("Choices", [])):
        ways.setdefault(str(rule["Next"]), []).append(_condition(rule))
    if "Default" in state:
        ways.setdefault(str(state["Default"]), []).append("else")
    if "Next" in state:
        ways.setdefault(str(state["Next"]), []).append("")
    for rule in cast("list[Document]", state.get("Catch", [])):
        ways.setdefault(str(rule["Next"]), []).append("error")
    return ways or {"": [""]}


def _condition(rule: Document) -> str:
    """Say when a Choice takes a way: by the word that decides, or by the field and its value."""
    if "And" in rule:
        parts = cast("list[Document]", rule["And"])
        # That a field is there is asked only beside what it holds.
        return " and ".join(_condition(each) for each in parts if "IsPresent" not in each)
    if "StringEquals" in rule:
        return str(rule["StringEquals"])
    field = str(rule["Variable"]).rpartition(".")[2]
    if "IsNull" in rule:
        return f"{field} is {'' if rule['IsNull'] else 'not '}null"
    return f"{field} is {json.dumps(rule['BooleanEquals'])}"


def _id(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m docs.state_machine", description=__doc__)
    parser.add_argument("--mermaid", action="store_true", help="print the page with the diagram")
    machine = sample()
    text = page(machine) if parser.parse_args().mermaid else json.dumps(machine, indent=2) + "\n"
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
