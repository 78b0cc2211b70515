import CSeccomp
import Foundation
import Testing

@testable import HelperOperations

/// A seccomp filter as the kernel gets it: a program of classic BPF (seccomp(2), struct sock_filter), and its interpreter.
struct FilterProgram {
    struct Instruction { var code: UInt16, onTrue: UInt8, onFalse: UInt8, operand: UInt32 }

    /// What a filter sees of a call: struct seccomp_data, in words of 32 bits.
    struct Call {
        var number: UInt32
        var architecture: UInt32
        var arguments: [UInt64]

        fileprivate func word(_ offset: UInt32) throws -> UInt32 {
            var words = [number, architecture, 0, 0]
            for argument in arguments { words += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)] }
            guard offset % 4 == 0, Int(offset / 4) < words.count else { throw Unknown("a load from \(offset)") }
            return words[Int(offset / 4)]
        }
    }

    struct Unknown: Error { init(_ what: String) { self.what = what }; var what: String }

    let instructions: [Instruction]

    /// Compiles rules for an architecture (seccomp_export_bpf(3)).
    init(_ rest: SystemCallRule.Action, _ rules: [SystemCallRule], architecture: UInt32) throws {
        let filter = try SystemCallFilter(rest: rest, logs: false)
        if architecture != seccomp_arch_native() {
            guard unsafe seccomp_arch_add(filter.context, architecture) == 0,
                unsafe seccomp_arch_remove(filter.context, seccomp_arch_native()) == 0
            else { throw Unknown("architecture \(architecture)") }
        }
        for rule in rules where rule.action != rest { try filter.add(rule) }
        guard let file = unsafe tmpfile() else { throw Unknown("tmpfile") }
        defer { unsafe fclose(file) }
        guard unsafe seccomp_export_bpf(filter.context, fileno(file)) == 0 else { throw Unknown("export") }
        unsafe rewind(file)
        let bytes = try FileHandle(fileDescriptor: unsafe fileno(file)).readToEnd() ?? Data()
        instructions = stride(from: 0, to: bytes.count, by: 8).map { start in
            let one = Array(bytes[start..<start + 8])
            return Instruction(
                code: UInt16(one[0]) | UInt16(one[1]) << 8, onTrue: one[2], onFalse: one[3],
                operand: one[4...].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    /// What the filter answers: a SECCOMP_RET_ value.
    func answer(_ call: Call) throws -> UInt32 {
        var (accumulator, next) = (UInt32(0), 0)
        while next < instructions.count {
            let step = instructions[next]
            next += 1
            func jump(_ holds: Bool) { next += Int(holds ? step.onTrue : step.onFalse) }
            switch step.code {
            case 0x20: accumulator = try call.word(step.operand)  // BPF_LD, BPF_W, BPF_ABS
            case 0x54: accumulator &= step.operand  // BPF_ALU, BPF_AND, BPF_K
            case 0x05: next += Int(step.operand)  // BPF_JMP, BPF_JA
            case 0x15: jump(accumulator == step.operand)  // BPF_JEQ
            case 0x25: jump(accumulator > step.operand)  // BPF_JGT
            case 0x35: jump(accumulator >= step.operand)  // BPF_JGE
            case 0x45: jump(accumulator & step.operand != 0)  // BPF_JSET
            case 0x06: return step.operand  // BPF_RET, BPF_K
            default: throw Unknown("code \(step.code)")
            }
        }
        throw Unknown("no return")
    }
}
