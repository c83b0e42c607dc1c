"""Records the resources of a release, for the test of upgrades. Run it once for each release.

    .venv/bin/python -m tests.engine.record_state 0.1

This deploys a stack with every option to an emulator, and writes its config and its state to
`tests/engine/states`. Of the state, only a tenth is kept: what the engine needs to recognise each
resource.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import yaml

from components.args import to_config
from emulator import running
from emulator.deployer.resources import RESOURCE_TYPES
from emulator.deployer.wire import DEFAULTS
from tests.components.sample import complete
from tests.engine.cli import tools
from tests.engine.stacks import copy_program, create_stack

STATES = Path(__file__).with_name("states")
PROVIDER = "pulumi:providers:aws"
IDENTITY = ("urn", "custom", "id", "type", "parent", "provider")
"""The fields by which the engine finds a resource of the program in the state."""


def main():
    """Deploy the stack, and write its config and what the engine needs of its state."""
    release = sys.argv[1]
    os.environ["PATH"] = os.pathsep.join([*map(str, tools.folders()), os.environ["PATH"]])
    config = yaml.safe_dump({"config": every_option()})

    with tempfile.TemporaryDirectory() as temporary, running() as emulator:
        folder = copy_program(Path(temporary) / "checkout")
        (folder / "Pulumi.dev.yaml").write_text(config)
        stack = create_stack(folder, "dev", emulator.endpoint)
        stack.up()
        resources = stack.state()

    lines = ",\n".join(json.dumps(reduce(resource)) for resource in resources)
    state = f'{{"version": 3, "deployment": {{"resources": [\n{lines}\n]}}}}\n'
    (STATES / f"{release}.yaml").write_text(config)
    (STATES / f"{release}.json").write_text(state)


def every_option():
    """Return the config of a stack that has each resource of a pipeline.

    The permissions boundary is left out. It's no resource of the pipeline, but would have to exist.
    """
    options = to_config(complete(permissions_boundary_arn=None), keep_none=False)
    return {
        "aws:region": "eu-west-1",
        **{f"personalize-retraining:{key}": value for key, value in options.items()},
    }


def reduce(resource):
    """Return a resource with its identity, and the properties that decide about replacements."""
    kept = {key: resource[key] for key in IDENTITY if key in resource}
    if resource["type"] == PROVIDER:
        return {**kept, "inputs": resource["inputs"]}
    if not resource["custom"]:
        return kept

    # Pulumi has chosen the names in DEFAULTS, and chooses others if it no longer knows that.
    resource_type = RESOURCE_TYPES[resource["type"]]
    unchangeable = (DEFAULTS, *resource_type.replace_on_changes.split())
    inputs = {key: value for key, value in resource["inputs"].items() if key in unchangeable}

    # ARNs are such inputs of other resources, and a preview doesn't ask AWS for them.
    outputs = {key: value for key, value in resource["outputs"].items() if key == "arn"}
    return {**kept, "inputs": inputs, "outputs": outputs}


if __name__ == "__main__":
    main()
