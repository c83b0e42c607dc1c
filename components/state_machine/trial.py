"""The states that finish the trial of a version on a campaign: watch, probe, keep or roll back."""

from collections.abc import Mapping

import pulumi

from .asl import States, call, choose, end_with, wait, watch

TRIAL_RESULTS: Mapping[str, object] = {
    "probing": None,
    "rollback": None,
    "rollbackProbing": None,
    "trialEnd": None,
    "error": None,
}
"""The results of the states, before the first of them has run."""
UPDATING_PAUSE_SECONDS = 60
"""The pause after a probe that found an update running. If the function that watches the update
fails at once, the states would run in a circle without it, and use up the events of the history."""


def finish_trial(
    functions: Mapping[str, pulumi.Input[str]],
    *,
    result: Mapping[str, object],
    of_earlier_run: bool = False,
) -> States:
    """Return the states from `Has the campaign update ended?` to the three ends of an iteration.

    The document has the update to the version on trial at `$.update`, and TRIAL_RESULTS. Every
    error before the probe leads to the probe, and an error of the probe leads to the rollback,
    because the version on trial may be served.

    Args:
        functions: the ARN of the function of each step.
        result: the parameters of the output of the iteration, besides its outcome.
        of_earlier_run: True if an earlier run has begun the trial. The states have other names
            then, because names are unique in a state machine.
    """
    on_trial = " on trial" if of_earlier_run else ""
    campaign = f"campaign{on_trial}"
    trial = "unfinished trial" if of_earlier_run else "trial"
    return {
        **watch(
            f"campaign update{on_trial}",
            function=functions["watch_campaign_update"],
            job="$.update",
            on_active=f"Probe {campaign}",
            on_failed=f"Probe {campaign}",
            on_phase={"OVERDUE": f"Campaign{on_trial} not updated"},
        ),
        f"Probe {campaign}": call(
            functions["probe_campaign"],
            result_path="$.probing",
            next_state=f"Does the {campaign} serve well?",
            on_error=f"Roll back {campaign}",
        ),
        f"Does the {campaign} serve well?": choose(
            "$.probing.phase",
            {
                "PASSED": f"End {trial}",
                "MOVED": f"End {trial}",
                "UPDATING": f"Wait to watch campaign update{on_trial}",
                "NEAR": f"Probe {campaign}",
            },
            default=f"Roll back {campaign}",
        ),
        f"Wait to watch campaign update{on_trial}": {
            "Type": "Wait",
            "Seconds": UPDATING_PAUSE_SECONDS,
            "Next": f"Watch campaign update{on_trial}",
        },
        f"Roll back {campaign}": call(
            functions["roll_back_campaign"],
            result_path="$.rollback",
            next_state=f"Has the rollback{on_trial} ended?",
            on_error=f"Campaign{on_trial} not updated",
        ),
        **watch(
            f"rollback{on_trial}",
            function=functions["watch_campaign_update"],
            job="$.rollback",
            on_active=f"Probe {campaign} after rollback",
            on_failed=f"Campaign{on_trial} not updated",
            on_phase={
                "AGAIN": f"Wait to roll back{on_trial}",
                "ENDED": f"End {trial}",
                "SKIPPED": f"End {trial}",
                "OVERDUE": f"Campaign{on_trial} not updated",
            },
        ),
        f"Wait to roll back{on_trial}": wait(
            "$.rollback.seconds", next_state=f"Roll back {campaign}"
        ),
        f"Probe {campaign} after rollback": call(
            functions["probe_campaign"],
            result_path="$.rollbackProbing",
            next_state=f"Does the {campaign} serve well again?",
            on_error=f"End {trial}",
        ),
        f"Does the {campaign} serve well again?": choose(
            "$.rollbackProbing.phase",
            {
                "NEAR": f"Probe {campaign} after rollback",
                "UPDATING": f"Watch rollback{on_trial}",
                "MOVED": f"Roll back {campaign}",
            },
            default=f"End {trial}",
        ),
        f"End {trial}": call(
            functions["end_trial"],
            result_path="$.trialEnd",
            next_state=f"How did the {trial} end?",
            on_error=f"Campaign{on_trial} not updated",
        ),
        f"How did the {trial} end?": choose(
            "$.trialEnd.outcome",
            {
                "DEPLOYED": f"Campaign{on_trial} updated",
                "ROLLED_BACK": f"Campaign{on_trial} rolled back",
            },
            default=f"Campaign{on_trial} not updated",
        ),
        f"Campaign{on_trial} updated": end_with({**result, "outcome": "DEPLOYED"}),
        f"Campaign{on_trial} rolled back": end_with({**result, "outcome": "ROLLED_BACK"}),
        f"Campaign{on_trial} not updated": end_with({**result, "outcome": "FAILED"}),
    }
