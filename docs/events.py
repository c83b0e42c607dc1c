"""Prints the page of the event about a run, whose keys are in `functions/report/model.py`.

Use: `python -m docs.events > docs/events.md`.
"""

import ast
import inspect
import json
import sys
import types
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

from functions.contract import Outcome
from functions.report import model, send

JSON_TYPES: dict[object, str] = {str: "string", int: "number", float: "number", bool: "boolean"}
EXAMPLE: dict[str, Any] = {
    "schemaVersion": 1,
    "pipeline": "retraining-prod",
    "outcome": "DEPLOYED",
    "error": None,
    "reasons": [],
    "runId": "20261130T030000Z",
    "trigger": "schedule",
    "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:retraining-prod-1a2b3c4:7f1d",
    "startedAt": "2026-11-30T03:00:00.000Z",
    "endedAt": "2026-11-30T06:12:07.501000+00:00",
    "seconds": 11527.501,
    "trainingHours": 4.4,
    "trainingCost": 1.06,
    "importCost": 0.06,
    "imports": [
        {
            "type": "interactions",
            "outcome": "IMPORTED",
            "reasons": [],
            "datasetImportJobArn": "arn:aws:personalize:eu-west-1:123456789012:dataset-import-job/"
            "0a1b2c3d-20261130T030000Z-interactions",
            "bytes": 1234567890,
            "dataWrittenAt": "2026-11-30T01:14:00+00:00",
            "content": {
                "rows": 21870,
                "areAllRowsRead": False,
                "newestEventAt": "2026-11-29T22:06:41+00:00",
                "importsWithNewestEvent": 1,
                "eventTypes": {"view": 19683, "purchase": 2187},
                "missingPerMille": 0,
                "emptyValues": {"EVENT_VALUE": 19683},
            },
            "seconds": 930.0,
        }
    ],
    "solutions": [
        {
            "solutionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/taste",
            "outcome": "DEPLOYED",
            "reasons": [],
            "solutionVersionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/taste/6f1b",
            "trainedBy": "pipeline",
            "trainingMode": "FULL",
            "isTrained": True,
            "trainingHours": 4.4,
            "seconds": 7260.0,
            "campaigns": [
                {
                    "campaignArn": "arn:aws:personalize:eu-west-1:123456789012:campaign/home",
                    "outcome": "DEPLOYED",
                    "reasons": [],
                    "versionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/taste/6f1b",
                    "previousVersionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/"
                    "taste/0c9d",
                    "metrics": [
                        {
                            "metric": "precision_at_10",
                            "new": 0.12,
                            "served": 0.112,
                            "change": 0.071429,
                            "newBaseline": None,
                            "servedBaseline": None,
                            "hasDropped": False,
                            "hasBaselineDropped": False,
                        }
                    ],
                    "seconds": 960.0,
                }
            ],
            "batchJobs": [
                {
                    "output": "s3://batch/recommendations/2026-11-30/",
                    "outcome": "WRITTEN",
                    "reasons": [],
                    "jobArn": "arn:aws:personalize:eu-west-1:123456789012:batch-inference-job/"
                    "0a1b2c3d-20261130T030000Z-5e6f7a8b",
                    "versionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/taste/6f1b",
                    "seconds": 1260.0,
                }
            ],
        }
    ],
    "trials": [],
    "serving": [
        {
            "campaignArn": "arn:aws:personalize:eu-west-1:123456789012:campaign/home",
            "isKnown": True,
            "isBad": False,
            "minProvisionedTPS": 1,
            "pin": None,
            "servedVersionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/taste/6f1b",
            "versionOnTrial": None,
        }
    ],
    "recommenders": [],
    "heldOutUsers": 5000,
    "dataDeletionJobArn": None,
    "warnings": [],
    "executionUrl": "https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/"
    "details/arn:aws:states:eu-west-1:123456789012:execution:retraining-prod-1a2b3c4:7f1d",
    "dashboardUrl": None,
}
"""The detail of an event about a good run."""

