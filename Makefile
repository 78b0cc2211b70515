# podreap: make demo shows it, make test checks it. Both need root, and install the packages that they miss.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

SWIFT ?= swift
# Options for every build, for example SWIFTFLAGS="-j 2".
SWIFTFLAGS ?=
# What tests run in: mounts that they make are seen by nobody else, and go when they end.
PRIVATE_NAMESPACE ?= unshare --mount --propagation private --
# Which test targets to run, for example TESTS="HelperTests PodRemovalTests"; all where it is empty.
TESTS ?=
# Options of the demo, such as --workloads 5.
DEMOFLAGS ?=
# Which part of the benchmark to run, for example BENCHFLAGS="--parts removals --rounds 5 --workloads 1 3"; without any, all of it,
# and Tests/Benchmark/results.md is written anew.
BENCHFLAGS ?=

# A scratch path for each way of building: none undoes another's work.
DEBUG := $(CURDIR)/.build
STATIC := $(CURDIR)/.build-release
EMBEDDED := $(CURDIR)/.build-helper
BENCH := $(CURDIR)/.build-bench
FLOOR := $(BENCH)/floor
# The file system of the node on which packages are tested.
NODE_IMAGE := $(CURDIR)/.build-node/image
# The same for Debian's next release.
NEXT := $(CURDIR)/.build-node/trixie

# Where make install puts things. The helper's policy is always /etc/podreap/helper.conf: that place is compiled in.
DESTDIR ?=
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/podreap
LICENSEDIR ?= $(DOCDIR)
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
export DESTDIR PREFIX SBINDIR LIBEXECDIR SYSCONFDIR UNITDIR SYSUSERSDIR TMPFILESDIR MANDIR DOCDIR LICENSEDIR BASHDIR ZSHDIR FISHDIR

# The programs as they are shipped, stripped. Tests and the demo take the helper from PODREAP_HELPER.
HELPER := $(EMBEDDED)/podreap-helper
PODREAP := $(STATIC)/podreap
PODREAPD := $(STATIC)/podreapd
RESCUE := $(STATIC)/podreap-rescue
CRI_MESSAGES := Sources/CRIMessages
# Equal bytes wherever it is built: no place of this tree in the programs, and no hash of the command line (.swift_modhash).
REPRODUCIBLE := -debug-info-format none -Xswiftc -file-prefix-map -Xswiftc $(CURDIR)=. -Xcc -ffile-prefix-map=$(CURDIR)=. \
    -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen
# A static Swift runtime has every symbol exported: nobody looks one up, but the loader reads them all. Relocations are packed (DT_RELR)
# where the C library knows that.
PACKED := $(if $(shell grep -ls GLIBC_ABI_DT_RELR $$($(CC) -print-file-name=libc.so.6)),-Xlinker -z -Xlinker pack-relative-relocs)
LINKED := -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic $(PACKED)
RELEASE := -c release --static-swift-stdlib $(REPRODUCIBLE) $(LINKED) --scratch-path $(STATIC)
export PODREAP_HELPER := $(HELPER)
export PODREAP_FLOOR := $(FLOOR)

.PHONY: help setup build helper release install uninstall reproducible floor demo test load proto filters fuzz adversary model model-faults mutants lint bench size selinux deb deb-test arm64 platforms rpm rpm-test clean root

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs the Debian packages that are missing
	@packaging/setup

build: setup ## Builds everything but the helper for debugging
	$(SWIFT) build $(SWIFTFLAGS) --scratch-path $(DEBUG)

helper: setup ## Builds the helper in Embedded Swift, as it is shipped
	@# The same package seen from elsewhere: beside a Package.resolved it would fetch packages that it does not use.
	@mkdir -p $(EMBEDDED)/package && ln -sfn ../../Package.swift ../../Sources $(EMBEDDED)/package/
	PODREAP_EMBEDDED=1 $(SWIFT) build $(SWIFTFLAGS) -c release --product podreap-helper --disable-local-rpath \
	    $(REPRODUCIBLE) --package-path $(EMBEDDED)/package --scratch-path $(EMBEDDED)
	strip -o $(HELPER) $(EMBEDDED)/release/podreap-helper

