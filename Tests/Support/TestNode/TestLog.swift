/// A system log of the test's own: what is sent to it can be read back.
public final class TestLog: Sendable {
    private let socket: Int32

    public init(_ path: String) throws { socket = try bindDatagramSocket(path) }

    deinit { closeDescriptor(socket) }

    /// The next line; nil where none comes in time.
    public func line(seconds: Double = 2) throws -> String? {
        guard waitReadable(socket, milliseconds: Int32(seconds * 1000)) else { return nil }
        return String(decoding: try readBytes(socket, limit: 65536), as: UTF8.self)
    }
}
