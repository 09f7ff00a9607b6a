# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every gate and every step of the pipelines is a target here. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Set on some machines; without byte code each Ansible task imports its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
BIN := $(abspath $(VENV))/bin
PY := $(BIN)/python
export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build
export ANSIBLE_DEVEL_WARNING := False
export NO_COLOR ?= 1

STAGE := $(CURDIR)/.build/staged
STAGED := $(STAGE)/ansible_collections/polycloud/ollama
# On two cores: tests wait for servers as much as they compute, and the sweep does little else.
WORKERS ?= 3
SWEEPERS ?= 8
UNITS ?= tests/unit
REAL ?= tests
INTEGRATION ?= tests --ignore=tests/unit
# What the type checker holds strictly: the code that modules share, and the tools of the tests.
TYPED := plugins/module_utils roles/image/files/sidecar/ollama_sidecar tests/tools tests/helpers
# A playbook run. What a pipeline takes from its user (INVENTORY, CLOUD, LIMIT) reaches the shell as environment and is
# expanded there, in quotes, never by make. ARGS is for a person at a terminal.
export INVENTORY ?= inventory/example
PLAY = $(BIN)/ansible-playbook -i "$$INVENTORY" --limit "$${CLOUD:-all}$${LIMIT:+:&$$LIMIT}"
ARGS ?=

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z-]*:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\nSettings: PYTHON=3.11 or a path (setup), GALAXY=1 (setup), WORKERS=3 (tests), INVENTORY= CLOUD= LIMIT= ARGS= (playbooks)\n'

##@ Start here

.PHONY: setup
setup: environment ## Make the environment and show what it holds (GALAXY=1: collections from the galaxy server)
ifeq ($(GALAXY),1)
	$(BIN)/ansible-galaxy collection install -r requirements.yml -p .build/galaxy
endif
	@$(PY) -m tests.tools.versions $(if $(filter 1,$(GALAXY)),--galaxy .build/galaxy)

.PHONY: demo
demo: environment-demo ## Deploy to four emulated targets, converge again, stop, start, break a release, watch it roll back
	@$(PY) -m tests.demo $(ARGS)

.PHONY: sandbox
sandbox: environment-demo ## Keep the emulated clouds up and print the exports that point any tool at them
	@$(PY) -m tests.sandbox up $(ARGS)

.PHONY: test
test: environment ## All gates without real components, fast ones first
	@$(PY) -m tests.tools.run_gates test

.PHONY: test-real
test-real: environment ## Tests with real components; CI=true turns a skip into a failure
	@$(PY) -m tests.tools.run_gates real

.PHONY: lint
lint: lint-fast docs-lint ansible-lint ## Every linter

.PHONY: bench
bench: environment ## Run the benchmarks, write benchmarks/results.json and benchmarks/RESULTS.md
	@PYTHONPATH=.build $(PY) -m benchmarks $(ARGS)

.PHONY: docs
docs: stage ## Build the HTML documentation into build/docs
	@ANSIBLE_COLLECTIONS_PATH=$(STAGE) tests/tools/build-docs.sh

.PHONY: test-the-tests
test-the-tests: environment ## Show each gate a bad fixture; it must fail there (GATE=name for one)
	@$(PY) -m tests.tools.try_gates $(GATE)

.PHONY: build
build: environment-demo ## Build the collection tarball into build/dist
	@rm -rf build/dist && mkdir -p build/dist
	@$(BIN)/ansible-galaxy collection build --force --output-path build/dist

.PHONY: clean
clean: ## Remove everything that was built; CLEAN_VENV=1 removes the environment too
	rm -rf .build build tests/output collections .mypy_cache .ruff_cache .pytest_cache .hypothesis $(if $(CLEAN_VENV),$(VENV))
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

##@ Single gates

.PHONY: lint-fast
lint-fast: yamllint ruff types reuse changelog-lint ## The linters that take seconds

.PHONY: yamllint
yamllint: environment ## YAML style
	@$(BIN)/yamllint --strict .

.PHONY: ruff
ruff: environment ## Python style, layout and likely bugs
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . || { echo "make format mends the layout"; exit 1; }

.PHONY: format
format: environment ## Let ruff lay out the Python and mend what it safely can
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .

.PHONY: types
types: environment ## mypy --strict on the code that modules share, and on the tools
	@tests/tools/types.sh $(TYPED)

.PHONY: reuse
reuse: environment ## A licence and a copyright for every file
	@$(BIN)/reuse --suppress-deprecation lint --quiet || $(BIN)/reuse --suppress-deprecation lint

.PHONY: changelog-lint
changelog-lint: environment ## Changelog fragments
	@$(BIN)/antsibull-changelog lint

.PHONY: docs-lint
docs-lint: stage ## Documentation of plugins and roles, their links and references
	@# The ceiling: it asks git for the files of the installed collections, and git would say that it ignores them all.
	@cd $(STAGED) && GIT_CEILING_DIRECTORIES=$(CURDIR) ANSIBLE_COLLECTIONS_PATH=$(STAGE) $(BIN)/antsibull-docs \
		lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs dependent .