release: setup ## Builds podreap, podreapd and podreap-rescue as they are shipped, with Swift's libraries in them
	$(SWIFT) build $(SWIFTFLAGS) $(RELEASE) --product podreap
	$(SWIFT) build $(SWIFTFLAGS) $(RELEASE) --product podreapd
	$(SWIFT) build $(SWIFTFLAGS) $(RELEASE) --product podreap-rescue
	strip -o $(PODREAP) $(STATIC)/release/podreap
	strip -o $(PODREAPD) $(STATIC)/release/podreapd
	strip -o $(RESCUE) $(STATIC)/release/podreap-rescue
	@packaging/man/generate $(PODREAP) $(PODREAPD) $(STATIC)/share/man
	@packaging/completions $(PODREAP) $(PODREAPD) $(STATIC)/share/completions

install: ## Installs what make helper release has built, below DESTDIR where that is given
	@packaging/install install $(HELPER) $(STATIC)

reproducible: ## Builds helper and release again elsewhere: the bytes must be equal
	@packaging/reproducible $(HELPER) $(PODREAP) $(PODREAPD) $(RESCUE)

uninstall: ## Removes what make install has installed, but for settings and data
	@packaging/install uninstall $(HELPER) $(STATIC)

floor: setup $(FLOOR)

$(BENCH)/%: Tests/Benchmark/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -pthread -o $@ $<

demo: root helper ## Makes a real pod, removes it, and proves that nothing is left
	$(SWIFT) build $(SWIFTFLAGS) --product podreap --scratch-path $(DEBUG)
	$(SWIFT) build $(SWIFTFLAGS) --product podreap-demo --scratch-path $(DEBUG)
	$(PRIVATE_NAMESPACE) $(DEBUG)/debug/podreap-demo --helper $(HELPER) --podreap $(DEBUG)/debug/podreap $(DEMOFLAGS)

test: root setup lint helper floor ## Runs every check and test
	$(SWIFT) build $(SWIFTFLAGS) --build-tests --scratch-path $(DEBUG)
	@Tests/run $(DEBUG) $(TESTS)

fuzz: setup ## Fuzzes what reads strangers' bytes, SECONDS=30 each; one with TARGET=broker
	@SECONDS_EACH=$(or $(SECONDS),30) Tests/Fuzz/run $(TARGET)

adversary: root helper ## Sends a real helper MESSAGES=200000 hostile requests; SEED repeats a run
	$(SWIFT) build $(SWIFTFLAGS) --product podreap-adversary --scratch-path $(DEBUG)
	$(PRIVATE_NAMESPACE) $(DEBUG)/debug/podreap-adversary $(or $(MESSAGES),200000) $(SEED)

model: root setup helper ## Drives random histories against a model of the promise for SECONDS=3600; SEED repeats one
	$(SWIFT) build $(SWIFTFLAGS) --build-tests --scratch-path $(DEBUG)
	@PODREAP_MODEL_SECONDS=$(or $(SECONDS),3600) PODREAP_MODEL_SEED=$(SEED) SWIFT="$(SWIFT)" \
	    Tests/Integration/ModelTests/run $(DEBUG)

model-faults: root setup helper ## Puts each fault of Tests/Integration/ModelTests/Faults back, FAULT=one: the model must find it
	$(SWIFT) build $(SWIFTFLAGS) --build-tests --scratch-path $(DEBUG)
	@SWIFT="$(SWIFT)" Tests/Integration/ModelTests/try-faults $(DEBUG) $(FAULT)

mutants: root setup helper ## Plants each fault of Tests/Mutants, FAULT=one, in the helper: the test that it names must fail
	$(SWIFT) build $(SWIFTFLAGS) --build-tests --scratch-path $(DEBUG)
	@SWIFT="$(SWIFT)" Tests/Mutants/run $(DEBUG) $(FAULT)

