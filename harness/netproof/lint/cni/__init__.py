"""What lint knows of a CNI: its profile from `clusters/` (profiles.py), and the rules about it (rules.py)."""
