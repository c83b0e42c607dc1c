"""The sample stack is in the form that the Pulumi CLI writes, which so changes no other line of it.

With the CLI, tests/engine proves it.
"""

from tests.program.sample_stack import ROOT, STACK_CONFIG

LINES = (ROOT / "Pulumi.dev.yaml").read_text().splitlines()


def is_comment(line):
    return line.lstrip().startswith("#")


def indent(line):
    return len(line) - len(line.lstrip())


def test_it_has_no_blank_lines_which_the_cli_removes():
    assert [number for number, line in enumerate(LINES, 1) if not line.strip()] == []


def test_it_ends_with_a_value_because_the_cli_moves_comments_after_the_last_one():
    assert not is_comment(LINES[-1])


def test_its_comments_are_indented_like_a_key_beside_them_because_the_cli_moves_others():
    moved = []
    for number, line in enumerate(LINES):
        before = next((each for each in reversed(LINES[:number]) if not is_comment(each)), "")
        after = next(each for each in LINES[number:] if not is_comment(each))
        beside = {indent(before), indent(before.replace("- ", "  ", 1)), indent(after)}
        if is_comment(line) and indent(line) not in beside:
            moved.append(line)
    assert moved == []


def test_its_top_level_values_are_text_or_structures_because_the_cli_quotes_all_others():
    others = {key for key, each in STACK_CONFIG.items() if not isinstance(each, str | list | dict)}
    assert others == set()
