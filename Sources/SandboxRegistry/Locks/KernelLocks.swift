internal import LinuxSystem

/// A lock of an open file as the kernel lists it (proc_locks(5)).
struct KernelLock: Equatable {
    /// Device and inode as the kernel prints them: `fe:00:16225130`. They are not always those of stat(2).
    let file: String
    /// The first locked byte.
    let start: Int64

    var inode: UInt64? { file.split(separator: ":").last.flatMap { UInt64($0) } }

    /// All such locks of the machine; nil if they cannot be read.
    static func all() -> [KernelLock]? { KernelLock.text().map(parse) }

    /// The whole of /proc/locks; nil if it cannot be read.
    static func text() -> [UInt8]? {
        try? Descriptor.open(Array("/proc/locks".utf8)).contents(inPieces: 16 << 10)
    }

    static func parse(_ text: [UInt8]) -> [KernelLock] { lines(text, of: "OFDLCK").compactMap(Self.init) }

    /// The fields of each line about a lock of a kind, such as
    /// `1: OFDLCK ADVISORY  READ -1 fe:00:16225130 1099511627776 1099511627776`. A lock that waits has `->` before its
    /// kind, and is left out.
    static func lines(_ text: [UInt8], of kind: StaticString) -> [[ArraySlice<UInt8>]] {
        let (blank, kind) = (UInt8(ascii: " "), Array(" \(kind) ".utf8))
        return text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard line.dropFirst(line.prefix { $0 != blank }.count).starts(with: kind) else { return nil }
            let fields = line.split(separator: blank)
            return fields.count < 8 ? nil : fields
        }
    }

    /// The lock of a line.
    init?(_ fields: [ArraySlice<UInt8>]) {
        guard let start = Int64(String(decoding: fields[6], as: UTF8.self)) else { return nil }
        self.init(file: String(decoding: fields[5], as: UTF8.self), start: start)
    }

    init(file: String, start: Int64) {
        self.file = file
        self.start = start
    }
}
