import CSeccomp
import Foundation
import Testing
import podreap_filters

@testable import TestNode

/// What the kernel of each architecture is given, compared with what an auditor reads in `policy/seccomp`.
@Suite struct CompiledFilterTests {
    /// Another version of libseccomp puts the same rules in another order.
    @Test(.enabled(if: isCommittedVersion, "libseccomp is not the version that has made Filters.h"))
    func theyAreWhatTheListsCompileTo() throws {
        #expect(try String(contentsOfFile: FilterSource.path, encoding: .utf8) == FilterSource.text(), "make filters")
    }

    private static var isCommittedVersion: Bool {
        let source = try? String(contentsOfFile: FilterSource.path, encoding: .utf8)
        return source?.contains("// libseccomp \(FilterCompiler.version)\n") == true
    }

    /// A rule for a call that is not there has no effect, and nobody would notice. libseccomp knows `socketcall`, gives it
    /// a negative number on x86-64, and takes rules for it.
    @Test(arguments: ["socketcall", "no_such_call"])
    func aRuleForACallThatIsNotThereIsRefused(_ name: String) throws {
        for architecture in FilterArchitecture.allCases {
            var entry = SystemCallList.Entry(action: .kill, call: name, isX86Only: false, conditions: [], reason: "")
            let compiler = try FilterCompiler(rest: .allow, for: architecture)
            #expect(throws: FilterError.self) { try compiler.add(entry) }
            entry.isX86Only = true
            if architecture == .x86 {
                #expect(throws: FilterError.self) { try compiler.add(entry) }
            } else {
                try compiler.add(entry)
            }
        }
    }

    @Test(arguments: FilterSource.lists)
    func onlyCallsOfX86AreListedForItAlone(_ list: String) throws {
        for entry in try SystemCallList(named: "\(list).list").entries where entry.isX86Only {
            let number = unsafe seccomp_syscall_resolve_name_arch(FilterArchitecture.arm.rawValue, entry.call)
            #expect(number < 0, "\(entry.call)")
        }
    }

    @Test(arguments: FilterSource.lists, FilterArchitecture.allCases)
    func everyNumberIsTreatedAsListed(_ name: String, _ architecture: FilterArchitecture) throws {
        let list = try SystemCallList(named: "\(name).list")
        let rest = try #require(list.rest)
        let entries = Dictionary(uniqueKeysWithValues: list.entries.map { ($0.call, $0) })
        let programs = try FilterProgram.committed(name, architecture)
        #expect(programs.count == (rest == .absent ? 2 : 1))
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
            for other in [UInt32(0x4000_0003), 0x4000_0028] + FilterArchitecture.allCases.map(\.rawValue)
            where other != architecture.rawValue {
                #expect(try answer(number, [0, 0, 0, 0, 0, 0], other) == .kill, "\(number) of \(other)")
            }
        }
        #expect(listed == list.entries.count { architecture == .x86 || !$0.isX86Only })
    }

    private static let actions: [Int32: SystemCallList.Action] = [
        0x7fff_0000: .allow, 0x0005_0000 | ENOSYS: .absent, Int32(bitPattern: 0x8000_0000): .kill,
    ]

    private static func name(_ number: UInt32, _ architecture: FilterArchitecture) -> String? {
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
        var right = [UInt64](repeating: 0, count: 6)
        for condition in entry.conditions { right[condition.argument] = condition.value ?? FilterCompiler.emptyPath }
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
