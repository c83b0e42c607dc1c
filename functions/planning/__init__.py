"""Plans a run: reads the services once, applies the guards, and names the jobs."""
