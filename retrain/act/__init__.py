"""Changes something: a stack file, a run, a campaign, an alarm."""
