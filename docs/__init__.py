"""Pictures of the pipeline, drawn from its code."""
