# Every target makes the environment it needs (.venv) first. Python 3.11 or later is all that must be there.
.PHONY: demo test test-long check install clean

demo: install
	scripts/demo

test: install
	scripts/test

test-long: install
	scripts/test --long

check: install
	scripts/check

install:
	scripts/install

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache runs/demo
