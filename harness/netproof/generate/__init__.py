"""Generated scenarios: valid policies by weight and seed, on topologies of the catalogue, held against the evaluator on
any driver. Only `strategies` and what builds on it import hypothesis, so a run without `--generate` never loads it."""
