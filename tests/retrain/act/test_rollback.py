"""Proves that `rollback` moves a campaign back for good, or says before it why it cannot."""

import re
import shlex

import pytest

from functions.personalize.campaigns import UNSET_VALUE
from functions.personalize.tags import (
    BLOCKED_VERSION_TAG,
    GOOD_VERSION_TAG,
    PREVIOUS_GOOD_VERSION_TAG,
    TRIAL_TAG,
    read_tags,
    write_tags,
)
from tests.retrain.in_process import account
from tests.workflow.clients import shared_clients
from tests.workflow.pipeline import NEXT_SLOT
from tests.world import HOUR, MOVIES, campaign_arn, interactions, solution, solution_arn

ARN = campaign_arn()
TWO = MOVIES.with_solutions(solution(campaigns=["home", "tv"]))
LISTED = "choose a version with --to:\n  taste/{old}: trained 2026-11-"


def tags(prod):
    return read_tags(prod.pipeline.client, ARN)


def short(arn):
    return arn.partition(":solution/")[2]


def last_part(arn):
    return arn.rpartition("/")[2]


def test_golden_a_campaign_moves_back_and_no_run_deploys_the_version_again(golden):
    with account() as prod:
        before = prod.transcript("rollback --yes")
        prod.pipeline.run()
        old, new = prod.pipeline.versions()
        after = prod.transcript("rollback", "rollback --yes", "rollback --yes")
        golden("rollback.txt", before + after)
        assert prod.pipeline.served_version() == old
        assert tags(prod).items() >= {
            (GOOD_VERSION_TAG, old),
            (BLOCKED_VERSION_TAG, new),
            (TRIAL_TAG, UNSET_VALUE),
        }
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        assert prod.pipeline.served_version() == old
        forward = prod.retrain(f"rollback --yes --to {new.rpartition('/')[2]}")
        assert prod.pipeline.served_version() == new
    assert forward.code == 0

    warning = f"warning: it was rolled back from {short(new)} before"
    assert warning in forward.err.splitlines()


def test_of_two_versions_that_were_rolled_back_neither_is_deployed_again():
    with account() as prod:
        prod.pipeline.run()
        prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        first, second, third = prod.pipeline.versions()
        prod.retrain("rollback --yes")
        assert prod.pipeline.served_version() == second

        prod.retrain(f"rollback --yes --to {last_part(first)}")
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        assert (prod.pipeline.served_version(), tags(prod)[BLOCKED_VERSION_TAG]) == (first, third)

        prod.retrain(f"rollback --yes --to {last_part(second)}")
        assert tags(prod)[BLOCKED_VERSION_TAG] == third, "it is newer than what was chosen"
        prod.retrain(f"rollback --yes --to {last_part(third)}")
        assert tags(prod)[BLOCKED_VERSION_TAG] == second, "what was chosen is wanted"


def test_a_campaign_that_serves_its_good_version_moves_to_the_one_before():
    with account() as prod:
        prod.pipeline.run()
        prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
        prod.pipeline.run(scheduledTime=NEXT_SLOT)
        _, previous, good = prod.pipeline.versions()
        assert (tags(prod)[GOOD_VERSION_TAG], tags(prod)[PREVIOUS_GOOD_VERSION_TAG]) == (
            good,
            previous,
        )
        result = prod.retrain("rollback --yes --json")
        shared_clients()["operator"].update_campaign(campaignArn=ARN, solutionVersionArn=good)
        busy = prod.retrain("rollback --yes")

    assert (result.code, result.document) == (
        0,
        {"campaignArn": ARN, "left": good, "serves": previous},
    )
    assert (busy.code, busy.err) == (
        1,
        "home is being updated; try again when this has ended, in minutes\n",
    )


@pytest.mark.parametrize(
    "options, code, reason",
    [
        ("", 2, "--campaign is missing; the campaigns of this pipeline: home, tv"),
        ("--campaign x", 2, "--campaign 'x' is unknown; the campaigns of this pipeline:"),
        (
            "--campaign tv",
            2,
            f"AWS refused DescribeCampaign: Resource Arn {campaign_arn('tv')} does",
        ),
        (
            "--campaign home",
            1,
            f"taste/0000abcd, which home served before, is no ACTIVE version any more; {LISTED}",
        ),
        ("--campaign home --to x", 2, f"'x' is not an ACTIVE version of taste; {LISTED}"),
        ("--campaign home --to {new}", 1, "home serves taste/{new} already; " + LISTED),
    ],
)
def test_a_rollback_that_cannot_work_changes_nothing_and_names_the_way_out(options, code, reason):
    with account(TWO) as prod:
        prod.pipeline.run()
        prod.pipeline.client.delete_campaign(campaignArn=campaign_arn("tv"))
        prod.pipeline.sleep(HOUR)
        write_tags(prod.pipeline.client, ARN, {GOOD_VERSION_TAG: f"{solution_arn()}/0000abcd"})
        ids = dict(zip(("old", "new"), map(last_part, prod.pipeline.versions()), strict=True))
        before = prod.pipeline.describe_campaign(), tags(prod)
        result = prod.retrain(f"rollback --yes {options.format(**ids)}")
        assert (prod.pipeline.describe_campaign(), tags(prod)) == before

    assert result.code == code
    assert result.err.startswith(reason.format(**ids)), result.err


