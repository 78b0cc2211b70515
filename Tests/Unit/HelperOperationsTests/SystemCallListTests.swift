import Foundation
import HelperProtocol
import TestNode
import Testing
import podreap_filters

@testable import HelperOperations

/// What an auditor reads in `policy/seccomp`; CompiledFilterTests shows that it is in force.
@Suite struct SystemCallListTests {
    @Test(arguments: FilterSource.lists) func everyCallIsListedOnceWithAReason(_ list: String) throws {
        let entries = try SystemCallList(named: "\(list).list").entries
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
        ("/usr/sbin/runc", SystemCallFilter.runc), ("/usr/bin/crun", .crun), ("/usr/local/bin/mycrun", .runc),
        ("/crun", .crun), ("/run", .runc), ("/usr/bin/crun hooks", .hooks), ("/usr/sbin/runc hooks", .hooks),
    ])
    func theRuntimesPathDecides(_ runtime: String, _ filter: SystemCallFilter) throws {
        let words = runtime.split(separator: " ")
        let line = (["runtime = r", String(words[0]), "/run/r"] + words.dropFirst().map(String.init)).joined(
            separator: " ")
        let policy = try Policy(parsing: Array("caller = 1\nsandbox-root = /s\n\(line)\n".utf8), users: [])
        #expect(policy.runtimes[0].filter == filter)
        #expect(policy.runtimes[0].seen.hooks == (filter == .hooks))
    }

    @Test func thereIsNoOtherList() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: SystemCallList.directory)
        #expect(Set(files) == Set(FilterSource.lists.map { "\($0).list" } + ["killed.list"]))
    }
}
