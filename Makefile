# The portal's commands. `make` alone lists them. Everything else is in bootstrap, manage.py and .ci/run.

VENV := $(if $(PORTAL_VENV),$(PORTAL_VENV),.venv)
PY := "$(VENV)/bin/python"
PYTEST := $(PY) -m pytest -n auto --dist worksteal
ARGS ?=

# Without compiled files every start takes seconds more; foreign paths would bring other packages than the locked ones.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help run test test-postgres test-slow check format lock clean
.NOTPARALLEL:

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 22

run: ## run the portal (PORT and PORTAL_VAR move it)
	@./bootstrap && exec $(PY) manage.py up

test: ## the test suite on SQLite (ARGS="-k words" picks some)
	@./bootstrap dev
	@$(PYTEST) -m "not slow" $(ARGS)

test-postgres: ## the same on PostgreSQL (PORTAL_TEST_DATABASE_URL, else a server of its own)
	@./bootstrap dev
	@$(PY) -m portal.embedded.postgres $(PYTEST) -m "not slow and not machine" $(ARGS)

test-slow: ## the slow tests, on both databases
	@./bootstrap dev
	@$(PYTEST) -m slow $(ARGS)
	@$(PY) -m portal.embedded.postgres $(PYTEST) -m "slow and not machine" $(ARGS)

check: ## format, lint, types, layers, templates, migrations, production settings
	@./bootstrap dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy portal devices merchants pki twofa
	$(PY) -c "from importlinter.cli import lint_imports_command as run; run()"
	$(PY) -m djlint --check --lint --quiet templates
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) -m portal.embedded.sample_production $(PY) manage.py check --deploy --fail-level WARNING

format: ## rewrite code and templates in the project's format
	@./bootstrap dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) -m djlint --reformat --quiet templates

# The locks serve every platform and Python from 3.12 on. UPGRADE=1 takes newer releases within the ranges of the .in files.
COMPILE = "$(VENV)/bin/uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --system-certs \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: ## write the lock files from requirements*.in (UPGRADE=1 takes newer releases)
	@./bootstrap
	$(COMPILE) requirements-bootstrap.in -o requirements-bootstrap.txt
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

clean: ## remove the virtual environment and what tools leave behind; keeps var/
	rm -rf "$(VENV)" .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
