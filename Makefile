# Everything goes through one script, so that `python3 scripts/bootstrap.py run` works where there is no make.
PYTHON ?= python3
ARGS ?=

.PHONY: help run test test-fast coverage lint format migrations requirements bench bench-data
.DEFAULT_GOAL := help

help run test test-fast coverage lint format migrations requirements bench bench-data:
	@command -v $(PYTHON) >/dev/null || { echo "StellaPromote needs Python 3.11 or newer, and $(PYTHON) was not found. Install it (Debian, Ubuntu: apt install python3 python3-venv) or name it: make $@ PYTHON=/path/to/python3"; exit 1; }
	@exec $(PYTHON) scripts/bootstrap.py $@ $(ARGS)
