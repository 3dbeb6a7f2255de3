"""Three matrices in, verdicts out: intended, specified and measured meet here, on a cluster or on paper."""
