"""Proves that `rollback` moves a campaign back for good, or says before it why it cannot."""

import pytest

from functions.personalize.campaigns import NONE
from functions.personalize.tags import BAD, GOOD, PREVIOUS, TRIAL, tags_of, write_tags
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT
from tests.world import HOUR, MOVIES, campaign, campaign_arn, interactions, solution, solution_arn

ARN = campaign_arn()


def tags(prod):
    return tags_of(prod.pipeline.client, ARN)


def short(arn):
    return arn.partition(":solution/")[2]


def test_golden_a_campaign_moves_back_and_no_run_deploys_the_version_again(golden):
    with account() as prod:
        before = prod.transcript("rollback --yes")
        prod.pipeline.run()
        old, new = prod.pipeline.versions()
        after = prod.transcript("rollback", "rollback --yes", "rollback --yes")
        golden("rollback.txt", before + after)
        assert prod.pipeline.served_version() == old
        assert (tags(prod)[GOOD], tags(prod)[BAD], tags(prod)[TRIAL]) == (old, new, NONE)
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        assert prod.pipeline.served_version() == old
        forward = prod.retrain(f"rollback --yes --to {new.rpartition('/')[2]}")
        assert prod.pipeline.served_version() == new
    assert forward.code == 0
    warning = f"warning: it was moved back from {short(new)} before, so it may answer badly again"
    assert warning in forward.err.splitlines()


def test_a_campaign_that_serves_its_good_version_moves_to_the_one_before():
    with account() as prod:
        prod.pipeline.run()
        prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        _, previous, good = prod.pipeline.versions()
        assert (tags(prod)[GOOD], tags(prod)[PREVIOUS]) == (good, previous)
        result = prod.retrain("rollback --yes --no-wait --json")
        busy = prod.retrain("rollback --yes")
    assert (result.code, result.document) == (
        0,
        {"campaignArn": ARN, "left": good, "movesTo": previous, "serves": good},
    )
    assert (busy.code, busy.err) == (
        1,
        "home is being updated; try again when this has ended, in minutes\n",
    )


def recreated(prod):
    write_tags(prod.pipeline.client, ARN, {GOOD: f"{solution_arn()}/0000abcd"})


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        ("", 1, "taste/0000abcd, which home served before, is no ACTIVE version any more"),
        ("--to x", 2, "'x' is not an ACTIVE version of taste"),
        ("--to {new}", 1, "home serves taste/{new} already"),
        ("--campaign x", 2, "--campaign 'x' is unknown; the campaigns of this pipeline are home"),
    ],
)
def test_a_rollback_that_cannot_work_changes_nothing_and_names_the_way_out(options, code, reason):
    with account() as prod:
        prod.pipeline.run()
        recreated(prod)
        old, new = (arn.rpartition("/")[2] for arn in prod.pipeline.versions())
        before = prod.pipeline.describe_campaign(), tags(prod)
        result = prod.retrain(f"rollback --yes {options.format(new=new)}")
        assert (prod.pipeline.describe_campaign(), tags(prod)) == before
    way_out = "" if "--campaign" in options else f"; choose a version with --to: taste/{old}"
    assert (result.code, result.err) == (code, f"{reason.format(new=new)}{way_out}\n")


def test_of_several_campaigns_one_has_to_be_named():
    two = MOVIES.with_solutions(solution(campaigns=[campaign("home"), campaign("app")]))
    with account(two) as prod:
        result = prod.retrain("rollback --yes")
    assert (result.code, result.err) == (
        2,
        "--campaign is missing; the campaigns of this pipeline are home, app\n",
    )


def test_a_campaign_that_does_not_exist_any_more_is_named():
    with account() as prod:
        prod.pipeline.client.delete_campaign(campaignArn=ARN)
        prod.pipeline.sleep(HOUR)
        result = prod.retrain("rollback --yes")
    assert (result.code, result.err) == (2, f"{ARN} does not exist; correct the stack's config\n")


def test_a_failed_update_is_reported_with_what_the_campaign_serves():
    with account() as prod:
        prod.pipeline.run()
        _, new = prod.pipeline.versions()
        prod.pipeline.inject_fault("fail", job="campaign-update", reason="no capacity")
        result = prod.retrain("rollback --yes")
    assert (result.code, result.out) == (1, "")
    last = result.err.splitlines()[-1]
    assert last == f"the update failed: no capacity; home still serves {short(new)}"


def test_an_update_that_takes_too_long_is_reported():
    with account() as prod:
        prod.pipeline.run()
        old, _ = prod.pipeline.versions()
        prod.pipeline.inject_fault("hang", job="campaign-update")
        result = prod.retrain("rollback --yes")
    assert result.code == 1
    last = result.err.splitlines()[-1]
    assert last == f"home does not serve {short(old)} yet; check again later"


def test_tags_that_cannot_be_written_are_an_error_with_the_command_that_writes_them():
    with account() as prod:
        prod.pipeline.run()
        _, new = prod.pipeline.versions()
        prod.pipeline.inject_fault("error", operation="TagResource", code="AccessDeniedException")
        result = prod.retrain("rollback --yes")
    assert result.code == 1
    assert f"home moves, but a run may deploy {short(new)} again, because its tags" in result.err
    assert f"`aws personalize tag-resource --resource-arn {ARN} --tags tagKey=" in result.err


def test_a_run_that_is_under_way_is_named_with_the_command_that_stops_it():
    with account() as prod:
        prod.pipeline.run()
        name = prod.retrain("start --json").document["name"]
        lines = prod.retrain("rollback").err.splitlines()
    assert (
        lines[1] == f"{name} is under way and may deploy a new version; to prevent this, stop it:"
    )
    assert lines[2] == f"  retrain stop --run {name} --stack dev"
