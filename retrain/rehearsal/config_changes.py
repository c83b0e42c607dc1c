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

PROBE_MINUTES = 0.02
"""About a second. A real probe takes minutes."""
TRAINING_HOURS = 0.002
"""Seven seconds. The emulator trains in two or three."""
MAX_NAME_LENGTH = 63
"""Characters of the longest name of a bucket or in Personalize."""
SHARED_KEYS = ("importRoleArn", "permissionsBoundaryArn")
"""Keys that name resources which two stacks could share."""


def decode(config: Mapping[str, str], project: str) -> Config:
    """Return the settings of a project, without the namespace in their keys.

    `config` is the whole config of a stack, including the config of providers. Its values are text.
    """
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
    """Return no keys, for a stack that is rehearsed as it is."""
    return {}


def remove_monthly_limit(config: Config) -> Config:
    """Return `limits` without a limit of trainings per month.

    A rehearsal trains several times a minute, so it would reach even the derived limit.
    """
    return {"limits": {**_mapping(config, "limits"), "maxTrainingsPerMonth": 0}}


def shorten_probes(config: Config) -> Config:
    """Return `solutions` in which every probe takes PROBE_MINUTES."""
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
    """Return `limits` in which the deadline of trainings is TRAINING_HOURS."""
    return {"limits": {**_mapping(config, "limits"), "maxTrainingHours": TRAINING_HOURS}}


def refuse_automatic_training(_config: Config) -> Config:
    """Return `autoTraining` with the value that refuses solutions which train automatically."""
    return {"autoTraining": "refuse"}


def second_stack(config: Config, *, max_datasets: int) -> Config:
    """Return the whole config of a second stack in the same account.

    Its dataset group, solutions, campaigns and buckets have other names. It has the same schedule,
    and the first `max_datasets` datasets.
    """
    text = json.dumps({key: value for key, value in config.items() if key not in SHARED_KEYS})
    for prefix in (":dataset/", ":solution/", ":campaign/", "s3://"):
        name_after_prefix = rf'(?<={prefix})[^/"]+'
        text = re.sub(name_after_prefix, lambda match: second_name(match[0]), text)
    second_config: dict[str, object] = json.loads(text)
    datasets = list(_mapping(second_config, "datasets").items())
    return {**second_config, "datasets": dict(datasets[:max_datasets])}


def second_name(name: str, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return a different name, for example `movies2` for `movies`.

    If that would be longer than `max_length`, replace the last character.
    """
    if len(name) < max_length:
        return f"{name}2"
    return f"{name[:-1]}{'3' if name.endswith('2') else '2'}"


def _mapping(config: Config, key: str) -> dict[str, object]:
    """Return a copy of the mapping at a key, or an empty dict if the config lacks the key."""
    return dict(cast("Config", config.get(key, {})))


def _decode_value(value: str) -> object:
    """Return an object or a list if the text is JSON for one, or else the text."""
    return json.loads(value) if value.startswith(("{", "[")) else value
