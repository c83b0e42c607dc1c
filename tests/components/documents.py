"""Writes recorded resources, and changes of them, as short texts for golden files."""

import json
import textwrap
from collections import Counter, defaultdict

from tests.components.recording import ACCOUNT, PROJECT, REGION, STACK_TYPE
from tests.components.sample import BOUNDARY, DATA_KEY, KEY, NAME

PIPELINE = f"{PROJECT}:index:RetrainingPipeline"
SHORT = {
    BOUNDARY: "BOUNDARY",
    KEY: "KEY",
    DATA_KEY: "DATA_KEY",
    f"{PIPELINE}${PROJECT}:index:": "",
    PIPELINE: "",
    f"arn:aws:personalize:{REGION}:{ACCOUNT}:": "",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:": "function:",
    f"{REGION}:{ACCOUNT}": "~",
    "-1234567": "-#",
    NAME: "$",
}
LEGEND = f"""\
# $ is {NAME}, ~ is {REGION}:{ACCOUNT}, # is the suffix that Pulumi adds, and @ is the
# name of the resource. The line of a type has what most of its resources have, and … stands for it
# in a list. Without a service, actions and ARNs are those of Personalize. Code, states, widgets and
# sentences are left out, because other tests have them.
"""
LEFT_OUT = {"alarmDescription", "code", "dashboardBody", "handler"}
DOCUMENTS = {"assumeRolePolicy", "definition", "eventPattern", "policy"}
"""Inputs that are JSON."""
FEW = 5
"""Of more resources with the same change only the number is shown."""


def shortened(text):
    """Return a text with the abbreviations of the legend."""
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return text


def recorded(engine):
    """Return the inputs of each resource, and the outputs of each component, by type and name."""
    labels = {}
    for urn, resource in sorted(engine.registered.items()):
        component, _, type_ = urn.split("::")[2].rpartition("$")
        name = resource.name
        if type_.startswith("aws:"):
            inputs = shown_inputs(resource, engine)
        elif type_ == STACK_TYPE:
            continue
        else:
            inputs = json.loads(shortened(json.dumps(engine.outputs[urn], sort_keys=True)))
            component, name, type_ = "", f"{type_.rpartition(':')[2]}/{name}", "component"
        labels[type_, shortened(component), shortened(name)] = inputs
    return labels


def shown_inputs(resource, engine):
    """Return the inputs and options of a resource, with documents in place of JSON."""
    options = {
        "after": shown_dependencies(resource, engine),
        "deleteTimeout": resource.delete_timeout,
    }
    inputs = {
        key: shown_value(key, value)
        for key, value in resource.inputs.items()
        if key not in LEFT_OUT
    }
    shown = {**inputs, **{key: value for key, value in options.items() if value}}
    text = json.dumps(shown, sort_keys=True)
    if resource.name != NAME:
        text = text.replace(resource.name, "@")
    return json.loads(shortened(text))


def shown_dependencies(resource, engine):
    """Return the dependencies of a resource that none of its inputs refers to."""
    policies = {other.urn for other in engine.all_of("aws:iam/rolePolicy:RolePolicy").values()}
    urns, start = resource.after, []
    if len(policies & urns) > len(policies) / 2:
        urns, start = policies ^ urns, ["every RolePolicy except"]
    others = [engine.registered[urn] for urn in urns]
    return [*start, *sorted(f"{other.type.rpartition(':')[2]}/{other.name}" for other in others)]


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
            *(f"{key} {one_line(value)}" for key, value in sorted(others.items())),
        ]
    )


def document(engine):
    """Return a text with the resources of an engine by type."""
    types = defaultdict(dict)
    for (type_, component, name), inputs in recorded(engine).items():
        types[type_][f"{component}/{name}".removeprefix("/")] = inputs
    paragraphs = []
    for type_, rows in sorted(types.items()):
        most = shared_by_most(rows.values()) if len(rows) > 2 else {}
        paragraphs.append(f"{type_} {one_line(most)}" if most else type_)
        own = {name: difference(row, most) for name, row in rows.items()}
        paragraphs.append(f"  {', '.join(name for name, row in own.items() if not row)}")
        paragraphs += [f"  {name} {one_line(row)}" for name, row in own.items() if row]
    return LEGEND + text_of(paragraphs)


def shared_by_most(rows):
    """Return the values, and the elements of lists, that more than half of the rows have."""
    values = Counter(
        (key, isinstance(value, list), json.dumps(element))
        for row in rows
        for key, value in row.items()
        for element in (value if isinstance(value, list) else [value])
    )
    shared = {}
    for (key, is_element, text), count in values.items():
        if count > len(rows) / 2:
            value = json.loads(text)
            shared[key] = [*shared.get(key, []), value] if is_element else value
    return shared


def difference(row, most):
    """Return what is different in a row. `…` stands for the shared elements of a list."""
    different = {key: "none" for key in most if key not in row}
    for key, value in row.items():
        shared = most.get(key)
        if isinstance(shared, list) and all(element in value for element in shared):
            own = [element for element in value if element not in shared]
            different |= {key: [*own, "…"]} if own else {}
        elif value != shared:
            different[key] = value
    return different


def one_line(value):
    """Return a value in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {one_line(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(one_line, value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) and value else json.dumps(value)


def text_of(paragraphs):
    """Return a text of paragraphs. Long paragraphs are continued in indented lines."""
    wrapper = textwrap.TextWrapper(
        100, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([*(line for text in paragraphs for line in wrapper.wrap(text)), ""])


def changes(before, after):
    """Return paragraphs with what is removed (-) and added (+), and in which resources."""
    resources = defaultdict(list)
    old, new = recorded(before), recorded(after)
    for sign, these, others in (("-", old, new), ("+", new, old)):
        for label, inputs in these.items():
            name = f"{label[0].rpartition(':')[2]}/{label[2]}"
            if label not in others:
                resources["", sign].append(name)
                continue
            for leaf in sorted({*leaves(inputs)} - {*leaves(others[label])}):
                resources[leaf, sign].append(name)
    paragraphs = []
    for leaf, sign in sorted(resources, key=lambda key: (key[0], "-+".index(key[1]))):
        names = resources[leaf, sign]
        is_short = not leaf or len(names) <= FEW
        places = ", ".join(names) if is_short else f"{len(names)} resources"
        paragraphs.append(f"{sign} {leaf} in {places}" if leaf else f"{sign} {places}")
    return paragraphs


def leaves(value, path=""):
    """Yield each value inside a document with its path. The order of a list is not shown."""
    parts = [(path, part) for part in value] if isinstance(value, list) else []
    if isinstance(value, dict):
        parts = [(f"{path}.{key}" if path else key, part) for key, part in value.items()]
    for part_path, part in parts:
        if isinstance(part, dict | list):
            yield from leaves(part, part_path)
        else:
            yield f"{part_path}: {one_line(part)}"
