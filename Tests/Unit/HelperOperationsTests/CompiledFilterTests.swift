import CSeccomp
import Foundation
import HelperProtocol
import TestNode
import Testing

@testable import HelperOperations

/// What the kernel of each architecture is given, compared with what an auditor reads in `policy/seccomp`.
@Suite struct CompiledFilterTests {
    enum Architecture: UInt32, CaseIterable { case x86 = 0xc000_003e, arm = 0xc000_00b7 }

    /// A rule for a call that is not there has no effect, and nobody would notice.
    @Test(arguments: SystemCallListTests.filters, Architecture.allCases)
    func everyCallIsThereOrIsListedForX86Alone(
        _ filter: SystemCallListTests.Filter, _ architecture: Architecture
    ) {
        for rule in filter.enforced().rules {
            let number = unsafe seccomp_syscall_resolve_name_arch(architecture.rawValue, "\(rule.name)")
            #expect(number >= 0 || (rule.isX86Only && architecture != .x86), "\(rule.name)")
            #expect(number < 0 || !rule.isX86Only || architecture == .x86, "\(rule.name) is not only x86-64's")
        }
    }

    /// libseccomp knows `socketcall`, gives it a negative number on x86-64, and takes rules for it.
    @Test(arguments: ["socketcall", "no_such_call"] as [StaticString])
    func aRuleForACallThatIsNotThereIsRefused(_ name: StaticString) throws {
        let filter = try SystemCallFilter(rest: .allow, logs: false)
        #expect(throws: Outcome.refused(.confinementFailed, detail: Array("system call \(name)".utf8))) {
            try filter.add(SystemCallRule(name, action: .kill))
        }
        try filter.add(SystemCallRule(name, action: .kill, isX86Only: true))
    }

    @Test(arguments: SystemCallListTests.filters, Architecture.allCases)
    func everyNumberIsTreatedAsListed(_ filter: SystemCallListTests.Filter, _ architecture: Architecture) throws {
        let list = try SystemCallList(named: filter.file)
        let rest = try #require(list.rest)
        let entries = Dictionary(uniqueKeysWithValues: list.entries.map { ($0.call, $0) })
        let rules = filter.enforced()
        var programs = [try FilterProgram(rules.rest, rules.rules, architecture: architecture.rawValue)]
        if rules.rest == .absent {
            let absent = rules.rules.filter { $0.action == .absent }
            programs.append(try FilterProgram(.allow, absent, architecture: architecture.rawValue))
        }
        func answer(_ number: UInt32, _ arguments: [UInt64], _ own: UInt32) throws -> SystemCallList.Action? {
            let call = FilterProgram.Call(number: number, architecture: own, arguments: arguments)
            // Of several filters' answers, the kernel takes the one whose action is the lowest signed number.
            let all = try programs.map { Int32(bitPattern: try $0.answer(call)) }
            return Self.actions[try #require(all.min())]
        }
        var listed = 0
        for number in Array(0..<1200) + [0x3fff_ffff, 0x4000_0000, 0x4000_003b, 0x7fff_ffff, .max] as [UInt32] {
            let entry = Self.name(number, architecture).flatMap { entries[$0] }
            listed += entry == nil ? 0 : 1
            // x32's calls are another architecture's; -1 is a call that a tracer has skipped.
            let isOther = architecture == .x86 && number >= 0x4000_0000 && number < .max
            for (arguments, expected) in Self.cases(entry, rest) {
                #expect(
                    try answer(number, arguments, architecture.rawValue) == (isOther ? .kill : expected),
                    "\(number) \(entry?.call ?? "") \(arguments)")
            }
            for other in [UInt32(0x4000_0003), 0x4000_0028] + Architecture.allCases.map(\.rawValue)
            where other != architecture.rawValue {
                #expect(try answer(number, [0, 0, 0, 0, 0, 0], other) == .kill, "\(number) of \(other)")
            }
        }
        #expect(listed == list.entries.count { architecture == .x86 || !$0.isX86Only })
    }

    private static let actions: [Int32: SystemCallList.Action] = [
        0x7fff_0000: .allow, 0x0005_0000 | ENOSYS: .absent, Int32(bitPattern: 0x8000_0000): .kill,
    ]

    private static func name(_ number: UInt32, _ architecture: Architecture) -> String? {
        guard number < 0x4000_0000,
            let text = unsafe seccomp_syscall_resolve_num_arch(architecture.rawValue, Int32(number))
        else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }

    /// Arguments, and what becomes of a call with them: all conditions met, and each broken by one bit.
    private static func cases(
        _ entry: SystemCallList.Entry?, _ rest: SystemCallList.Action
    ) -> [([UInt64], SystemCallList.Action)] {
        let all = [UInt64](repeating: .max, count: 6)
        guard let entry else { return [(all, rest)] }
        let empty = SystemCallRule.Test.isEmptyPath(0).value
        var right = [UInt64](repeating: 0, count: 6)
        for condition in entry.conditions { right[condition.argument] = condition.value ?? empty }
        var cases = [(right, entry.action == .only ? .allow : entry.action)]
        for condition in entry.conditions {
            for bit in (0..<64).map({ UInt64(1) << $0 }) where condition.mask & bit != 0 {
                var wrong = right
                wrong[condition.argument] ^= bit
                cases.append((wrong, entry.action == .only ? .kill : rest))
            }
        }
        return cases + [(all, entry.action(rest: rest))]
    }
}
