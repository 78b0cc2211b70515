import CSeccomp
import Foundation
import HelperProtocol
import TestNode
import Testing

@testable import HelperOperations

/// What an auditor reads in `policy/seccomp` is what is in force: the same calls, actions and arguments, each with a reason.
@Suite struct SystemCallListTests {
    struct Filter: CustomTestStringConvertible, Sendable {
        let file: String
        let enforced: @Sendable () -> SystemCallRules
        var testDescription: String { file }
    }

    static let filters = [
        Filter(file: "broker.list") { .broker }, Filter(file: "runc.list") { .runc },
        Filter(file: "crun.list") { .crun }, Filter(file: "hooks.list") { .hooks },
    ]

    @Test(arguments: filters) func listAndRulesAreTheSame(_ filter: Filter) throws {
        let list = try SystemCallList(named: filter.file)
        #expect(list.rest?.rawValue == "\(filter.enforced().rest)")
        let listed = Set(list.entries.map(Self.text))
        let enforced = Set(filter.enforced().rules.map(Self.text))
        #expect(listed.subtracting(enforced).sorted() == [], "listed, but not in SystemCallRules.swift")
        #expect(enforced.subtracting(listed).sorted() == [], "in SystemCallRules.swift, but not listed")
    }

    @Test(arguments: filters) func everyCallIsListedOnceWithAReason(_ filter: Filter) throws {
        let entries = try SystemCallList(named: filter.file).entries
        #expect(!entries.isEmpty)
        let calls = entries.map(\.call)
        #expect(Set(calls).count == calls.count, "twice: \(calls.filter { call in calls.count { $0 == call } > 1 })")
        for entry in entries { #expect(entry.reason.contains(/\w/), "\(entry.call) has no reason") }
    }

    /// A runtime that learns that one of these is absent falls back to a call that checks less.
    @Test(arguments: ["runc.list", "crun.list"], ["openat2", "pidfd_open", "pidfd_send_signal", "statx", "getrandom"])
    func whatMakesRuntimesSaferIsAllowed(_ file: String, _ call: String) throws {
        let entry = try SystemCallList(named: file).entries.first { $0.call == call }
        #expect(entry?.action == .allow && entry?.conditions.isEmpty == true)
    }

    /// Which list is in force for a runtime is decided by its policy alone.
    @Test(arguments: [
        ("/usr/sbin/runc", "runc.list"), ("/usr/bin/crun", "crun.list"), ("/usr/local/bin/mycrun", "runc.list"),
        ("/crun", "crun.list"), ("/run", "runc.list"), ("/usr/bin/crun hooks", "hooks.list"),
        ("/usr/sbin/runc hooks", "hooks.list"),
    ])
    func theRuntimesPathDecides(_ runtime: String, _ file: String) throws {
        let words = runtime.split(separator: " ")
        let line = (["runtime = r", String(words[0]), "/run/r"] + words.dropFirst().map(String.init)).joined(
            separator: " ")
        let policy = try Policy(parsing: Array("caller = 1\nsandbox-root = /s\n\(line)\n".utf8), users: [])
        let filter = try #require(Self.filters.first { $0.file == file })
        let chosen = policy.runtimes[0].systemCallRules
        #expect(Set(chosen.rules.map(Self.text)) == Set(filter.enforced().rules.map(Self.text)))
        #expect(chosen.rest == filter.enforced().rest)
        #expect(policy.runtimes[0].seen.hooks == (chosen.rest == .allow))
    }

    @Test func thereIsNoOtherList() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: SystemCallList.directory)
        #expect(Set(files) == Set(Self.filters.map(\.file) + ["killed.list"]))
    }

    /// A rule as a line, without the reason.
    private static func text(_ rule: SystemCallRule) -> String {
        let tests = rule.tests.map { "arg\($0.argument)&\($0.mask)=\($0.isUnequal ? "not " : "")\($0.value)" }
        return (["\(rule.action)", "\(rule.name)"] + (rule.isX86Only ? ["x86-64"] : []) + tests).joined(separator: " ")
    }

    private static func text(_ entry: SystemCallList.Entry) -> String {
        let conditions = entry.conditions.map {
            "arg\($0.argument)&\($0.mask)=\($0.value ?? SystemCallRule.Test.isEmptyPath(0).value)"
        }
        return ([entry.action.rawValue, entry.call] + (entry.isX86Only ? ["x86-64"] : []) + conditions).joined(
            separator: " ")
    }
}
