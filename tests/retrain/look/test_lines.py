"""Proves that lines have columns, and are wrapped only between words and commands."""

import pytest

from retrain.account.output import wrap_text
from retrain.look.lines import Line, render_lines, shorten

LINES = [
    Line(0, "version", "movies/1a2b3c4d"),
    Line(0, "by", "run 20261129T030000Z\ns3://exports/items.csv"),
    Line(1, "train a", "TRAINED", time="2 h"),
    Line(1, "train the-other", "AWAITING_APPROVAL", time="3 h"),
    Line(2, "", "why it waits"),
    Line(1, "a stage"),
]


def test_lines_of_one_depth_have_the_same_columns():
    assert [line.plain for line in render_lines(LINES, 80)] == [
        "version  movies/1a2b3c4d",
        "by       run 20261129T030000Z",
        "         s3://exports/items.csv",
        "    train a          TRAINED            2 h",
        "    train the-other  AWAITING_APPROVAL  3 h",
        "        why it waits",
        "    a stage",
    ]


def test_a_terminal_wraps_a_text_below_its_beginning():
    lines = render_lines([Line(0, "warning", "the tag names other jobs", "yellow")], 22)
    assert [line.plain for line in lines] == ["warning  the tag names", "         other jobs"]


@pytest.mark.parametrize(
    "text, parts",
    [
        ("a word and another", ["a word and", "another"]),
        ("now `retrain watch` shows it", ["now", "`retrain watch`", "shows it"]),
        ("s3://exports/interactions.csv is new", ["s3://exports/interactions.csv", "is new"]),
        ("a well-known-name", ["a", "well-known-name"]),
        ("  retrain watch --stack prod", ["  retrain watch --stack prod"]),
        ("one\n\ntwo", ["one", "", "two"]),
    ],
)
def test_no_word_and_no_command_is_broken(text, parts):
    assert wrap_text(text, 12) == parts


@pytest.mark.parametrize("width, bar", [(80, "━━━━━━        "), (50, "")])
def test_a_bar_is_drawn_if_there_is_room(width, bar):
    job = Line(0, "train movies", "training", time="1 h", share=0.5)
    (shown,) = render_lines([job], width, has_bars=True)
    assert shown.plain == f"train movies  {bar}training  1 h"


def test_no_bar_is_full_before_its_job_has_ended():
    (shown,) = render_lines(
        [Line(0, "train a", "training", time="1 h", share=0.97)], 80, has_bars=True
    )
    assert shown.plain.count("━") == 11


def test_the_label_of_a_job_is_cut_so_that_its_ids_stay_in_the_line():
    ids = "2 h, 68d9ecd6 → 1a2b3c4d"
    write = "write s3://movies-batch/results/for-the-mail-of-monday/2026-11-29/"
    jobs = [Line(0, "20261129T030000Z", "DEPLOYED", time="6 h")]
    jobs += [Line(1, label, "DEPLOYED", time=ids, share=1) for label in ("update home", write)]
    *_, update, cut = render_lines(jobs, 80)

    assert cut.plain == f"    write results/f…ay/2026-11-29/  DEPLOYED  {ids}"
    assert update.plain.startswith("    update home  ")


def test_a_text_is_cut_in_the_middle():
    assert [shorten("abcdefgh", width) for width in (8, 7, 4)] == ["abcdefgh", "abc…fgh", "ab…h"]
    outputs = [f"write s3://movies-batch/results/{name}/2026-11-29/" for name in ("home", "mail")]
    assert [shorten(output, 30) for output in outputs] == [
        "write results/home/2026-11-29/",
        "write results/mail/2026-11-29/",
    ]
