"""The harness about itself: benchmarks, planted faults, coverage of the API. No run imports this package."""
