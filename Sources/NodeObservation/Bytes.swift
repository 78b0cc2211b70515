// Names in the kernel's files are bytes, not text: a container may choose any but NUL and `/`.

let slash = UInt8(ascii: "/")
let space = UInt8(ascii: " ")
let newline = UInt8(ascii: "\n")

extension Collection<UInt8> {
    /// For display; bytes that are no UTF-8 become U+FFFD.
    var text: String { String(decoding: self, as: UTF8.self) }

    /// An unsigned decimal number that fits, with nothing before or after it.
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

/// A path without the slashes at its end; empty for the root, so that appending `/name` is always right.
func trimmed(_ path: [UInt8]) -> ArraySlice<UInt8> {
    var path = path[...]
    while path.last == slash { path.removeLast() }
    return path
}

/// What follows `directory` in `path`: empty where they are equal, `/…` where path lies beneath; nil where it does not
/// (`/a/bc` does not lie beneath `/a/b`).
func remainder(of path: [UInt8], beneath directory: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let path = trimmed(path)
    guard path.starts(with: directory) else { return nil }
    let rest = path.dropFirst(directory.count)
    return rest.isEmpty || rest.first == slash ? rest : nil
}
