# make run     what irc does, on the model in examples/
# make test    everything that is checked
# make help    the rest

SWIFT ?= swift
PREFIX ?= /usr/local
EXAMPLE ?= examples/novels-mamba
PROMPT ?= The old man

# One configuration for everything: what is tested is what is run and installed.
CONFIGURATION := -c release
IRC := .build/release/irc
FORMATTED := Package.swift Sources Plugins BuildTools Tests examples

# Written by the compiler about itself; 'make test' compares them with what it would write now.
REFERENCE := docs/reference.md
DIAGNOSTICS := docs/diagnostics.md
SCHEMAS := model pipeline scheme

export SWIFT
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build run test test-slow lint format docs check-docs results bench bench-transforms bench-gptq bench-svd bench-branch bench-fitted bench-kernels bench-models install install-built clean

help:
	@echo 'make run        build, lower the example model, compile it and let it speak'
	@echo 'make test       lint, build and run all tests'
	@echo 'make test-slow  the same, with the tests that take minutes'
	@echo 'make build      build the compiler: $(IRC)'
	@echo 'make setup      check the toolchain and install missing system libraries'
	@echo 'make lint       check the format of all Swift files'
	@echo 'make format     put all Swift files into that format'
	@echo 'make docs       write the generated reference and schemas'
	@echo 'make results    run again what the pages under docs/results show'
	@echo 'make bench      measure speed and memory of lowering a model of 1 GB'
	@echo 'make bench-transforms  measure Hadamard transforms against copying, and folding against sgemm'
	@echo 'make bench-gptq  measure GPTQ of one layer against its parts at the speed of BLAS'
	@echo 'make bench-svd  measure a randomised singular value decomposition against LAPACK'
	@echo 'make bench-branch  measure what a low-rank branch costs a compiled layer, apart and joined'
	@echo 'make bench-fitted  measure products with codebooks and binary codes, and tables of sums for the latter'
	@echo 'make bench-kernels  measure kernels against the machine, and against other libraries if .ci/bench-peers got them'
	@echo 'make bench-models  measure emitted libraries against llama.cpp on the same weights, with the Python that .ci/bench-peers made'
	@echo 'make install    install under PREFIX ($(PREFIX)); DESTDIR is put in front'
	@echo 'make clean      remove what was built'

setup:
	@.ci/setup

build: setup
	$(SWIFT) build $(CONFIGURATION) --product irc

run: build
	$(IRC) run $(EXAMPLE)/model.yaml --data $(EXAMPLE)/prose.txt \
	  --prompt '$(PROMPT)' --temperature 0.7 --seed 1

test: setup lint
	$(SWIFT) build $(CONFIGURATION) --build-tests
	@$(MAKE) --no-print-directory check-docs
	$(SWIFT) test $(CONFIGURATION) --skip-build --disable-xctest

test-slow: export IRC_SLOW_TESTS = 1
test-slow: test

lint:
	$(SWIFT) format lint --strict --recursive --parallel $(FORMATTED)

format:
	$(SWIFT) format --in-place --recursive --parallel $(FORMATTED)

# Each file is replaced only when all of it was written.
docs: build
	$(IRC) passes --markdown > $(REFERENCE).new && mv $(REFERENCE).new $(REFERENCE)
	.ci/diagnostics > $(DIAGNOSTICS).new && mv $(DIAGNOSTICS).new $(DIAGNOSTICS)
	for kind in $(SCHEMAS); do \
	  file=pipelines/$$kind.schema.json; \
	  $(IRC) schema $$kind > $$file.new && mv $$file.new $$file || exit 1; \
	done

# The pipes end with diff, so a command that fails shows as a difference.
check-docs:
	@$(IRC) passes --markdown | diff -u $(REFERENCE) - || { echo "$(REFERENCE): run 'make docs'"; exit 1; }
	@.ci/diagnostics | diff -u $(DIAGNOSTICS) - || { echo "$(DIAGNOSTICS): run 'make docs'"; exit 1; }
	@for kind in $(SCHEMAS); do \
	  file=pipelines/$$kind.schema.json; \
	  $(IRC) schema $$kind | diff -u $$file - || { echo "$$file: run 'make docs'"; exit 1; }; \
	done

