"""Creates, polls, judges and stops the jobs of Amazon Personalize, and moves campaigns."""
