"""Changes a stack's config for a rehearsal. Each change returns the keys that differ.

A config is decoded and has no namespaces: `{"solutions": [...], "limits": {...}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

Config: TypeAlias = Mapping[str, object]
Change: TypeAlias = Callable[[Config], Config]

PROBE_MINUTES = 0.05
"""Three seconds. A real probe takes minutes."""
TRAINING_HOURS = 0.002
"""Seven seconds. The emulator trains in two or three."""
NAME_LENGTH = 63
"""The longest name of a bucket or in Personalize."""
SHARED_KEYS = ("importRoleArn", "permissionsBoundaryArn")
"""Keys that name resources which two stacks could share."""


def decode(config: Mapping[str, str], project: str) -> Config:
    """Return the keys of a project from a stack's whole config, in which all values are text."""
    return {
        key.removeprefix(f"{project}:"): _decode_value(value)
        for key, value in config.items()
        if key.startswith(f"{project}:")
    }


def encode(config: Config) -> dict[str, str]:
    """Return the config with text values, as the deployer takes it. Objects become JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }


def no_change(_config: Config) -> Config:
    """Change nothing."""
    return {}


def remove_monthly_limit(config: Config) -> Config:
    """Remove the limit of trainings per month. A rehearsal trains several times a minute."""
    limits = _mapping(config, "limits")
    if "maxTrainingsPerMonth" not in limits:
        return {}
    return {"limits": {**limits, "maxTrainingsPerMonth": 0}}


def shorten_probes(config: Config) -> Config:
    """Set the duration of every probe to seconds."""
    solutions = json.loads(json.dumps(config["solutions"]))
    probed = [
        campaign
        for solution in solutions
        for campaign in solution.get("campaigns", [])
        if campaign.get("probe")
    ]
    for campaign in probed:
        campaign["probe"]["minutes"] = PROBE_MINUTES
    return {"solutions": solutions} if probed else {}


def shorten_trainings(config: Config) -> Config:
    """Set the deadline of trainings to seconds."""
    return {"limits": {**_mapping(config, "limits"), "maxTrainingHours": TRAINING_HOURS}}


def refuse_automatic_training(_config: Config) -> Config:
    """Let a run refuse solutions that also train automatically."""
    return {"autoTraining": "refuse"}


def second_stack(config: Config, *, max_datasets: int) -> Config:
    """Return the whole config of a second stack in the same account.

    Its dataset group, solutions, campaigns and buckets have other names. Its schedule is equal.
    """
    text = json.dumps({key: value for key, value in config.items() if key not in SHARED_KEYS})
    for prefix in (":dataset/", ":solution/", ":campaign/", "s3://"):
        text = re.sub(rf'(?<={prefix})[^/"]+', lambda name: second_name(name[0]), text)
    second: dict[str, object] = json.loads(text)
    datasets = list(_mapping(second, "datasets").items())
    return {**second, "datasets": dict(datasets[:max_datasets])}


def second_name(name: str, max_length: int = NAME_LENGTH) -> str:
    """Return a different name that is not too long: `movies2` for `movies`."""
    if len(name) < max_length:
        return f"{name}2"
    return f"{name[:-1]}{'3' if name.endswith('2') else '2'}"


def _mapping(config: Config, key: str) -> dict[str, object]:
    return dict(cast("Config", config.get(key, {})))


def _decode_value(value: str) -> object:
    return json.loads(value) if value.startswith(("{", "[")) else value
