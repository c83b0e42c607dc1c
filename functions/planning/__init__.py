"""Plans a run: reads Personalize and S3 once, checks the guards, and decides on the jobs.

All requests are in `snapshot.py`. A *view* is a dataset, a solution or the
run, together with the settings and the snapshot. It answers what the guards and the plan ask.
"""
