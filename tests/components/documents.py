"""Writes recorded resources, and changes of them, as lines for golden files."""

import json
from collections import defaultdict

from tests.components.recording import ACCOUNT, PROJECT, REGION, SCHEDULE_GROUP, STACK_TYPE
from tests.components.sample import BOUNDARY, DATA_KEY, KEY, NAME

PIPELINE = f"{PROJECT}:index:RetrainingPipeline"
SHORT = {
    BOUNDARY: "BOUNDARY",
    KEY: "KEY",
    DATA_KEY: "DATA_KEY",
    f"arn:aws:personalize:{REGION}:{ACCOUNT}:": "",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:": "function:",
    f"{REGION}:{ACCOUNT}": "~",
    "-1234567": "-#",
    NAME: "$",
}
LEGEND = f"""\
# $ is {NAME}, ~ is {REGION}:{ACCOUNT}, and # is the suffix that Pulumi adds.
# Without a service, actions and ARNs are those of Personalize. Code, states, widgets and sentences
# are left out, because other tests have them. So are tags that are those of the pipeline.
"""
LEFT_OUT = {"alarmDescription", "code", "codeSha256", "dashboardBody", "handler"}
DOCUMENTS = {"assumeRolePolicy", "definition", "eventPattern", "policy"}
"""Inputs that are JSON."""
FEW = 5
"""Of more resources with the same change only the number is shown."""


def recorded(engine):
    """Return what is shown of each resource, by its type and name."""
    shown = {}
    for urn, resource in engine.registered.items():
        if resource.type == PIPELINE:
            inputs = engine.outputs[urn]
        else:
            inputs = shown_inputs(resource, engine)
        if resource.type != STACK_TYPE:
            name = f"{resource.type.rpartition(':')[2]} {resource.name}"
            shown[shortened(name)] = json.loads(shortened(json.dumps(inputs)))

    return shown


def shortened(text):
    """Return a text with the abbreviations of the legend."""
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return text


def shown_inputs(resource, engine):
    """Return the inputs and options of a resource, with documents in place of JSON."""
    others = [engine.registered[urn] for urn in resource.after]
    options = {
        "after": sorted(f"{other.type.rpartition(':')[2]} {other.name}" for other in others),
        "deleteTimeout": resource.delete_timeout,
    }
    pipeline_tags = engine.one(SCHEDULE_GROUP, NAME).inputs["tags"]
    inputs = {
        key: shown_value(key, value)
        for key, value in resource.inputs.items()
        if key not in LEFT_OUT and (key != "tags" or value != pipeline_tags)
    }

    return {**inputs, **{key: value for key, value in options.items() if value}}


def shown_value(key, value):
    """Return a document for JSON, and a text for a statement of a policy."""
    if key in DOCUMENTS and isinstance(value, str):
        value = json.loads(value)
    if key == "definition":
        return value["States"][value["StartAt"]]["Parameters"]["settings"]
    if isinstance(value, dict) and "Statement" in value:
        return [statement_text(**statement) for statement in value["Statement"]]
    return value


def statement_text(Effect, Action, Resource=(), **others):  # noqa: N803  # IAM's spelling
    """Return a statement of a policy as text. The effect is left out if it is Allow."""
    actions, resources = (
        [value] if isinstance(value, str) else value for value in (Action, Resource)
    )
    return " ".join(
        [
            *([] if Effect == "Allow" else [Effect]),
            *(action.removeprefix("personalize:") for action in actions),
            *(["on", *resources] if resources else []),
            *(f"{key} {json.dumps(value)}" for key, value in sorted(others.items())),
        ]
    )


def document(engine):
    """Return a text with a line for each value of each resource."""
    paragraphs = [
        "\n  ".join([name, *sorted(leaves(inputs))])
        for name, inputs in sorted(recorded(engine).items())
    ]
    return LEGEND + "\n".join([*paragraphs, ""])


def changes(before, after):
    """Return lines with what is removed (-) and added (+), and in which resources."""
    resources = defaultdict(list)
    old = recorded(before)
    new = recorded(after)
    for sign, these, others in (("-", old, new), ("+", new, old)):
        for name, inputs in these.items():
            if name not in others:
                resources["", sign].append(name)
                continue
            for leaf in {*leaves(inputs)} - {*leaves(others[name])}:
                resources[leaf, sign].append(name)

    lines = []
    for (leaf, sign), names in sorted(resources.items()):
        if not leaf:
            lines += [f"{sign} {name}" for name in sorted(names)]
            continue
        places = ", ".join(sorted(names)) if len(names) <= FEW else f"{len(names)} resources"
        lines.append(f"{sign} {leaf} in {places}")
    return lines


def leaves(value, path=""):
    """Yield each value inside a document with its path. The order of a list is not shown."""
    parts = [(path, part) for part in value] if isinstance(value, list) else []
    if isinstance(value, dict):
        parts = [(f"{path}.{key}" if path else key, part) for key, part in value.items()]
    for part_path, part in parts:
        if isinstance(part, dict | list) and part:
            yield from leaves(part, part_path)
        else:
            text = part if isinstance(part, str) else json.dumps(part).removesuffix(".0")
            yield f"{part_path}: {text}"
