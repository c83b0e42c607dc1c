"""Proves that no run deploys to a pinned campaign, and that the next run after `unpin` does."""

from functions.personalize.campaigns import UNSET_VALUE
from functions.personalize.tags import PIN_TAG, read_tags, write_tags
from tests.retrain.in_process import CALLER, account
from tests.workflow.pipeline import NEXT_SLOT
from tests.workflow.summaries import outcomes
from tests.world import HOUR, MOVIES, campaign_arn, interactions, solution

ARN = campaign_arn()
TWO = MOVIES.with_solutions(solution(campaigns=["home", "tv"]))
PIN = f"pinned since 2026-11-29 05:08 UTC by {CALLER}"
SKIPPED = {"interactions": "IMPORTED", "taste": "SKIPPED", "home": "SKIPPED"}


def test_golden_runs_train_and_judge_and_leave_a_pinned_campaign_alone(golden):
    with account() as prod:
        prod.pipeline.run()
        first = prod.pipeline.served_version()
        pinned = prod.transcript("pin", "pin --json", "rollback")
        prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
        planned = prod.transcript("plan")
        execution = prod.pipeline.run(scheduledTime=NEXT_SLOT)
        prod.pipeline.sleep(HOUR)
        again = prod.transcript("plan", "history --limit 1")
        assert "\n  retrain unpin --campaign home --stack dev\n" in prod.retrain("doctor").out

        lineage = prod.transcript(f"history --version {first.rpartition('/')[2]}")
        golden("pin.txt", f"{pinned}\n{planned}\n{again}\n{lineage}")
        message = prod.pipeline.inbox.messages[-1].body
        assert len(prod.pipeline.versions()) == 3, "the run has trained"
        assert (outcomes(execution), prod.pipeline.served_version()) == (SKIPPED, first)
        assert "`retrain unpin --campaign home --state-machine-arn arn:" in message
        assert (
            f"is pinned since 2026-11-29 05:08 UTC by {CALLER}, so runs deploy nothing" in message
        )
        assert read_tags(prod.pipeline.client, ARN)[PIN_TAG] == PIN.removeprefix("pinned ")

        golden("unpin.txt", prod.transcript("unpin", "unpin --json"))
        prod.pipeline.machine.start({}).wait()
        assert prod.pipeline.served_version() == prod.pipeline.versions()[-1], "it has waited"
        assert read_tags(prod.pipeline.client, ARN)[PIN_TAG] == UNSET_VALUE


def test_any_value_of_the_tag_pins_a_campaign_and_a_pin_keeps_its_time():
    with account(TWO) as prod:
        write_tags(prod.pipeline.client, ARN, {PIN_TAG: "by the film festival"})
        unnamed = prod.retrain("pin")
        kept = prod.retrain("pin --campaign home")
        other = prod.retrain("unpin --campaign tv --json")
        unknown = prod.retrain("unpin --campaign film")
    names = "the campaigns of this pipeline: home, tv\n"

    assert (unnamed.code, unnamed.err) == (2, f"--campaign is missing; {names}")
    assert (kept.code, kept.out) == (0, "home is pinned by the film festival\n")
    assert other.document == {"campaignArn": campaign_arn("tv"), "pin": None}
    assert (unknown.code, unknown.err) == (2, f"--campaign 'film' is unknown; {names}")
