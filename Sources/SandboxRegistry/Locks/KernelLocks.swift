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

    /// An example: `1: OFDLCK ADVISORY  READ -1 fe:00:16225130 1099511627776 1099511627776`. A lock that waits has `->`
    /// before its kind.
    static func parse(_ text: [UInt8]) -> [KernelLock] {
        let kind = Array(" OFDLCK ".utf8)
        return text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard line.dropFirst(line.prefix { $0 != kind[0] }.count).starts(with: kind) else { return nil }
            let fields = line.split(separator: kind[0])
            guard fields.count >= 8, let start = Int64(String(decoding: fields[6], as: UTF8.self)) else { return nil }
            return KernelLock(file: String(decoding: fields[5], as: UTF8.self), start: start)
        }
    }
}
