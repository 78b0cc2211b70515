internal import CSeccomp
internal import Foundation
package import TestNode

/// One instruction of a seccomp filter: classic BPF (seccomp(2), struct sock_filter).
package struct FilterStep: Sendable, Equatable {
    package var code: UInt16
    package var onTrue: UInt8
    package var onFalse: UInt8
    package var operand: UInt32

    package init(code: UInt16, onTrue: UInt8, onFalse: UInt8, operand: UInt32) {
        self.code = code
        self.onTrue = onTrue
        self.onFalse = onFalse
        self.operand = operand
    }
}

package enum FilterArchitecture: UInt32, CaseIterable, Sendable { case x86 = 0xc000_003e, arm = 0xc000_00b7 }

package struct FilterError: Error, CustomStringConvertible {
    package var description: String
}

/// Compiles a list of `policy/seccomp` with libseccomp.
@safe package final class FilterCompiler {
    /// Stands for the address of the empty path, which differs in each run: the helper puts it in.
    package static let emptyPath: UInt64 = 0x656d_7074_7970_6174

    private let context: scmp_filter_ctx
    private let architecture: FilterArchitecture

    /// - Parameter rest: What becomes of a call that no rule names.
    package init(rest: SystemCallList.Action, for architecture: FilterArchitecture) throws {
        self.architecture = architecture
        guard let context = unsafe seccomp_init(Self.code(rest)) else { throw FilterError(description: "seccomp_init") }
        unsafe self.context = context
        // A call of another architecture ends the process, not only its thread.
        _ = unsafe seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, Self.code(.kill))
        guard architecture.rawValue != seccomp_arch_native() else { return }
        guard unsafe seccomp_arch_add(context, architecture.rawValue) == 0,
            unsafe seccomp_arch_remove(context, seccomp_arch_native()) == 0
        else { throw FilterError(description: "seccomp_arch_add \(architecture)") }
    }

    deinit { unsafe seccomp_release(context) }

    private static func code(_ action: SystemCallList.Action) -> UInt32 {
        switch action {
        case .allow, .only: 0x7fff_0000
        case .absent: 0x0005_0000 | UInt32(ENOSYS)
        case .kill: 0x8000_0000
        }
    }

    package func add(_ entry: SystemCallList.Entry) throws {
        if unsafe seccomp_syscall_resolve_name_arch(architecture.rawValue, entry.call) < 0 {
            // libseccomp gives a call that is not there a negative number, and takes rules for it that do nothing.
            guard entry.isX86Only, architecture != .x86 else {
                throw FilterError(description: "\(architecture) has no system call \(entry.call)")
            }
            return
        }
        // Rules take this machine's numbers, for whatever architecture.
        let number = unsafe seccomp_syscall_resolve_name(entry.call)
        try add(number, entry, entry.conditions.map { Self.comparison($0) })
        guard entry.action == .only else { return }
        // All other arguments end the process: if they got an error instead, an attacker could guess the path's address.
        for (count, condition) in entry.conditions.enumerated() {
            let before = entry.conditions[..<count].map { Self.comparison($0) }
            for opposite in Self.opposites(of: condition) { try add(number, entry, before + [opposite], kills: true) }
        }
    }

    private func add(
        _ number: Int32, _ entry: SystemCallList.Entry, _ comparisons: [scmp_arg_cmp], kills: Bool = false
    ) throws {
        let result = unsafe comparisons.withUnsafeBufferPointer {
            unsafe seccomp_rule_add_array(
                context, Self.code(kills ? .kill : entry.action), number, UInt32($0.count), $0.baseAddress)
        }
        guard result == 0 else {
            throw FilterError(description: "libseccomp takes no rule for \(entry.call): \(result)")
        }
    }

    private static func comparison(_ condition: SystemCallList.Condition) -> scmp_arg_cmp {
        let value = condition.value ?? emptyPath
        let argument = UInt32(condition.argument)
        return condition.mask == .max
            ? scmp_arg_cmp(arg: argument, op: SCMP_CMP_EQ, datum_a: value, datum_b: 0)
            : scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: condition.mask, datum_b: value)
    }

    /// Comparisons of which at least one holds exactly if the condition does not. For a mask, its value must be 0.
    private static func opposites(of condition: SystemCallList.Condition) -> [scmp_arg_cmp] {
        var opposite = comparison(condition)
        if condition.mask == .max {
            opposite.op = SCMP_CMP_NE
            return [opposite]
        }
        return (0..<64).map { UInt64(1) << $0 }.filter { condition.mask & $0 != 0 }.map {
            scmp_arg_cmp(arg: opposite.arg, op: SCMP_CMP_MASKED_EQ, datum_a: $0, datum_b: $0)
        }
    }

    /// The program (seccomp_export_bpf(3)).
    package func steps() throws -> [FilterStep] {
        guard let file = unsafe tmpfile() else { throw FilterError(description: "tmpfile") }
        defer { unsafe fclose(file) }
        guard unsafe seccomp_export_bpf(context, fileno(file)) == 0 else {
            throw FilterError(description: "seccomp_export_bpf")
        }
        unsafe rewind(file)
        let bytes = Array(try FileHandle(fileDescriptor: unsafe fileno(file)).readToEnd() ?? Data())
        return stride(from: 0, to: bytes.count, by: 8).map { start in
            let code = UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8
            let operand = bytes[start + 4..<start + 8].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return FilterStep(code: code, onTrue: bytes[start + 2], onFalse: bytes[start + 3], operand: operand)
        }
    }

    /// The version of libseccomp: another compiles the same rules in another order.
    package static var version: String {
        guard let version = unsafe seccomp_version() else { return "" }
        return unsafe "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.micro)"
    }
}
