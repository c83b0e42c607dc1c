"""Proves what becomes of a config. `golden/config.yaml` has changes of the sample stack.

Below each change stands what it leads to: the problems, or the values that are not as written. `…`
is the changed key with its value. `python -m tests.golden` rewrites this.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path

import yaml

from components import settings
from components.args import to_camel_case
from tests.program.sample_stack import HOME, LEFT_OUT, PROJECT, changed, parse, problems_of, texts

GOLDEN = Path(__file__).parent / "golden" / "config.yaml"


def results(case):
    """Return the problems of a config, or else the values that are not as written.

    Keys with a namespace, and the name of the stack, are changes of the stack's config. The CLI
    passes all of its values as text.
    """
    changes = dict(case)
    stack = case.get("stack", "dev")
    of_stack = {key: changes.pop(key) for key in case if re.match(r"stack$|[\w-]+:", key)}
    config = {**texts(changes), **of_stack}
    given = {key: value for key, value in config.items() if value != LEFT_OUT and key != "stack"}
    if not of_stack and (problems := problems_of(changed(changes))):
        return problems
    try:
        stack_args = settings.parse_stack_config(PROJECT, stack, given)
    except settings.SettingsError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    found = set(leaves(asdict(stack_args if of_stack else parse(changed(changes)))))
    differences = found - set(leaves(asdict(parse(changed({})))))
    as_written = differences == set(leaves(changes))

    return [] if as_written else ["; ".join(sorted(differences))]


def leaves(value, key=""):
    """Yield each value inside the arguments, or inside a config, as `key = value`."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from leaves(part, f"{key}.{to_camel_case(name)}".removeprefix("."))
    elif isinstance(value, list | tuple) and value:
        for index, part in enumerate(value):
            yield from leaves(part, f"{key}[{index}]")
    else:
        yield f"{key} = {[*value] if isinstance(value, tuple) else value!r}"


def shortened(line, case):
    """Return a line without the name of the project and without the key and value of the case."""
    line = line.replace(f"{PROJECT}:", "")
    for key, value in case.items():
        line = re.sub(rf"^{re.escape(f'{key}: {value!r}')} ", "… ", line)
        line = re.sub(rf"^{re.escape(key)}: ", "…: ", line)
    return line


def lines_of(case):
    """Return the lines of a case: its changes, and what they lead to."""
    changes = {key: value for key, value in case.items() if key != "says"}
    first, *others = (f"{key}: {yaml_of(value)}" for key, value in changes.items())
    lines = [f"- {first}", *(f"  {other}" for other in others)]
    says = [yaml_of(shortened(line, changes)) for line in results(changes)]
    if len(says) > 1:
        return [*lines, "  says:", *(f"  - {line}" for line in says)]
    return [*lines, *(f"  says: {line}" for line in says)]


def text_of(sections):
    """Return the text of the golden file."""
    lines = ["# tests/program/test_config.py explains this file."]
    for section, cases in sections.items():
        lines += [f"{section}:", *(line for case in cases for line in lines_of(case))]
    text = "\n".join([*lines, ""]).replace(HOME, "HOME")
    return re.sub(r"(.)\1{50,}", lambda run: f"{{{run[1]}*{len(run[0])}}}", text)


def yaml_of(value):
    """Return a value as YAML in one line."""
    if isinstance(value, float):
        return yaml.safe_dump(value).split()[0]
    return json.dumps(value).replace(r"\u2026", "…")


def sections_of(text):
    """Return the cases of the golden file by section. `{x*60}` stands for 60 times an x."""
    text = re.sub(r"\{(.)\*(\d+)\}", lambda run: run[1] * int(run[2]), text)
    return yaml.safe_load(text.replace("HOME", HOME))


def test_each_change_of_the_sample_stack_leads_to_the_results_in_the_golden_file(golden):
    golden(GOLDEN.name, text_of(sections_of(GOLDEN.read_text())))
