"""Probe pods on any cluster that a Kubernetes API server answers for. Makes and removes no cluster."""
