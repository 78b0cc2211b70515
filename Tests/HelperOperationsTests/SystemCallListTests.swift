import CSeccomp
import Foundation
import HelperProtocol
import Testing

@testable import HelperOperations

/// What an auditor reads in `policy/seccomp` is what is in force: the same calls, actions and arguments, each with a reason.
@Suite struct SystemCallListTests {
    struct Filter: CustomTestStringConvertible, Sendable {
        let file: String
        let allowsByDefault: Bool
        let rules: @Sendable () -> [SystemCallRule]
        var testDescription: String { file }
    }

    static let filters = [
        Filter(file: "broker.list", allowsByDefault: false) { SystemCallRules.broker },
        Filter(file: "runc.list", allowsByDefault: false) { SystemCallRules.runc },
        Filter(file: "crun.list", allowsByDefault: false) { SystemCallRules.crun },
        Filter(file: "hooks.list", allowsByDefault: true) { SystemCallRules.hooks },
    ]

    @Test(arguments: filters) func listAndRulesAreTheSame(_ filter: Filter) throws {
        let list = try SystemCallList(named: filter.file)
        #expect(list.allowsByDefault == filter.allowsByDefault)
        let listed = Set(list.entries.map(\.rule))
        let enforced = Set(filter.rules().map(SystemCallList.text))
        #expect(listed.subtracting(enforced).sorted() == [], "listed, but not in SystemCallRules.swift")
        #expect(enforced.subtracting(listed).sorted() == [], "in SystemCallRules.swift, but not listed")
    }

    @Test(arguments: filters) func everyCallIsListedOnceWithAReason(_ filter: Filter) throws {
        let entries = try SystemCallList(named: filter.file).entries
        #expect(!entries.isEmpty)
        let calls = entries.map { $0.rule.split(separator: " ")[1] }
        #expect(Set(calls).count == calls.count, "twice: \(calls.filter { call in calls.count { $0 == call } > 1 })")
        for entry in entries { #expect(entry.reason.contains(/\w/), "\(entry.rule) has no reason") }
    }

    /// A rule for a name that libseccomp does not know would be passed over in silence.
    @Test(arguments: filters) func everyNameIsASystemCalls(_ filter: Filter) {
        for rule in filter.rules() {
            #expect(unsafe seccomp_syscall_resolve_name("\(rule.name)") != __NR_SCMP_ERROR, "\(rule.name)")
        }
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
        #expect(
            Set(policy.runtimes[0].systemCallRules.map(SystemCallList.text))
                == Set(filter.rules().map(SystemCallList.text)))
        #expect(policy.runtimes[0].seen.hooks == filter.allowsByDefault)
    }

    @Test func thereIsNoOtherList() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: SystemCallList.directory)
        #expect(Set(files) == Set(Self.filters.map(\.file)))
    }
}

/// A file of `policy/seccomp`; its form is explained in `broker.list`.
struct SystemCallList {
    var allowsByDefault = false
    var entries: [(rule: String, reason: String)] = []

    static let directory =
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../policy/seccomp").standardized.path()

    struct BadLine: Error { let line: String }

    init(named name: String) throws {
        var hasDefault = false
        for line in try String(contentsOfFile: Self.directory + "/" + name, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("#") { continue }
            let parts = line.split(separator: " # ", maxSplits: 1)
            let words = parts[0].split(separator: " ")
            if words[0] == "default" {
                guard !hasDefault, words.count == 2, ["kill", "allow"].contains(words[1]) else {
                    throw BadLine(line: "\(line)")
                }
                hasDefault = true
                allowsByDefault = words[1] == "allow"
            } else {
                guard words.count > 1, parts.count == 2 else { throw BadLine(line: "\(line)") }
                entries.append((try words.map(Self.normalised).joined(separator: " "), String(parts[1])))
            }
        }
        guard hasDefault else { throw BadLine(line: "no default") }
    }

    /// A rule as its line, without the reason.
    static func text(_ rule: SystemCallRule) -> String {
        let tests = rule.tests.map { test in
            test.mask == .max
                ? "arg\(test.argument)=\(test.value)" : "arg\(test.argument)&\(test.mask)=\(test.value)"
        }
        return (["\(rule.action)", "\(rule.name)"] + tests).joined(separator: " ")
    }

    /// Conditions with their numbers in decimal, and the empty path's address in the place of its name.
    private static func normalised(_ word: Substring) throws -> String {
        guard
            let condition = word.firstMatch(
                of: /^(arg[0-5])(?:&(0x[0-9a-f]+|[0-9]+))?=(0x[0-9a-f]+|[0-9]+|EMPTY-PATH)$/)
        else {
            guard word.wholeMatch(of: /[a-z0-9_]+/) != nil else { throw BadLine(line: "\(word)") }
            return String(word)
        }
        let value =
            condition.3 == "EMPTY-PATH" ? SystemCallRule.Test.isEmptyPath(0).value : try number(condition.3)
        let mask = try condition.2.map { "&\(try number($0))" } ?? ""
        return "\(condition.1)\(mask)=\(value)"
    }

    private static func number(_ text: Substring) throws -> UInt64 {
        let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
        guard let value else { throw BadLine(line: "\(text)") }
        return value
    }
}
