# make serve            create .venv, install, serve http://127.0.0.1:5000 (make serve ARGS="--port 8080")
# make test             run the tests, under 4 minutes
# make test-all         run all tests, the long ones too
# make lint             check format, lint and types
# make docs             regenerate the tables in the documents from the code
# make translations     collect and compile the pages' strings
# make lock             pin the newest versions of the dependencies in requirements.lock
# make vendor           copy the pages' libraries at the versions in webui/frontend/package-lock.json

SUITS = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)
PIP = .venv/bin/python -m pip --disable-pip-version-check --quiet install --constraint requirements.lock
COMPILED = hatch_build.py $(wildcard zoo/compiled/*.pyx)

.PHONY: serve test test-all lint docs lock translations vendor
.DELETE_ON_ERROR:

serve: .venv/serve.done
	.venv/bin/zoo serve $(ARGS)

test: .venv/test.done
	.venv/bin/pytest -m "not long" --numprocesses 2 --dist loadfile $(ARGS)

test-all: .venv/test.done
	.venv/bin/pytest $(ARGS)

lint: .venv/test.done
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	PATH=.venv/bin:$$PATH cython-lint zoo/compiled
	.venv/bin/mypy

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "The zoo needs Python 3.11, 3.12 or 3.13: install one, or name it: make serve PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/serve.done: pyproject.toml requirements.lock $(COMPILED) | .venv/bin/python
	@echo "installing (once)"
	@$(PIP) --editable .
	@touch $@

.venv/test.done: pyproject.toml requirements.lock $(COMPILED) | .venv/bin/python
	@echo "installing what the tests need, TensorFlow included (once)"
	@$(PIP) --editable '.[train,test]'
	@touch $@ .venv/serve.done

# Needs uv (pip install uv). With --universal one file serves Python 3.11 to 3.13 on every system.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --all-extras --upgrade \
	  --no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml

docs: .venv/test.done
	.venv/bin/python tests/tables.py

translations: .venv/test.done
	@mkdir -p .zoo
	.venv/bin/pybabel --quiet extract -k lazy_gettext -F webui/translations/babel.cfg -o .zoo/messages.pot webui
	.venv/bin/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete -l pt_BR -i .zoo/messages.pot -d webui/translations
	.venv/bin/pybabel --quiet compile -d webui/translations

# Needs npm.
vendor:
	$(PYTHON) webui/frontend/vendor.py
