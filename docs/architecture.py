"""The picture of the architecture, as an SVG with AWS's own icons.

    pip install --no-deps --target /tmp/icons diagrams==0.25.1
    python -m docs.architecture /tmp/icons/resources/aws > docs/architecture.svg

Only the icons of that package are used. Needs nothing else that a rehearsal does not.
"""

import base64
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

WIDTH, HEIGHT = 1092, 696
ICON = 52

INK, SOFT, LINE, PANEL = "#16191f", "#545b64", "#687078", "#fbfbfb"
PINK, TEAL = "#e7157b", "#01a88d"

PICTURE = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="13" \
font-family="Helvetica, Arial, sans-serif">
<title>A schedule starts a state machine, which imports, trains and updates in Personalize</title>
<defs>
<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker>
{{images}}
</defs>
{{drawing}}
</svg>
"""
ICONS = {
    "scheduler": "integration/eventbridge-scheduler.png",
    "machine": "integration/step-functions.png",
    "function": "compute/lambda.png",
    "queue": "integration/simple-queue-service-sqs-queue.png",
    "rule": "integration/eventbridge-rule.png",
    "logs": "management/cloudwatch-logs.png",
    "traces": "devtools/x-ray.png",
    "exports": "storage/simple-storage-service-s3-bucket-with-objects.png",
    "personalize": "ml/personalize.png",
}
"""Name in the picture to file in the package."""


class Stage(NamedTuple):
    """A column inside the state machine: its middle, its title, its functions."""

    x: float
    title: str
    steps: Sequence[str]


STAGES = (
    Stage(234, "plan", ["plan_retraining"]),
    Stage(380, "import", ["create_dataset_import_job", "watch_dataset_import_job"]),
    Stage(
        568, "train", ["create_solution_version", "watch_solution_version", "stop_solution_version"]
    ),
    Stage(
        732,
        "judge, update, probe",
        [
            "evaluate_solution_version",
            "update_campaign",
            "watch_campaign_update",
            "probe_campaign",
            "roll_back_campaign",
        ],
    ),
    Stage(876, "report", ["report_outcome"]),
)
CLOSE = Stage(1010, "close", ["close_run"])
PLAN, IMPORT, TRAIN, UPDATE, REPORT = (stage.x for stage in STAGES)
ROW = 178
"""Height of the middle of the stages' icons."""
LEFT = 100
"""The middle of the column left of them."""


def picture(icon: Callable[[str], bytes]) -> str:
    """Give the SVG; `icon` gives the PNG of each name in ICONS."""
    images = (
        f'<image id="{name}" width="{ICON}" height="{ICON}" '
        f'href="data:image/png;base64,{base64.b64encode(icon(name)).decode()}"/>'
        for name in ICONS
    )
    drawing = [
        _box(1, 1, WIDTH - 2, HEIGHT - 2, fill="#ffffff", stroke="#d5dbdb", radius=14),
        *_deployed(),
        *_there_before(),
    ]
    return PICTURE.format(images="\n".join(images), drawing="\n".join(drawing))


def _deployed() -> Iterator[str]:
    """Draw what the program creates."""
    yield _box(16, 44, 1060, 404, fill=PANEL, stroke="#aab7b8", dash="6 5")
    yield _text(28, 32, "What a stack creates", size=15, weight="bold", anchor="start")

    yield _icon("scheduler", LEFT, ROW)
    yield _label(LEFT, ROW, "EventBridge Scheduler", ["cron or rate,", "in a time zone"])
    yield _arrow((LEFT + 30, ROW), (174, ROW), label="starts")
    yield _arrow((LEFT, ROW + 84), (LEFT, 322))
    yield _icon("queue", LEFT, 350)
    yield _label(LEFT, 350, "SQS dead-letter queue", ["what could not start"])

    yield _box(178, 66, 758, 284, fill="#fff6fa", stroke=PINK)
    yield _use("machine", 190, 76, 34)
    yield _text(232, 98, "Step Functions", weight="bold", anchor="start")
    yield _box(IMPORT - 90, 112, 180, 224, fill="#ffffff", stroke=PINK, dash="4 4")
    yield _text(IMPORT + 88, 106, "for each dataset", fill=PINK, size=12, anchor="end")
    yield _box(TRAIN - 82, 112, 338, 224, fill="#ffffff", stroke=PINK, dash="4 4")
    yield _text(822, 106, "for each solution", fill=PINK, size=12, anchor="end")
    yield _box(UPDATE - 86, 138, 172, 190, fill="#fff6fa", stroke=PINK, dash="4 4")
    yield _text(UPDATE + 84, 132, "for each campaign", fill=PINK, size=12, anchor="end")
    for stage in STAGES:
        yield from _functions(stage)
    for one, other in ((PLAN, IMPORT), (IMPORT, TRAIN), (TRAIN, UPDATE), (UPDATE, REPORT)):
        yield _arrow((one + 32, ROW), (other - 32, ROW))

    yield _icon("rule", CLOSE.x, 92)
    yield _text(CLOSE.x, 132, "EventBridge rule", weight="bold")
    yield _text(CLOSE.x, 149, "execution failed,", fill=SOFT, size=12)
    yield _text(CLOSE.x, 164, "timed out or aborted", fill=SOFT, size=12)
    yield _arrow((936, 92), (CLOSE.x - 32, 92))
    yield _arrow((CLOSE.x, 170), (CLOSE.x, 192))
    yield from _functions(CLOSE, row=222)

    yield _icon("logs", 796, 400)
    yield _text(828, 396, "CloudWatch Logs", weight="bold", anchor="start")
    yield _text(828, 413, "JSON records", fill=SOFT, size=12, anchor="start")
    yield _icon("traces", 988, 400)
    yield _text(1022, 396, "X-Ray", weight="bold", anchor="start")
    yield _text(1022, 413, "traces", fill=SOFT, size=12, anchor="start")