load: ## Runs the daemon's load tests in full: many minutes
	PODREAP_LOAD=full $(MAKE) --no-print-directory test TESTS=CRIServiceTests

lint: setup ## Checks format, unsafe code, imports, lengths and scripts
	@.ci/lint/run

bench: root helper release $(FLOOR) $(BENCH)/exchange ## Measures podreap against the floor, containerd, podman and rm; rewrites results.md
	$(SWIFT) build $(SWIFTFLAGS) $(RELEASE) --product podreap-benchmark
	Tests/Benchmark/run $(HELPER) $(PODREAP) $(PODREAPD) $(BENCH) $(STATIC)/release/podreap-benchmark $(BENCHFLAGS)

proto: setup ## Generates the gRPC messages and services from their .proto files
	for plugin in swift grpc-swift-2; do \
	    $(SWIFT) build $(SWIFTFLAGS) --product protoc-gen-$$plugin --scratch-path $(DEBUG); done
	rm -f $(CRI_MESSAGES)/Generated/*
	protoc -I $(CRI_MESSAGES)/Proto --plugin=$(DEBUG)/debug/protoc-gen-swift --plugin=$(DEBUG)/debug/protoc-gen-grpc-swift-2 \
	    --swift_opt=Visibility=Package,UseAccessLevelOnImports=true --swift_out=$(CRI_MESSAGES)/Generated \
	    --grpc-swift-2_opt=Visibility=Package,UseAccessLevelOnImports=true,Client=false \
	    --grpc-swift-2_out=$(CRI_MESSAGES)/Generated $(CRI_MESSAGES)/Proto/*.proto

filters: setup ## Compiles policy/seccomp into the helper's filters
	$(SWIFT) build $(SWIFTFLAGS) --product podreap-filters --scratch-path $(DEBUG)
	$(DEBUG)/debug/podreap-filters

selinux: setup ## Builds the SELinux module, .build-selinux/podreap.pp
	policy/selinux/build $(CURDIR)/.build-selinux

deb: helper release selinux ## Makes Debian packages, .build-deb/packages
	@packaging/setup deb
	PODREAP_BUILT=1 packaging/deb $(CURDIR)/.build-deb/packages

deb-test: root deb ## Installs, uses, upgrades and purges them on a node with systemd
	packaging/test-node/image $(NODE_IMAGE)
	packaging/deb-test/run $(CURDIR)/.build-deb $(NODE_IMAGE)

arm64: setup ## Compiles the helper for arm64, and runs under an emulator what can be
	Tests/Support/Arm64/run layer
	Tests/Support/Arm64/run helper $(CURDIR)/.build-arm64

platforms: root build deb ## Does the same on a node of Debian 13; builds, tests and packages podreap there, and does it with that
	packaging/test-node/image $(NEXT) trixie
	packaging/deb-test/run $(CURDIR)/.build-deb $(NEXT)
	packaging/test-node/builder $(NEXT)-builder trixie 'make test TESTS="$(notdir $(wildcard Tests/Unit/*)) SELinuxTests" && make deb'
	packaging/deb-test/run $(NEXT)-builder/tree/.build-deb $(NEXT)

rpm: helper release selinux ## Makes RPM packages, .build-rpm/packages
	@packaging/setup rpm
	PODREAP_BUILT=1 packaging/rpm/build $(CURDIR)/.build-rpm/packages

rpm-test: root rpm ## Installs, uses, upgrades and erases them on the same node
	packaging/test-node/image $(NODE_IMAGE)
	PODREAP_BUILT=1 packaging/rpm-test $(CURDIR)/.build-rpm $(NODE_IMAGE)

size: helper ## Shows how much there is to audit
	@.ci/size $(HELPER)

clean: ## Removes all that was built
	rm -rf .build .build-helper .build-release .build-bench .build-fuzz .build-selinux .build-deb .build-rpm .build-node .build-arm64

root:
	@[[ $$EUID -eq 0 ]] || { echo "This needs root: it makes mounts, network namespaces and containers. Run: sudo make $(MAKECMDGOALS)" >&2; exit 1; }
