"""Proves that the commands name the deletion of users, and that a rollback warns of it."""

from tests.retrain.in_process import account
from tests.world import HOUR


def test_golden_plan_history_and_rollback_after_a_deletion(golden):
    with account(durations={"data-deletion-job": HOUR}) as prod:
        prod.pipeline.run()
        prod.pipeline.delete_users("u1")
        deleting = prod.transcript("plan -s prod")
        prod.pipeline.sleep(HOUR)
        deleted = prod.transcript("plan -s prod")
        prod.pipeline.machine.start({}).wait()
        prod.pipeline.inject_fault("deny", operation="ListDataDeletionJobs")
        unknown = prod.retrain("rollback -s prod")
        rolled_back = prod.transcript("history -s prod --limit 1", "rollback -s prod --yes")
    golden("deletions.txt", f"{deleting}\n{deleted}\n{rolled_back}")
    warning = "warning: it is not known whether users were deleted since its training"

    assert warning in unknown.err, "a rollback is urgent, so it goes on"
