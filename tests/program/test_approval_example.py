"""Proves that the example program calls its function for runs that have asked for an approval."""

import json
import runpy
from pathlib import Path

from tests.components.recording import run
from tests.world import PERSONALIZE

PROGRAM = Path(__file__).parents[2] / "examples" / "approval" / "__main__.py"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
CONFIG = {
    "pipeline": "retraining-prod",
    "stateMachineArn": MACHINE,
    "solutionArns": json.dumps([f"{PERSONALIZE}:solution/movies"]),
}


def test_the_function_may_answer_and_start_the_deployment(monkeypatch):
    monkeypatch.chdir(PROGRAM.parent)
    config = {f"personalize-retraining:{key}": value for key, value in CONFIG.items()}
    engine = run(lambda: runpy.run_path(str(PROGRAM)) and None, config=config)

    rule = engine.one("aws:cloudwatch/eventRule:EventRule", "awaiting-approval").inputs
    pattern = json.loads(rule["eventPattern"])
    assert pattern["detail"]["pipeline"] == ["retraining-prod"]

    policy = engine.one("aws:iam/rolePolicy:RolePolicy", "evaluate").inputs["policy"]
    answer, start = json.loads(policy)["Statement"]
    assert answer["Resource"] == [f"{PERSONALIZE}:solution/movies/*"]
    assert (start["Action"], start["Resource"]) == ("states:StartExecution", MACHINE)
