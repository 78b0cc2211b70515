internal import LinuxSystem

// Names in the kernel's files are bytes, not text: a container may choose any bytes but NUL and `/`.

let slash = UInt8(ascii: "/")
let space = UInt8(ascii: " ")
let newline = UInt8(ascii: "\n")

extension Collection<UInt8> {
    /// For display; bytes that are not UTF-8 become U+FFFD.
    var text: String { String(decoding: self, as: UTF8.self) }

    /// The value of an unsigned decimal number; nil if it does not fit, or if anything stands before or after it.
    func number<Number: FixedWidthInteger>(as type: Number.Type = Number.self) -> Number? {
        guard !isEmpty else { return nil }
        var value: Number = 0
        for byte in self {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(Number(byte - 0x30))
            guard !tooLarge, !overflow else { return nil }
            value = sum
        }
        return value
    }
}

extension ArraySlice<UInt8> {
    func fields(separatedBy separator: UInt8, atMost splits: Int = .max) -> [ArraySlice<UInt8>] {
        split(separator: separator, maxSplits: splits, omittingEmptySubsequences: false)
    }
}

/// A path without trailing slashes; empty for the root, so that `/name` can always be appended.
func trimmed(_ path: [UInt8]) -> ArraySlice<UInt8> {
    var path = path[...]
    while path.last == slash { path.removeLast() }
    return path
}

/// The part of `path` that follows `directory`: empty if they are equal, `/…` if `path` lies beneath; nil if it does
/// not (`/a/bc` does not lie beneath `/a/b`).
func remainder(of path: [UInt8], beneath directory: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let path = trimmed(path)
    return isBeneath(directory, path) ? path.dropFirst(directory.count) : nil
}
