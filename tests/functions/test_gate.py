"""Tests of the quality gate: which drop and which minimum reject a version, and why.

tests/model/test_deployment_rules.py shows when the gate waits for baselines.
"""

import json

from functions.rules.gate import apply_gate
from functions.rules.versions import NO_VERSION


def version(value, baseline=None):
    """Return a version with this NDCG and this NDCG of its baseline.

    `-` means that a metric is missing, and None that the baseline is.
    """
    ndcg = {} if value == "-" else {"ndcg": float(value)}
    other = NO_VERSION._replace(metrics={"ndcg": 0.9, "precision": 0.1})
    found = version(baseline) if baseline else None

    return NO_VERSION._replace(
        metrics={"precision": 0.5, **ndcg},
        baselines={"solution/hits": other, "solution/popular": found},
    )


def test_golden_judgements_of_the_gate(golden):
    """A question has the NDCG of the candidate, that of the served version, and the rules.

    After each number, there may be that of the baseline, behind a slash.
    """

    def answer(line):
        numbers, _, rules = line.partition(" [")
        candidate, served = (version(*number.split("/")) for number in numbers.split())
        # A question leaves out what is null in the settings, and what is the same in most rules.
        standard = {"metric": "ndcg", "minimum": None, "relativeTo": None, "maxBaselineDrop": None}
        found = apply_gate(
            candidate, served, [{**standard, **rule} for rule in json.loads(f"[{rules}")]
        )

        return [
            *(f"rejected: {text}" for text in found.rejections),
            *(f"warning: {text}" for text in found.warnings),
            *(json.dumps(values, allow_nan=False) for values in found.comparisons),
        ]

    golden.answers("gate.txt", answer)
