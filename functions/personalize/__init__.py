"""Jobs and campaigns of Amazon Personalize: created, watched, judged, and moved back."""
