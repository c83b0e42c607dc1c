"""Prints the state machine of the sample stack as JSON, or as the page with its diagram.

    python -m docs.state_machine
    python -m docs.state_machine --mermaid > docs/state-machine.md

The ARNs of the functions and of the import role are invented, in the form of real ARNs.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

from components import naming, settings
from components.dashboard import build_dashboard_url
from components.function_configs import FUNCTION_CONFIGS
from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS
from components.state_machine.definition import build_definition
from components.workflow_settings import build_workflow_settings

ROOT = Path(__file__).parents[1]
STACK = "dev"
PAGE = """\
# The state machine

This page is generated from `components/state_machine/definition.py`:
`python -m docs.state_machine --mermaid > docs/state-machine.md`.

A box with boxes inside runs once for each dataset, solution or campaign, in parallel. A Task takes
the way `error` if it fails and its retries are used up, or if the error is not retried. The words
at the other arrows are phases. `functions/contract.py` explains the phases and the documents
between the states.

```mermaid
{diagram}
```
"""

Document: TypeAlias = Mapping[str, object]
"""A definition, or a part of it: a state, a rule or the processor of a Map."""
END = "[*]"
"""The end of a machine in a Mermaid diagram, and also its start."""


def sample_definition() -> Document:
    """Return the definition that the sample stack deploys."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    config = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())["config"]
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }
    args = settings.parse_stack_config(project, STACK, texts)
    arn = args.first_arn
    name = f"retraining-{STACK}"
    functions = {
        step: f"arn:{arn.partition}:lambda:{arn.region}:{arn.account}:function:"
        f"{naming.build_function_name(name, step)}:1"
        for step in FUNCTION_CONFIGS
        if step not in FUNCTIONS_CALLED_BY_EVENTS
    }
    settings_document = build_workflow_settings(
        args,
        job_prefix=naming.derive_job_prefix(
            f"arn:{arn.partition}:scheduler:{arn.region}:{arn.account}:schedule-group/{name}"
        ),
        import_role_arn=f"arn:{arn.partition}:iam::{arn.account}:role/{name}-import",
        dashboard_url=build_dashboard_url(arn.environment, name),
        topic_arn=f"arn:{arn.partition}:sns:{arn.region}:{arn.account}:{name}",
    )
    return build_definition(functions, settings_document, args)


def page(machine: Document) -> str:
    """Return the page that shows a definition as a Mermaid state diagram."""
    return PAGE.format(diagram="\n".join(["stateDiagram-v2", *_machine_lines(machine, depth=1)]))


def _machine_lines(machine: Document, *, depth: int) -> Iterator[str]:
    """Yield the lines of a machine: first the states, then the transitions.

    `machine` is a definition or the processor of a Map. `depth` is the number of indents.
    """
    indent = "    " * depth
    states = cast("Mapping[str, Document]", machine["States"])
    for name, state in states.items():
        yield f"{indent}{_node_id(name)}: {name}"
        if "ItemProcessor" in state:
            yield f"{indent}state {_node_id(name)} {{"
            yield from _machine_lines(cast("Document", state["ItemProcessor"]), depth=depth + 1)
            yield f"{indent}}}"
    yield f"{indent}{END} --> {_node_id(str(machine['StartAt']))}"
    for name, state in states.items():
        for target, conditions in _transitions(state).items():
            label = f": {', '.join(conditions)}" if conditions != ["done"] else ""
            yield f"{indent}{_node_id(name)} --> {_node_id(target)}{label}"


def _transitions(state: Document) -> Mapping[str, Sequence[str]]:
    """Return the next states of a state, each with its conditions.

    A state without a next state leads to END. The condition of the normal next state is `done`.
    """
    transitions: dict[str, list[str]] = {}
    for rule in cast("list[Document]", state.get("Choices", [])):
        transitions.setdefault(str(rule["Next"]), []).append(_condition(rule))
    if "Default" in state:
        transitions.setdefault(str(state["Default"]), []).append("else")
    if "Next" in state:
        transitions.setdefault(str(state["Next"]), []).append("done")
    for rule in cast("list[Document]", state.get("Catch", [])):
        transitions.setdefault(str(rule["Next"]), []).append("error")
    return transitions or {END: ["done"]}


def _condition(rule: Document) -> str:
    """Return the condition of a Choice rule as the label of an arrow.

    For a comparison with a text, the label is only this text.
    """
    if "StringEquals" in rule:
        return str(rule["StringEquals"])
    field = str(rule["Variable"]).rpartition(".")[2]
    if "NumericEquals" in rule:
        return f"{field} is {rule['NumericEquals']}"
    return f"{field} is {json.dumps(rule['BooleanEquals'])}"


def _node_id(name: str) -> str:
    """Return the id of a state in the diagram. It contains only letters, digits and `_`."""
    if name == END:
        return END
    return re.sub(r"\W+", "_", name).strip("_")


def main() -> None:
    """Print the definition, or the page with --mermaid."""
    parser = argparse.ArgumentParser(prog="python -m docs.state_machine", description=__doc__)
    parser.add_argument("--mermaid", action="store_true", help="print the page with the diagram")
    machine = sample_definition()
    text = page(machine) if parser.parse_args().mermaid else json.dumps(machine, indent=2) + "\n"
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