def test_a_version_that_was_rejected_is_offered_last_and_chosen_with_a_warning():
    """Its metric is why a run rejected it, so `history` says so too."""
    with account() as prod:
        prod.pipeline.foreign_training()
        prod.pipeline.sleep(4 * HOUR)
        prod.pipeline.upload_worse_data()
        prod.pipeline.run()
        _, foreign, rejected = map(short, prod.pipeline.versions())
        listed = prod.retrain("rollback").err.splitlines()
        chosen = prod.retrain(f"rollback --to {rejected}").err.splitlines()
        others = prod.retrain(f"rollback --to {foreign}").err.splitlines()
        traced = [prod.retrain(f"history --version {name}").out for name in (rejected, foreign)]

    assert [line.split()[0] for line in listed[1:]] == [f"{foreign}:", f"{rejected}:"]
    assert [line.rpartition(", ")[2] for line in listed[1:]] == ["NDCG@10 0.4716", "was rejected"]
    reason = "NDCG@10 fell from 0.4716 to 0.0339, by more than 25%"
    warning = f"warning: it was rejected: {reason}"
    assert (chosen[1], warning in others) == (warning, False)
    relations = ["does not serve it", f"a run REJECTED it: {reason}"]
    assert [text.splitlines()[-1] for text in traced] == [
        f"campaigns     home {', '.join(relations)}",
        "campaigns     home does not serve it",
    ]


@pytest.mark.parametrize(
    "fault, error",
    [
        (
            {"fault": "fail", "reason": "no capacity"},
            "the update failed: no capacity; home still serves {new}",
        ),
        ({"fault": "hang"}, "home does not serve {old} yet; check again later"),
    ],
)
def test_an_update_that_does_not_succeed_is_reported(fault, error):
    with account() as prod:
        prod.pipeline.run()
        old, new = map(short, prod.pipeline.versions())
        prod.pipeline.inject_fault(job="campaign-update", **fault)
        result = prod.retrain("rollback --yes")

    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1] == error.format(old=old, new=new)


def test_tags_that_cannot_be_written_are_an_error_with_the_command_that_writes_them():
    with account() as prod:
        prod.pipeline.run()
        old, new = prod.pipeline.versions()
        prod.pipeline.inject_fault("error", operation="TagResource", code="AccessDeniedException")
        result = prod.retrain("rollback --yes")
        assert tags(prod)[BLOCKED_VERSION_TAG] == UNSET_VALUE
        (command,) = re.findall(r"`aws personalize tag-resource (.*)`", result.err)
        _, arn, _, *written = shlex.split(command)
        pairs = [re.fullmatch("tagKey=(.*),tagValue=(.*)", tag).groups() for tag in written]
        write_tags(prod.pipeline.client, arn, dict(pairs))
        assert tags(prod).items() >= {
            (GOOD_VERSION_TAG, old),
            (BLOCKED_VERSION_TAG, new),
            (TRIAL_TAG, UNSET_VALUE),
        }

    assert result.code == 1
    assert f"home moves, but a run may deploy {short(new)} again, because its tags" in result.err


def test_a_campaign_that_is_deleted_serves_nothing():
    with account() as prod:
        prod.pipeline.client.delete_campaign(campaignArn=ARN)
        result = prod.retrain("rollback --yes")
    status = "home is DELETE PENDING and serves nothing, so there is no version to leave"
    assert (result.code, result.err.partition(";")[0]) == (1, status)


def test_a_run_that_is_under_way_is_named_with_the_command_that_stops_it():
    with account() as prod:
        prod.pipeline.run()
        name = prod.retrain("start --json").document["runId"]
        lines = prod.retrain("rollback").err.splitlines()

    assert (
        lines[1] == f"{name} is under way and may deploy a new version; to prevent this, stop it:"
    )
    assert lines[2] == f"  retrain stop --run {name} --stack dev"
