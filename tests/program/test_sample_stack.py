"""Proves that the sample stack has the form of the Pulumi CLI, so that the CLI changes few lines.

tests/engine/test_stack_file.py has the real CLI.
"""

from tests.program.sample_stack import ROOT, STACK_CONFIG

LINES = (ROOT / "Pulumi.dev.yaml").read_text().splitlines()


def is_comment(line):
    return line.lstrip().startswith("#")


def indent(line):
    return len(line) - len(line.lstrip())


def test_it_has_no_blank_lines_because_the_cli_removes_them():
    assert [number for number, line in enumerate(LINES, 1) if not line.strip()] == []


def test_it_ends_with_a_value_because_the_cli_moves_comments_after_the_last_one():
    assert not is_comment(LINES[-1])


def test_its_comments_are_indented_like_a_key_next_to_them_because_the_cli_moves_others():
    moved = []
    for number, line in enumerate(LINES):
        previous = next((text for text in reversed(LINES[:number]) if not is_comment(text)), "")
        following = next(text for text in LINES[number:] if not is_comment(text))
        key_indents = {
            indent(previous),
            indent(previous.replace("- ", "  ", 1)),
            indent(following),
        }
        if is_comment(line) and indent(line) not in key_indents:
            moved.append(line)
    assert moved == []


def test_its_top_level_values_are_text_or_structures_because_the_cli_quotes_all_others():
    types = {type(value) for value in STACK_CONFIG.values()}
    assert types <= {str, list, dict}
