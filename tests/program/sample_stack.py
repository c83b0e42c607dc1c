"""The sample stack as tests use it: whole, and with changes."""

import json
import re
from copy import deepcopy
from pathlib import Path

import yaml

import settings

ROOT = Path(settings.__file__).parent
LEFT_OUT = object()

PROJECT_FILE = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
PROJECT = PROJECT_FILE["name"]
STACK_CONFIG = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
CONFIG = {
    key.removeprefix(f"{PROJECT}:"): value
    for key, value in STACK_CONFIG.items()
    if key.startswith(f"{PROJECT}:")
}
SOLUTION = CONFIG["solutions"][0]["solutionArn"]
CAMPAIGN = CONFIG["solutions"][0]["campaigns"][0]["campaignArn"]
INTERACTIONS, ITEMS, USERS = (
    CONFIG["datasets"][key]["datasetArn"] for key in ("interactions", "items", "users")
)
_, PARTITION, _, REGION, ACCOUNT, _ = SOLUTION.split(":")
HOME = SOLUTION.rpartition(":")[0]
GROUP = USERS.split("/")[1]


def changed(changes):
    """Give the sample's config with values put at keys like `solutions[0].solutionArn`."""
    config = deepcopy(CONFIG)
    for key, value in changes.items():
        *parents, last = (
            int(number) if number else word
            for number, word in re.findall(r"\[(\d+)\]|([^.\[\]]+)", key)
        )
        parent = config
        for each in parents:
            parent = parent.setdefault(each, {}) if isinstance(parent, dict) else parent[each]
        if value is LEFT_OUT:
            del parent[last]
        elif isinstance(parent, list) and last == len(parent):
            parent.append(value)
        else:
            parent[last] = value
    return config


def texts(changes):
    """Return the stack's whole config, with changes, as the CLI hands it over: all text."""
    others = {key: each for key, each in STACK_CONFIG.items() if not key.startswith(f"{PROJECT}:")}
    config = {**others, **{f"{PROJECT}:{key}": each for key, each in changed(changes).items()}}
    return {
        key: each if isinstance(each, str) else json.dumps(each) for key, each in config.items()
    }


def one_problem(line):
    """Give the text of the error whose only problem this is."""
    return f"1 problem in the configuration of stack dev:\n  {PROJECT}:{line}"