.PHONY: units
units: environment ## Unit tests (UNITS=path for some)
	@$(BIN)/pytest $(UNITS) -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

.PHONY: integration
integration: environment ## Tests against the emulated clouds (INTEGRATION=path for some)
	@$(BIN)/pytest $(INTEGRATION) -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

.PHONY: contract
contract: environment ## The behaviours that every platform must show
	@$(BIN)/pytest tests -k contract -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

.PHONY: engine
engine: ## Build the real Ollama that the real tests run (Go, g++; some minutes, once)
	@tests/tools/engine.sh .build/engine

.PHONY: scanners
scanners: ## Build the real Trivy and cosign that the real tests run (Go; some minutes, once)
	@tests/tools/scanners.sh .build/scanners

.PHONY: docker-compose
docker-compose: ## Build the real Docker Compose that the real tests run (Go; some minutes, once)
	@tests/tools/docker-compose.sh .build/compose

.PHONY: litellm
litellm: ## Install the peer of the benchmark B4 into an environment of its own
	@mkdir -p .build && PYTHON="$(PYTHON)" tests/tools/setup.sh litellm .build/litellm

.PHONY: real-tests
real-tests: environment ## The tests marked real (REAL=path for some)
	@$(BIN)/pytest $(REAL) -m real $(PYTEST_ARGS)

.PHONY: sweep
sweep: environment ## Break a run at every call, in each way, and heal it (figures in build/faults; PYTEST_ARGS="-k ecs")
	@$(BIN)/pytest tests/faults -m sweep -n $(SWEEPERS) $(PYTEST_ARGS)

.PHONY: ansible-lint
ansible-lint: environment ## ansible-lint, profile production
	@ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.build:$$($(PY) -m tests.tools.stage --site-packages) $(BIN)/ansible-lint --strict

.PHONY: stage
stage: environment ## Copy the collection to where ansible-test wants it
	@$(PY) -m tests.tools.stage >/dev/null

.PHONY: sanity
sanity: stage ## ansible-test sanity, without an ignore file (SANITY_ARGS="--test validate-modules")
	@tests/tools/sanity.sh $(SANITY_ARGS)

.PHONY: molecule
molecule: environment ## Role scenarios against the sandbox (SCENARIO=name for one)
	@$(PY) -m tests.sandbox run -- $(PY) -m tests.tools.run_molecule $(SCENARIO)

.PHONY: importer
importer: build ## Galaxy's own importer on the built tarball
	@tests/tools/importer.sh

.PHONY: jenkins
jenkins: environment ## The pipeline's tests, the real Groovy included
	@$(BIN)/pytest tests/unit/jenkins -m "real or not real" $(PYTEST_ARGS)

##@ Running deployments

# The image is made where Ansible runs, which --limit would leave out.
IMAGE_PLAY = $(BIN)/ansible-playbook -i "$$INVENTORY"

.PHONY: image plan deploy validate promote fallback stop start rollback teardown
image: environment-demo ## Build the image and push it (its variables: ARGS="-e @image.yml")
	@$(IMAGE_PLAY) playbooks/build.yml $(ARGS)
plan: environment-demo ## Show what a deployment would change; kept in build/plan (INVENTORY=… CLOUD=aws LIMIT=pattern)
	@mkdir -p build/plan
	@$(PLAY) playbooks/site.yml --check --diff $(ARGS) | tee "build/plan/$${CLOUD:-all}.txt"
deploy: environment-demo ## Bring the targets to what the inventory says
	@$(PLAY) playbooks/site.yml --diff $(ARGS)
validate: environment-demo ## Send a real prompt to every target
	@$(PLAY) playbooks/validate.yml $(ARGS)
promote: environment-demo ## Let the tag stable mean the image that was built and has passed validate
	@$(IMAGE_PLAY) playbooks/promote.yml --diff $(ARGS)
fallback: environment-demo ## Let the tag stable mean the image before
	@$(IMAGE_PLAY) playbooks/fallback.yml --diff $(ARGS)
stop: environment-demo ## Stop the targets
	@$(PLAY) playbooks/stop.yml $(ARGS)
start: environment-demo ## Start the targets
	@$(PLAY) playbooks/start.yml $(ARGS)
rollback: environment-demo ## Go back to the good release before the one that runs
	@$(PLAY) playbooks/rollback.yml $(ARGS)
teardown: environment-demo ## Remove what the collection made
	@$(PLAY) playbooks/teardown.yml $(ARGS)

##@ Maintenance

.PHONY: environment environment-demo
environment:
	@PYTHON="$(PYTHON)" tests/tools/setup.sh dev $(VENV)
environment-demo:
	@PYTHON="$(PYTHON)" tests/tools/setup.sh demo $(VENV)

.PHONY: lock
lock: ## Resolve requirements/*.in anew (needs uv)
	@tests/tools/lock.sh $(ARGS)

.PHONY: changelog
changelog: environment ## Write CHANGELOG.rst from the fragments and plugins, for the version in galaxy.yml
	@$(BIN)/antsibull-changelog release --update-existing --reload-plugins
