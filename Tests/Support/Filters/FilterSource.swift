internal import Foundation
package import TestNode

/// The filters of all lists for all architectures, as the C source that the helper is built with.
package enum FilterSource {
    /// The lists, in the order of `enum linux_filter`.
    package static let lists = ["broker", "unmounter", "runc", "crun", "hooks"]
    package static let path = URL(filePath: SystemCallList.directory).appending(
        path: "../../Sources/CLinux/Generated/Filters.h"
    ).standardized.path()

    /// The programs of a list, in the order in which they are loaded. Where calls are absent by default, the kernel logs
    /// each that a process makes; a second program says which are known to be, and the newer one's answer counts.
    package static func programs(
        of list: SystemCallList, for architecture: FilterArchitecture
    ) throws -> [[FilterStep]] {
        let rest = list.rest ?? .kill
        var programs = [try program(rest, list.entries.filter { $0.action != rest }, architecture)]
        if rest == .absent {
            programs.append(try program(.allow, list.entries.filter { $0.action == .absent }, architecture))
        }
        return programs
    }

    private static func program(
        _ rest: SystemCallList.Action, _ entries: [SystemCallList.Entry], _ architecture: FilterArchitecture
    ) throws -> [FilterStep] {
        let compiler = try FilterCompiler(rest: rest, for: architecture)
        for entry in entries { try compiler.add(entry) }
        let steps = try compiler.steps()
        // Only comparisons with the path's address may hold its halves.
        for step in steps where step.code != 0x15 {
            guard step.operand != UInt32(truncatingIfNeeded: FilterCompiler.emptyPath),
                step.operand != UInt32(FilterCompiler.emptyPath >> 32)
            else { throw FilterError(description: "the stand-in for the empty path's address is used otherwise") }
        }
        return steps
    }

    package static func name(_ list: String, _ index: Int, _ architecture: FilterArchitecture) -> String {
        "\(list)\(index)_\(architecture)"
    }

    package static func text() throws -> String {
        var text = """
            // The lists of policy/seccomp as the kernel takes them. Made by `make filters`, which compiles them with libseccomp:
            // do not edit. CompiledFilterTests makes them again, and interprets them for every number.
            // libseccomp \(FilterCompiler.version)
            #define EMPTY_PATH_LOW \(hexadecimal(UInt32(truncatingIfNeeded: FilterCompiler.emptyPath)))
            #define EMPTY_PATH_HIGH \(hexadecimal(UInt32(FilterCompiler.emptyPath >> 32)))

            """
        for architecture in FilterArchitecture.allCases {
            text += architecture == .x86 ? "\n#if defined __x86_64__\n" : "\n#elif defined __aarch64__\n"
            var table = "static const struct filter filters[] = {\n"
            for list in lists {
                let rules = try SystemCallList(named: "\(list).list")
                table += "    [LINUX_FILTER_\(list.uppercased())] = {.programs = {"
                for (index, steps) in try programs(of: rules, for: architecture).enumerated() {
                    let name = name(list, index, architecture)
                    text += "static const struct sock_filter \(name)[] = {\n"
                    for step in steps {
                        let code = "0x" + String(step.code, radix: 16)
                        text += "    {\(code), \(step.onTrue), \(step.onFalse), \(hexadecimal(step.operand))},\n"
                    }
                    text += "};\n"
                    table += "\(index == 0 ? "" : ", "){\(name), \(steps.count)}"
                }
                table += rules.rest == .absent ? "}, .logs = 1},\n" : "}},\n"
            }
            text += table + "};\n"
        }
        return text + "#endif\n"
    }

    private static func hexadecimal(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }
}
