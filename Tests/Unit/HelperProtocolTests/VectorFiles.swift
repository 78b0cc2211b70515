import Foundation
import HelperProtocol
import Testing

/// A message with the name of the file that holds its bytes.
struct Vector<Message: Sendable & Equatable>: Sendable, CustomTestStringConvertible {
    let name: String
    let message: Message
    /// The protocol version that it is written in.
    var version = Limits.oldestVersion
    var testDescription: String { name }
}

/// A packet that must be answered `malformed`, or is a bad reply.
struct BadVector: Sendable, CustomTestStringConvertible {
    enum Fault: Sendable { case request, reply, conversation }

    let reason: Malformed
    /// Whether the bytes are wrong, as a request or as a reply, or only when or how a good request comes.
    let fault: Fault
    let bytes: [UInt8]
    var version = Limits.oldestVersion
    var name: String { "malformed-\(reason)" }
    var testDescription: String { name }
}

/// The golden vectors: files of bytes that every release that knows their version of the protocol reads and writes alike.
enum VectorFiles {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "vectors")

    /// Set to write the files anew from the encoder. For new messages only: what is committed never changes.
    static let areWritten = ProcessInfo.processInfo.environment["PODREAP_WRITE_VECTORS"] == "1"

    static func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: directory.appending(path: "\(name).bin")))
    }

    static func write(_ bytes: [UInt8], _ name: String) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(bytes).write(to: directory.appending(path: "\(name).bin"))
    }

    /// The names of all files in the directory, without `.bin`.
    static func names() throws -> Set<String> {
        Set(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).map {
                $0.hasSuffix(".bin") ? String($0.dropLast(4)) : $0
            })
    }
}

/// A packet made by hand, so that its header can be wrong.
struct RawPacket {
    var magic: [UInt8] = [0x50, 0x44, 0x52, 0x50]
    var version: UInt16 = 1
    var kind: UInt16
    var id: UInt64 = 1
    /// Nil: the body's own.
    var length: UInt32?
    /// The deadline or the status.
    var last: UInt32 = 1000
    var body: [UInt8]

    var bytes: [UInt8] {
        magic + Self.little(version) + Self.little(kind) + Self.little(id)
            + Self.little(length ?? UInt32(body.count)) + Self.little(last) + body
    }

    static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        (0..<(T.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> T(8 * $0)) }
    }
}

extension Reply {
    var encoded: [UInt8] { encoded(version: Limits.oldestVersion) }

    func encoded(version: UInt16) -> [UInt8] {
        var out: [UInt8] = []
        encode(into: &out, version: version)
        return out
    }
}

/// A file name, path or text of the vectors, in inline storage.
func inline<let capacity: Int>(_ text: String) -> InlineBytes<capacity> {
    var out = InlineBytes<capacity>()
    for byte in text.utf8 { precondition(out.append(byte)) }
    return out
}
