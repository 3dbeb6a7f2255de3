# Two commands do everything: `make demo` and `make test`. Both set up .venv first.
.PHONY: demo test lint bench clean
PYTHON ?= python3

.venv/ready: pyproject.toml requirements.lock tools/setup
	@tools/setup $(PYTHON)

demo: .venv/ready
	@tools/demo

test: .venv/ready
	@.venv/bin/python -m pytest tests -n 2 --dist loadgroup

lint: .venv/ready
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench: .venv/ready
	@.venv/bin/netproof bench

clean:
	rm -rf .venv .tox .pytest_cache .mypy_cache .ruff_cache
