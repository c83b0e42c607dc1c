"""Plans a run: reads Personalize and S3 once, checks the guards, and decides on the jobs.

`snapshot.py` sends all requests. A *view* combines the snapshot and the settings of a dataset, a
solution or the run. Guards and planning read what they need from its properties.
"""
