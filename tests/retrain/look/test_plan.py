"""Proves that `retrain plan` says what a run would do, and changes nothing."""

from components.args import ProbeArgs
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT
from tests.world import MOVIES, campaign, solution


def test_golden_transcripts_of_plans(golden):
    """The first plan, a plan with a changed export, and one of a run that would be skipped."""
    with account(MOVIES) as prod:
        first = prod.transcript("plan", "plan --json")
        prod.pipeline.run()
        skipped = prod.transcript("plan", "plan --skip-import --force", "plan --dataset item")
        prod.pipeline.upload_worse_data()
        worse = prod.transcript("plan")
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        rejected = prod.transcript("plan")
    golden("plan.txt", "\n".join([first, skipped, worse, rejected]))
