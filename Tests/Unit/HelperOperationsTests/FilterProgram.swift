import Foundation
import podreap_filters

/// A seccomp filter as the helper is built with it, and its interpreter.
struct FilterProgram {
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

    let steps: [FilterStep]

    /// The programs of a list, from the committed source.
    static func committed(_ list: String, _ architecture: FilterArchitecture) throws -> [Self] {
        let source = try String(contentsOfFile: FilterSource.path, encoding: .utf8)
        return try (0..<2).compactMap { index in
            let head = "sock_filter \(FilterSource.name(list, index, architecture))[] = {\n"
            guard let start = source.range(of: head)?.upperBound else { return nil }
            let steps = try source[start...].prefix { $0 != ";" }.split(separator: "\n").dropLast().map { line in
                guard
                    let parts = line.wholeMatch(of: /\s*\{0x([0-9a-f]+), ([0-9]+), ([0-9]+), 0x([0-9a-f]+)\},/),
                    let code = UInt16(parts.1, radix: 16), let onTrue = UInt8(parts.2), let onFalse = UInt8(parts.3),
                    let operand = UInt32(parts.4, radix: 16)
                else { throw Unknown("the line \(line)") }
                return FilterStep(code: code, onTrue: onTrue, onFalse: onFalse, operand: operand)
            }
            return Self(steps: steps)
        }
    }

    /// What the filter answers: a SECCOMP_RET_ value.
    func answer(_ call: Call) throws -> UInt32 {
        var (accumulator, next) = (UInt32(0), 0)
        while next < steps.count {
            let step = steps[next]
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
