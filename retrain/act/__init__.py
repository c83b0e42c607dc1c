"""The commands that change something: a stack file, a run, a campaign or an alarm."""
