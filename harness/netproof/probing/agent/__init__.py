"""The agent: all that runs in a pod. Standard library only, Python 3.9+. See protocol.md beside it.

It neither judges nor retries: it says what each probe saw. It answers only those who know the run's token. It travels
as one file, which `bundle.py` beside it makes, and imports nothing from outside this folder.
"""