def _there_before() -> Iterator[str]:
    """Draw what exists without the program."""
    yield _text(28, 482, "What is there before", size=15, weight="bold", anchor="start")
    yield _icon("exports", LEFT, 588)
    yield _label(LEFT, 588, "S3", ["exports as CSV;", "plan looks first"])

    yield _box(178, 494, 648, 184, fill="#f2fbf9", stroke=TEAL)
    yield _use("personalize", 190, 506, 40)
    yield _text(240, 524, "Amazon Personalize", weight="bold", anchor="start")
    yield _text(240, 541, "one dataset group", fill=SOFT, size=12, anchor="start")
    for x, width, title, lines in (
        (IMPORT, 180, "datasets", ["interactions, items, users,", "actions, action interactions"]),
        (TRAIN, 130, "solutions", ["a new version", "each run"]),
        (UPDATE, 130, "campaigns", ["serve one version"]),
    ):
        yield _box(x - width / 2, 568, width, 86, fill="#ffffff", stroke=TEAL)
        yield _text(x, 594, title, weight="bold")
        for number, line in enumerate(lines):
            yield _text(x, 614 + 16 * number, line, fill=SOFT, size=12)
    yield _arrow((LEFT + 34, 588), (IMPORT - 92, 588))
    yield _text(234, 578, "read as import role", fill=SOFT, size=12)
    yield _arrow((IMPORT + 90, 611), (TRAIN - 67, 611))
    yield _arrow((TRAIN + 65, 611), (UPDATE - 67, 611))

    yield _arrow((PLAN, 350), (PLAN, 492), dash="5 4")
    yield _text(PLAN + 8, 472, "reads", fill=SOFT, size=12, anchor="start")
    for x, label in ((IMPORT, "import jobs"), (TRAIN, "trainings"), (UPDATE, "updates")):
        yield _arrow((x, 336), (x, 566))
        yield _text(x + 8, 472, label, fill=SOFT, size=12, anchor="start")
    yield _box(928, 577, 148, 68, fill="#ffffff", stroke="#aab7b8")
    yield _text(1002, 607, "your application", weight="bold")
    yield _text(1002, 625, "GetRecommendations", fill=SOFT, size=12)
    yield _arrow((926, 611), (UPDATE + 69, 611))
    yield _text(878, 603, "asks", fill=SOFT, size=12)


def _functions(stage: Stage, row: float = ROW) -> Iterator[str]:
    yield _icon("function", stage.x, row)
    yield _text(stage.x, row + 46, stage.title, weight="bold")
    for number, step in enumerate(stage.steps):
        x, y = stage.x, row + 66 + 17 * number
        yield _text(x, y, step, fill=SOFT, size=11, family="Menlo, Consolas, monospace")


def _icon(name: str, x: float, y: float) -> str:
    return _use(name, x - ICON / 2, y - ICON / 2, ICON)


def _use(name: str, x: float, y: float, size: float) -> str:
    return f'<use href="#{name}" transform="translate({x:g} {y:g}) scale({size / ICON:.4g})"/>'


def _label(x: float, y: float, title: str, lines: Iterable[str]) -> str:
    below = (
        _text(x, y + 63 + 16 * number, line, fill=SOFT, size=12)
        for number, line in enumerate(lines)
    )
    return "\n".join([_text(x, y + 46, title, weight="bold"), *below])


def _text(
    x: float,
    y: float,
    text: str,
    *,
    fill: str = INK,
    size: int = 13,
    weight: str = "normal",
    anchor: str = "middle",
    family: str | None = None,
) -> str:
    more = f' font-family="{family}"' if family else ""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}"{more}>{escape(text)}</text>'
    )


def _box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str,
    stroke: str,
    radius: int = 8,
    dash: str = "none",
) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" '
        f'fill="{fill}" stroke="{stroke}" stroke-dasharray="{dash}"/>'
    )


def _arrow(
    start: tuple[float, float], end: tuple[float, float], *, label: str = "", dash: str = "none"
) -> str:
    """Draw a line with a head, its label above the middle."""
    (x, y), (to_x, to_y) = start, end
    line = (
        f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}" fill="none" stroke="{LINE}" stroke-width="1.6" '
        f'stroke-dasharray="{dash}" marker-end="url(#head)"/>'
    )
    return line + (_text((x + to_x) / 2, y - 8, label, fill=SOFT, size=12) if label else "")


def main() -> None:
    """Print the picture; the argument is where the icons are."""
    folder = Path(sys.argv[1])
    sys.stdout.write(picture(lambda name: (folder / ICONS[name]).read_bytes()))


if __name__ == "__main__":
    main()
