"""The config of the sample stack for tests, and the messages about changes of it."""

import json
import re
from copy import deepcopy
from dataclasses import is_dataclass
from pathlib import Path

import yaml

import components
from components import settings
from components.args import list_config_keys
from components.rules.several_settings import check_args

ROOT = Path(settings.__file__).parents[1]
LEFT_OUT = "(left out)"
"""The value of a key that `changed` removes."""

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
_, _, _, REGION, ACCOUNT, _ = SOLUTION.split(":")
HOME = SOLUTION.rpartition(":")[0]
EXAMPLE = "arn:aws:personalize:eu-west-1:123456789012"
"""The beginning of the ARNs that messages give as examples."""

CONFIG_KEYS = [
    key for cls in vars(components).values() if is_dataclass(cls) for key in list_config_keys(cls)
]
"""Every key of the config, without the keys that lead to it."""

PROBE = "solutions[0].campaigns[0].probe"


def keys(value, key=""):
    """Yield the key of each setting in a config, also of lists and mappings."""
    parts = {}
    if isinstance(value, dict):
        parts = {f"{key}.{name}".removeprefix("."): part for name, part in value.items()}
    elif isinstance(value, list):
        parts = {f"{key}[{index}]": part for index, part in enumerate(value)}
    for name, part in parts.items():
        yield name
        yield from keys(part, name)


def changed(changes, config=CONFIG):
    """Return the config with new values at keys like `solutions[0].solutionArn`."""
    config = deepcopy(config)
    for key, value in changes.items():
        *parents, last = (
            int(number) if number else word
            for number, word in re.findall(r"\[(\d+)\]|([^.\[\]]+)", key)
        )
        parent = config
        for part in parents:
            parent = parent.setdefault(part, {}) if isinstance(parent, dict) else parent[part]
        if value == LEFT_OUT:
            del parent[last]
        elif isinstance(parent, list) and last == len(parent):
            parent.append(value)
        else:
            parent[last] = value

    return config


def texts(changes):
    """Return the whole config of the stack with changes, as text, which is what the CLI passes."""
    config = {
        **{key: value for key, value in STACK_CONFIG.items() if not key.startswith(f"{PROJECT}:")},
        **{f"{PROJECT}:{key}": value for key, value in changed(changes).items()},
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }


def parse(config, **options):
    """Return the arguments for a config, which must have no problem."""
    checked = check_args(config, **options)
    assert checked.problems == []
    return checked.args


def problems_of(config, **options):
    """Return the problems of a config."""
    return [str(problem) for problem in check_args(config, **options).problems]


def one_problem(line):
    """Return the text of a SettingsError with one problem."""
    return f"1 problem in the configuration of stack dev:\n  {PROJECT}:{line}"
