internal import CLinux
internal import HelperProtocol

/// An open file descriptor that closes itself. Outside this directory no descriptor is a plain number.
public struct Descriptor: ~Copyable, Sendable {
    let raw: Int32

    init(owning raw: Int32) { self.raw = raw }

    deinit { if isOpen { _ = close(raw) } }

    /// Whether there is a descriptor; `none` represents the absence of an optional one.
    var isOpen: Bool { raw >= 0 }
    static var none: Descriptor { Descriptor(owning: -1) }

    /// Takes over a descriptor that the process was started with.
    public static func inherited(_ raw: Int32) -> Descriptor { Descriptor(owning: raw) }
}

extension Outcome {
    init(errno: Int32, _ call: Call, detail: [UInt8] = []) {
        self = .failed(Failure(errno: UInt32(bitPattern: errno), call: call, detail: detail))
    }

    static func refused(_ rule: Rule) -> Outcome { .refused(rule, detail: []) }

    /// The error number if the outcome is a failed system call; 0 otherwise.
    var errno: Int32 {
        if case .failed(let failure) = self { Int32(bitPattern: failure.errno) } else { 0 }
    }
}

/// Throws the outcome that names the call if a wrapper's result is -errno.
@discardableResult
func check<Result: SignedInteger & FixedWidthInteger>(_ result: Result, _ call: Call) throws(Outcome) -> Result {
    guard result >= 0 else { throw Outcome(errno: Int32(truncatingIfNeeded: -result), call) }
    return result
}