PAGE = """\
# Events

This page is generated from `functions/report/model.py`: `python -m docs.events > docs/events.md`.

After each run, the pipeline puts one event on the default event bus of its account and region. It
contains the facts of the [message](messages.md) as JSON. Its source is `{source}` and
its detail type is `{detail_type}`. It is sent after every run, even with
`notifications.on: problems`.

EventBridge and the functions may send an event twice. Compare `executionArn` to recognize the
second event. Texts are shortened, so that the event of the largest pipeline fits into 256 KB.

This rule matches the runs of one pipeline whose outcome needs a person:

```json
{pattern}
```

A run with another outcome needs a person too if one of its warnings has `needsPerson`, or if a
campaign serves a bad version or has one on trial (`serving[]`).

## The detail

The field `detail` of the event has these keys. A key keeps its name and its meaning while
`schemaVersion` is {version}. A newer release may add keys. `outcome` is one of {outcomes}
([what they mean](operations.md#after-a-run)).

{tables}

## Example

```json
{example}
```
"""
TITLES = {
    "Report": "`detail`",
    "Message": "`detail.reasons[]`, `detail.warnings[]`, and the `reasons` of each part",
    "ImportReport": "`detail.imports[]`",
    "ExportContent": "`detail.imports[].content`",
    "SolutionReport": "`detail.solutions[]`",
    "BatchJobReport": "`detail.solutions[].batchJobs[]`",
    "CampaignReport": "`detail.solutions[].campaigns[]`, `detail.trials[]`",
    "MetricReport": "`detail.solutions[].campaigns[].metrics[]`",
    "ServingReport": "`detail.serving[]`",
    "RecommenderReport": "`detail.recommenders[]`",
}
"""The parts of the detail -> where they are, in the order of the page."""


def page() -> str:
    """Return the whole page."""
    pattern = {
        "source": [send.SOURCE],
        "detail-type": [send.DETAIL_TYPE],
        "detail": {
            "pipeline": ["retraining-prod"],
            "outcome": ["FAILED", "ROLLED_BACK", "REJECTED", "AWAITING_APPROVAL"],
        },
    }
    return PAGE.format(
        source=send.SOURCE,
        detail_type=send.DETAIL_TYPE,
        version=model.SCHEMA_VERSION,
        pattern=json.dumps(pattern, indent=2),
        outcomes=", ".join(f"`{outcome}`" for outcome in get_args(Outcome)),
        tables="\n\n".join(_table(name, title) for name, title in TITLES.items()),
        example=json.dumps(EXAMPLE, indent=2),
    )


def _table(name: str, title: str) -> str:
    """Return the table of the keys of a part."""
    docstrings = dict(_docstrings(name))
    rows = [
        f"| `{key}` | {type_text(hint)} | {docstrings[key]} |"
        for key, hint in get_type_hints(getattr(model, name)).items()
    ]
    return "\n".join([f"### {title}", "", "| key | type | meaning |", "| --- | --- | --- |", *rows])


def _docstrings(name: str) -> Iterator[tuple[str, str]]:
    """Yield each key of a part with the text behind it."""
    (definition,) = ast.parse(inspect.getsource(getattr(model, name))).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            yield (
                ast.unparse(field.target),
                inspect.cleandoc(ast.literal_eval(text.value)).replace("\n", " "),
            )


def type_text(hint: object) -> str:
    """Return the type of a key in the words of JSON."""
    if isinstance(hint, types.UnionType):
        return " or ".join(type_text(part) for part in get_args(hint))
    if hint is types.NoneType:
        return "null"
    if get_origin(hint) is list:
        return "list"
    if get_origin(hint) is dict or is_typeddict(hint):
        return "object"
    if get_origin(hint) is Literal:
        return JSON_TYPES[type(get_args(hint)[0])]
    return JSON_TYPES[hint]


if __name__ == "__main__":
    sys.stdout.write(page())