# Models and data are in IRC_SHARED (../shared); what needs others than are there stays as it is.
# One page, as in make results PAGE=docs/results/transforms.md
PAGE ?=
results: build
	$(SWIFT) build $(CONFIGURATION)
	@.ci/results $(PAGE)

# Options, as in make bench BENCH='--runs 9 --pipeline rtn-w4a16'
BENCH ?=
bench: build
	$(SWIFT) run $(CONFIGURATION) --package-path Tests/Benchmarks --scratch-path .build/benchmarks \
	  lowering-benchmark --irc $(IRC) --folder .build/benchmarks/data $(BENCH)

# Runs on one thread; the number is how often, as in make bench-transforms RUNS=15
RUNS ?= 7
bench-transforms: setup
	$(SWIFT) build $(CONFIGURATION) --product transform-benchmark
	.build/release/transform-benchmark $(RUNS)

# Hidden size, size of the gated layer, windows and tokens of a window
LAYER ?= 2048 5632 32 512
bench-gptq: setup
	$(SWIFT) build $(CONFIGURATION) --product gptq-benchmark
	.build/release/gptq-benchmark $(LAYER)

# Runs on one thread, as in make bench-svd SVD_RUNS=5
SVD_RUNS ?= 3
bench-svd: setup
	$(SWIFT) build $(CONFIGURATION) --product svd-benchmark
	.build/release/svd-benchmark $(SVD_RUNS)

# Outputs, inputs and runs of a product on one thread, as in make bench-fitted FITTED='4096 4096 7'
FITTED ?= 4096 4096 7
bench-fitted: setup
	$(SWIFT) build $(CONFIGURATION) --product fitted-benchmark
	.build/release/fitted-benchmark $(FITTED)

# Channels, rank and how often, as in make bench-branch BRANCH='1024 32 400'
BRANCH ?= 4096 32 100
bench-branch: setup
	$(SWIFT) build $(CONFIGURATION) --product branch-benchmark
	.build/release/branch-benchmark $(BRANCH)

# Peers are measured where '.ci/bench-peers .build/bench-peers' has installed them; as in make bench-kernels KERNELS="--threads 2"
PEERS ?= .build/bench-peers
KERNELS ?= --threads 1
bench-kernels: build
	$(IRC) bench --suite kernels $(KERNELS) \
	  $$(if [ -x $(PEERS)/bin/python3 ]; then echo --python $(PEERS)/bin/python3; else echo --no-peers; fi)

# Options, as in make bench-models MODELS='--model ../shared/models/stories260k --schemes w8a8'
MODELS ?= --random --schemes w8a8,w4a8 --gguf Q8_0,Q4_0,Q4_K_M
bench-models: build
	$(PEERS)/bin/python3 Tests/Benchmarks/models/compare.py --irc $(IRC) $(MODELS)

install: build install-built

# Copies what is there, without building. The program tells which files plugins are compiled against, and marks them as its own.
install-built:
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/share/irc/pipelines/schemes'
	install -m 755 $(IRC) '$(DESTDIR)$(PREFIX)/bin/irc'
	install -m 644 pipelines/*.yaml pipelines/*.json '$(DESTDIR)$(PREFIX)/share/irc/pipelines'
	install -d '$(DESTDIR)$(PREFIX)/share/doc/irc'
	install -m 644 docs/*.md '$(DESTDIR)$(PREFIX)/share/doc/irc'
	install -m 644 pipelines/schemes/*.yaml '$(DESTDIR)$(PREFIX)/share/irc/pipelines/schemes'
	install -d '$(DESTDIR)$(PREFIX)/lib/cmake/irc'
	install -m 644 cmake/ircConfig.cmake '$(DESTDIR)$(PREFIX)/lib/cmake/irc'
	$(IRC) plugin kit '$(DESTDIR)$(PREFIX)/lib/irc' --quiet

clean:
	rm -rf .build build $(EXAMPLE)/build
