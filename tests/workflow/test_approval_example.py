"""Proves that the example of a function that approves versions works with the pipeline."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.args import ApprovalArgs
from tests.workflow.clients import shared_clients
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import outcomes
from tests.world import MOVIES, solution

FOLDER = Path(__file__).parents[2] / "examples" / "approval"
ASKING = MOVIES.with_datasets("interactions").with_solutions(solution(approval=ApprovalArgs()))
CONTEXT = SimpleNamespace(
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:evaluate"
)


@pytest.fixture
def evaluate():
    """The module of the example's function."""
    spec = importlib.util.spec_from_file_location("evaluate", FOLDER / "function" / "evaluate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def connect(monkeypatch, pipeline):
    """Let boto3 in the function reach the pipeline's account. Return what it starts."""
    started = []

    class StepFunctions:
        """Starts each execution once, as AWS does."""

        class exceptions:  # noqa: N801 - as in boto3
            """The errors of the service."""

            ExecutionAlreadyExists = KeyError

        def start_execution(self, *, name, **request):
            if name in [known for known, _ in started]:
                raise KeyError(name)
            started.append((name, request))

    clients = {"personalize": shared_clients()["operator"], "stepfunctions": StepFunctions()}
    monkeypatch.setattr("boto3.client", clients.__getitem__)
    monkeypatch.setenv("STATE_MACHINE_ARN", pipeline.machine.arn)
    return started


@pytest.mark.parametrize("is_good", [True, False])
def test_the_answer_of_the_function_decides(monkeypatch, evaluate, is_good):
    with deploy(ASKING) as pipeline:
        before = pipeline.served_version()
        asked = pipeline.run()
        assert outcomes(asked)["home"] == "AWAITING_APPROVAL"

        started = connect(monkeypatch, pipeline)
        monkeypatch.setattr(evaluate, "MIN_COVERAGE", 0 if is_good else 1.1)
        virtual_time = SimpleNamespace(now=lambda _: pipeline.clock.now())
        monkeypatch.setattr(evaluate, "datetime", virtual_time)
        [report] = pipeline.inbox.details
        for _ in range(2):  # EventBridge may send an event twice
            evaluate.handler({"detail": report}, CONTEXT)

        new = pipeline.versions()[-1]
        if is_good:
            [(_, request)] = started
            assert request == {
                "stateMachineArn": pipeline.machine.arn,
                "input": '{"only": "deployments"}',
            }
        else:
            assert started == []
        pipeline.run(only="deployments", trigger=None, scheduledTime=None, scheduleArn=None)
        assert pipeline.served_version() == (new if is_good else before)
