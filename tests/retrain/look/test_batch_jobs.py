"""Proves how batch jobs look in `plan`, `watch`, `history` and the message of a run."""

from components import BatchJobArgs
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT
from tests.world import HOUR, MOVIES, solution

JOBS = [
    BatchJobArgs(input="s3://exports/in/users.json", output="s3://exports/{date}/out/"),
    BatchJobArgs(input="s3://exports/in/late.json", output="s3://exports/late/"),
]


def test_the_golden_screens_of_batch_jobs(golden):
    """A plan, a run with a batch job that is running and then fails, and the plan after it."""
    group = MOVIES.with_solutions(solution(batch_jobs=JOBS))
    with account(group, durations={"batch-inference-job": 2 * HOUR}) as prod:
        prod.pipeline.bucket.put("in/users.json", b'{"userId": "u1"}\n')
        before = prod.transcript("plan -s prod")
        run = prod.pipeline.start()
        prod.pipeline.sleep(3 * HOUR)
        during = prod.transcript("history -s prod")
        assert run.wait().status == "FAILED", "one of its batch jobs has no input"

        after = prod.transcript("history -s prod", "plan -s prod")
        prod.pipeline.bucket.put("in/late.json", b'{"userId": "u2"}\n')
        later = prod.transcript("plan -s prod")
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        at_last = prod.transcript("history -s prod --limit 1")
    message = prod.pipeline.inbox.messages[0].body
    golden("batch_jobs.txt", f"{before}\n{during}\n{after}\n{later}\n{at_last}\n{message}")


def test_a_plan_warns_of_the_results_of_a_version_that_was_rolled_back():
    group = MOVIES.with_solutions(solution(batch_jobs=JOBS[:1]))
    with account(group) as prod:
        prod.pipeline.bucket.put("in/users.json", b'{"userId": "u1"}\n')
        prod.pipeline.run()
        bad = prod.pipeline.versions()[-1]
        assert prod.retrain("rollback --yes").code == 0
        result = prod.retrain("plan -s prod --json")
    (step,) = [step for step in result.document["steps"] if step["action"] == "write"]

    assert step["reason"]["text"] == (
        f"if version, input or settings have changed by then; its last results were made by {bad}, "
        "which no campaign of the solution serves, for example because it was rolled back"
    )
