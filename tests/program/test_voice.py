"""Proves that the code isn't packed: several thoughts in one statement cost more than lines do."""

import ast
import io
import textwrap
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("components", "functions", "retrain", "emulator")
LINES_WITHOUT_PAUSE = 7
"""The most lines of a function's body that may stand without a blank line."""
MAX_TOKENS = 120
"""The most code tokens of a function. A form doesn't count, because it's easy to read."""
MAX_CONDITIONALS = 6
"""The most conditional expressions in 1,000 lines."""
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
LONG_FUNCTIONS = {
    "functions/planning/export_search.py search_exports": "what is found in S3, for one dataset",
    "functions/planning/snapshot.py read_data_snapshot": "a request for each part",
    "functions/planning/snapshot.py read_solution_snapshot": "a request for each part",
    "functions/report/mail.py format_headline": "a case for each outcome",
    "retrain/act/adopt.py adopt": "the steps of the command, one after the other",
    "retrain/act/rollback.py plan_move": "a request for each part of the plan",
    "retrain/act/stack_file.py _add_comments": "a comment above each key, at each depth",
    "components/dashboard.py build_dashboard_body": "a line for each line of the charts",
    "components/iam.py list_resource_arns": "a table with the lists that it needs",
    "components/pipeline.py __init__": "it only connects the parts",
}
"""Function -> why it is long all the same."""

MODULES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}
NODES = [
    (name, source, node) for name, source in MODULES.items() for node in ast.walk(ast.parse(source))
]


def statements(function):
    """Return the body of a function without its docstring and its forms.

    A form is a table, a chain of rules, or one call with many keywords.
    """
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return [statement for statement in body if not is_form(statement)]


def is_form(statement):
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call):
        return len(value.keywords) >= 4
    return isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.BoolOp | ast.DictComp)


def count_tokens(source, statement):
    lines = source.splitlines()[statement.lineno - 1 : statement.end_lineno]
    code = textwrap.dedent("\n".join(lines))
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return sum(token.type not in LAYOUT and token.string != "," for token in tokens)


def functions():
    return [item for item in NODES if isinstance(item[2], ast.FunctionDef)]


def test_no_assignment_unpacks_values_that_are_written_beside_it():
    packed = [
        f"{name}:{node.lineno}"
        for name, _, node in NODES
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.Tuple)
    ]

    assert packed == [], "write one assignment a line"


def test_no_conditional_expression_is_inside_another():
    nested = [
        f"{name}:{node.lineno}"
        for name, _, node in NODES
        if isinstance(node, ast.IfExp)
        and any(isinstance(part, ast.IfExp) for part in ast.walk(node) if part is not node)
    ]

    assert nested == [], "use if statements, or a function that returns early"


@pytest.mark.parametrize("room", ROOMS)
def test_conditional_expressions_are_rare(room):
    lines = sum(len(code.splitlines()) for name, code in MODULES.items() if name.startswith(room))
    count = sum(isinstance(node, ast.IfExp) for name, _, node in NODES if name.startswith(room))
    assert count * 1000 / lines <= MAX_CONDITIONALS, "an if statement reads more easily"


def test_a_body_has_a_pause_between_its_thoughts():
    walls = []
    for name, source, function in functions():
        body = statements(function)
        line_count = sum(item.end_lineno - item.lineno + 1 for item in body)
        whole = source.splitlines()[body[0].lineno - 1 : function.end_lineno] if body else []
        if len(body) > 1 and line_count > LINES_WITHOUT_PAUSE and all(map(str.strip, whole)):
            walls.append(f"{name} {function.name}")

    assert walls == [], "separate preparation, work and result by a blank line"


def test_long_functions_are_named_with_their_reason():
    found = set()
    for name, source, function in functions():
        count = sum(count_tokens(source, statement) for statement in statements(function))
        if count > MAX_TOKENS:
            found.add(f"{name} {function.name}")
    assert found == set(LONG_FUNCTIONS), "split it, or say above why it is long; remove others"
