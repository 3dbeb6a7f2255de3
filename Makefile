# Two commands do everything: `make demo` and `make test`. Both set up .venv first.
.PHONY: demo test lint docs bench faults every-folder bump clean
PYTHON ?= python3

.venv/ready: pyproject.toml requirements.lock tools/setup
	@tools/setup $(PYTHON)

demo: .venv/ready
	@tools/demo

# Clusters come one at a time: two at once would measure each other's load.
REAL = tests/real tests/drivers/kind/test_real.py

test: .venv/ready
	@.venv/bin/python -m pytest tests -n 2 $(REAL:%=--ignore %)
	@.venv/bin/python -m pytest $(REAL) -v

lint: .venv/ready
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports --no-logo

docs: .venv/ready
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --group docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

bench: .venv/ready
	@.venv/bin/netproof bench

# Long: a real cluster that is disturbed while it is measured.
faults: .venv/ready
	@.venv/bin/python -m pytest tests/real/faults -m faults -v

# Long: each folder of the catalogue alone, as many workers as a run takes by itself.
every-folder: .venv/ready
	@.venv/bin/python -m pytest tests/real/test_every_folder.py -m every_folder -v -rP

# make bump CNI=calico VERSION=3.29.0
bump: .venv/ready
	@.venv/bin/python tools/bump_cni.py $(CNI) $(VERSION)

clean:
	rm -rf .venv .tox .pytest_cache .mypy_cache .ruff_cache
