"""What a rehearsal changes in a stack's config: each function gives the keys that differ. Pure.

A config is the stack's own, decoded: `{"solutions": [...], "limits": {...}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

Config: TypeAlias = Mapping[str, object]
Change: TypeAlias = Callable[[Config], Config]

PROBE_MINUTES = 0.05
"""Three seconds, where a deployment's campaigns are asked for some minutes."""
TRAINING_HOURS = 0.002
"""Seven seconds; a training of the emulator's takes two or three."""
LONGEST_NAME = 63
"""Characters of a bucket's name, and of one in Personalize."""


def decoded(config: Mapping[str, str], project: str) -> Config:
    """Give a project's keys of a stack's whole config, `namespace:key` to text or JSON."""
    return {
        key.removeprefix(f"{project}:"): _decoded(value)
        for key, value in config.items()
        if key.startswith(f"{project}:")
    }


def encoded(config: Config) -> dict[str, str]:
    """Give the keys as the deployer takes them: structured values as JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }


def nothing(_config: Config) -> Config:
    """Change nothing."""
    return {}


def hurried(config: Config) -> Config:
    """Ask probes for seconds, and train as often as a rehearsal does: several times a minute."""
    changed: dict[str, object] = {}
    limits = _mapping(config, "limits")
    if "maxTrainingsPerMonth" in limits:
        changed["limits"] = {**limits, "maxTrainingsPerMonth": 0}
    if any("probe" in campaign for campaign in _campaigns(config)):
        changed["solutions"] = _with_short_probes(config)
    return changed


def impatient(config: Config) -> Config:
    """Give a training some seconds."""
    return {"limits": {**_mapping(config, "limits"), "maxTrainingHours": TRAINING_HOURS}}


def refusing(_config: Config) -> Config:
    """Refuse solutions that train automatically."""
    return {"autoTraining": "refuse"}


def second_stack(config: Config, *, imports: int) -> Config:
    """Give the whole config of another stack in the same account, with as many imports at most.

    Its group, solutions, campaigns and buckets have names of their own; its schedule is the same.
    """
    texts = json.dumps({key: value for key, value in config.items() if key != "importRoleArn"})
    for before in (":dataset/", ":solution/", ":campaign/", "s3://"):
        texts = re.sub(rf'(?<={before})[^/"]+', lambda name: another(name[0]), texts)
    second: dict[str, object] = json.loads(texts)
    datasets = _mapping(second, "datasets")
    return {**second, "datasets": dict(list(datasets.items())[:imports])}


def another(name: str, longest: int = LONGEST_NAME) -> str:
    """Give a name beside this one, as `movies2` is beside `movies`."""
    if len(name) < longest:
        return f"{name}2"
    return f"{name[:-1]}{'3' if name.endswith('2') else '2'}"


def _with_short_probes(config: Config) -> list[object]:
    """Give the solutions with a probe of some seconds wherever there is one."""
    solutions = json.loads(json.dumps(config["solutions"]))
    for campaign in _campaigns({"solutions": solutions}):
        if probe := campaign.get("probe"):
            campaign["probe"] = {**cast("Config", probe), "minutes": PROBE_MINUTES}
    return cast("list[object]", solutions)


def _campaigns(config: Config) -> list[dict[str, object]]:
    solutions = cast("list[dict[str, list[dict[str, object]]]]", config["solutions"])
    return [campaign for solution in solutions for campaign in solution.get("campaigns", [])]


def _mapping(config: Config, key: str) -> dict[str, object]:
    return dict(cast("Config", config.get(key, {})))


def _decoded(value: str) -> object:
    return json.loads(value) if value.startswith(("{", "[")) else value
