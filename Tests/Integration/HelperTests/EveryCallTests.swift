import CSeccomp
import Glibc
import TestNode
import Testing

extension RealHelper {
    /// Every number that a system call has, might have, or will have, under the filters that are in force in a running helper's
    /// processes, compared with what an auditor reads in `policy/seccomp`.
    @Suite struct EveryCall {
        private typealias Action = SystemCallList.Action

        /// The processes in the order of their start; the launchers are in that of `TestNode`'s runtimes.
        @Test(arguments: [
            ("broker.list", nil), ("unmounter.list", 0), ("runc.list", 1), ("crun.list", 2), ("hooks.list", 3),
        ])
        func isTreatedAsListed(_ file: String, _ index: Int?) throws {
            let list = try SystemCallList(named: file)
            let rest = try #require(list.rest)
            let entries = Dictionary(uniqueKeysWithValues: list.entries.map { ($0.call, $0) })
            let helper = try TestHelper()
            let processes = try helper.processes()
            let found = try Self.table(of: index.map { processes[$0] } ?? helper.process.pid)
            let unfiltered = try Self.table(of: 0)
            #expect(found.count == unfiltered.count && found.count > 1200)

            var table: [Action: [String]] = [:]
            for (number, action) in found {
                let name = Self.name(number)
                table[action, default: []].append(name ?? number)
                var expected = name.flatMap { entries[$0]?.action(rest: rest) } ?? rest
                // x32 and 32-bit calls are another architecture's.
                if number.hasPrefix("32-bit") || UInt32(number).map({ $0 >= 0x4000_0000 && $0 < .max }) == true {
                    expected = .kill
                }
                // The kernel lets no filter see what its own trampolines for probes of programs call.
                if ["335", "336"].contains(number) { expected = action }
                // With these arguments, the kernel itself answers ENOSYS.
                if expected == .allow, unfiltered[number] == .absent { expected = .absent }
                #expect(action == expected, "\(number) \(name ?? "")")
            }
            for action in [Action.kill, .absent, .allow] {
                let names = (table[action] ?? []).filter { UInt32($0) == nil }.sorted()
                let count = table[action]?.count ?? 0
                print("\(file) \(action): \(count) calls, of those with names \(names.joined(separator: " "))")
            }
        }

        private static func name(_ number: String) -> String? {
            guard let number = Int32(number),
                let text = unsafe seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number)
            else { return nil }
            defer { unsafe free(text) }
            return unsafe String(cString: text)
        }

        private static func table(of pid: Int32) throws -> [String: Action] {
            let ranges = "0-1100 4000 65535 0x40000000-0x40000040 0x40000200-0x40000240 0x7fffffff 0xffffffff"
            let text = try shell("exec \(try Programs.numbers.get()) \(pid) \(ranges)")
            var table: [String: Action] = [:]
            for line in text.split(separator: "\n") {
                guard let space = line.lastIndex(of: " "),
                    let action = Action(rawValue: String(line[line.index(after: space)...]))
                else { throw ProgramFailure(description: "\(line)") }
                table[String(line[..<space])] = action
            }
            return table
        }
    }
}
