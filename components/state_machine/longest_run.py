"""How long an execution takes if each of its stages takes as long as its deadline allows."""

from ..args import SECONDS_PER_HOUR, RetrainingPipelineArgs

SPARE_HOURS = 2
"""Hours of an execution for everything except jobs and probes. A training that is stopped takes at
most one hour (`functions/personalize/trainings.py`), and so does the report
(`definition.REPORT_ATTEMPTS`)."""
LONGEST_TRIAL_HOURS = 24
"""A run gives up a trial after this time (`functions/rules/deployments.py`)."""


def execution_timeout_seconds(args: RetrainingPipelineArgs) -> int:
    """Return the seconds after which Step Functions ends an execution that is still running.

    This is the longest time of all stages together and SPARE_HOURS more, so it ends only an
    execution whose functions could not enforce the deadlines of its stages.

    Before it plans anything, a run waits for an older run, and then it finishes the trials that
    earlier runs have left. So the time of a trial counts twice.
    """
    limits, trial_hours = args.limits, _trial_hours(args)
    hours = args.overlap_hours + trial_hours
    # An import may wait for a free slot until its deadline, and then run until the deadline.
    hours += 2 * limits.max_import_hours
    # A training may first wait for imports that the run did not start, or for a free slot.
    hours += max(limits.max_import_hours, limits.max_training_hours) + limits.max_training_hours
    if trial_hours:
        # A campaign may first be busy, and then refuse the update.
        hours += 2 * limits.max_campaign_hours + trial_hours
    return round((hours + SPARE_HOURS) * SECONDS_PER_HOUR)


def _trial_hours(args: RetrainingPipelineArgs) -> float:
    """Return the hours of the longest trial, or 0 if there is no campaign.

    Trials of several campaigns run at the same time.
    """
    has_campaign = any(solution.campaigns for solution in args.solutions)
    return LONGEST_TRIAL_HOURS if has_campaign else 0
