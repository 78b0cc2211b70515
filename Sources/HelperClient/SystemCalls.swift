// The only file of this module that touches C. Each function is one wrapper of CClient.h; errors are `SystemError`.

internal import CLinux
internal import EventLoop
internal import Glibc

/// The error number of a failed system call (errno(3)).
struct SystemError: Error, Equatable, Sendable {
    var number: Int32

    init(_ number: Int32) { self.number = number }

    static var noEntry: Self { Self(ENOENT) }
    static var notDirectory: Self { Self(ENOTDIR) }
    static var access: Self { Self(EACCES) }
    static var permission: Self { Self(EPERM) }
    static var notExecutable: Self { Self(ENOEXEC) }
    static var wrongType: Self { Self(EPROTOTYPE) }

    /// Whether the other end of the socket is closed.
    var isPeerGone: Bool { [EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN].contains(number) }

    /// Throws if a wrapper's result is a negative error number.
    @discardableResult
    static func check<Value: SignedInteger>(_ result: Value) throws(SystemError) -> Value {
        guard result >= 0 else { throw SystemError(Int32(truncatingIfNeeded: -result)) }
        return result
    }

    /// The text of strerror(3).
    var text: String { systemErrorText(number) }
}

/// The text of strerror(3) for an error number.
public func systemErrorText(_ number: Int32) -> String {
    guard let text = unsafe client_error_text(number) else { return "error \(number)" }
    return unsafe String(cString: text)
}

/// How many processors this process may use; 0 if the kernel does not say.
func processorCount() -> Int { Int(client_processors()) }

/// An open file, closed when its owner is destroyed.
struct Descriptor: ~Copyable, Sendable {
    fileprivate let raw: Int32

    fileprivate init(_ raw: Int32) { self.raw = raw }

    deinit { if raw >= 0 { client_close(raw) } }
}

/// Our end of a helper's socket, and a pidfd of its process if this process started it.
struct Connection: ~Copyable, Sendable {
    let socket: Descriptor
    private let process: Descriptor
    private let isChild: Bool
    /// The process that listens at the socket that this end was connected to; nil for a child.
    let listener: Int32?

    init(_ launch: HelperLaunch) throws(SystemError) {
        switch launch {
        case .program(let path, let arguments): try self.init(starting: path, arguments)
        case .socket(let path): try self.init(connectingTo: path)
        }
    }

    private init(connectingTo path: String) throws(SystemError) {
        guard !path.utf8.contains(0) else { throw .noEntry }
        var socket: Int32 = -1
        var listener: Int32 = 0
        try SystemError.check(unsafe client_connect(path, &socket, &listener))
        self.socket = Descriptor(socket)
        process = Descriptor(-1)
        isChild = false
        self.listener = listener
    }

    private init(starting path: String, _ arguments: [String]) throws(SystemError) {
        // A NUL inside an argument would split it in two.
        guard ([path] + arguments).allSatisfy({ !$0.utf8.contains(0) }) else { throw .noEntry }
        let list = arguments.map { "\($0)\0" }.joined()
        var socket: Int32 = -1
        var process: Int32 = -1
        var pid: Int32 = 0
        try SystemError.check(
            unsafe client_spawn(path, list, UInt32(arguments.count), &socket, &process, &pid))
        self.socket = Descriptor(socket)
        self.process = Descriptor(process)
        isChild = true
        listener = nil
    }

    /// Kills a child. Any other helper sees that nothing more will come, and ends by itself once it is not busy.
    func end() {
        if isChild { _ = client_kill(process.raw) } else { client_close_half(socket.raw) }
    }

    /// Returns when the helper may have ended, and at the deadline at the latest.
    func awaitEnd(_ loop: EventLoop, until deadline: ContinuousClock.Instant) async {
        if isChild {
            _ = await process.readable(loop, until: deadline)
        } else if await socket.readable(loop, until: deadline) {
            // Late replies are discarded.
            var buffer = [UInt8](repeating: 0, count: 1)
            _ = receive(into: &buffer)
        }
    }

    enum End: Equatable {
        case running
        /// The exit status, or the negative number of the signal that ended it.
        case ended(Int32)
        /// It has already been reaped, or is not a child of this process and has closed its socket.
        case gone
    }

    /// Reaps a child if it has ended.
    func reap() -> End {
        guard isChild else { return client_is_closed(socket.raw) != 0 ? .gone : .running }
        var status: Int32 = 0
        switch unsafe client_reap(process.raw, &status) {
        case 0: return .ended(status)
        case -EAGAIN: return .running
        default: return .gone
        }
    }

    func send(_ packet: [UInt8]) throws(SystemError) {
        let result = unsafe packet.withUnsafeBytes { unsafe client_send(socket.raw, $0.baseAddress, $0.count) }
        try SystemError.check(result)
    }

    /// Receives one packet into `buffer`; nil if there is none.
    func receive(into buffer: inout [UInt8]) -> Packet? {
        var file: Int32 = -1
        var strange: Int32 = 0
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe client_receive(socket.raw, $0.baseAddress, $0.count, &file, &strange)
        }
        if count == -Int(EAGAIN) { return nil }
        let attachment = file >= 0 ? Attachment(file: Descriptor(file)) : nil
        return Packet(bytes: max(0, count), attachment: attachment, strange: strange != 0)
    }
}

/// A packet from a helper.
struct Packet {
    /// Its length in bytes; 0 if the other end is gone.
    let bytes: Int
    let attachment: Attachment?
    /// Whether the packet was cut, or carried more than one descriptor.
    let strange: Bool
}

/// A sealed memfd that came with a packet.
final class Attachment: Sendable {
    private let file: Descriptor

    init(file: consuming Descriptor) { self.file = file }

    /// The whole content if the memfd is sealed against writing and shrinking and has exactly `count` bytes; nil
    /// otherwise.
    func content(count: Int) -> [UInt8]? {
        guard client_sealed_size(file.raw) == Int64(count) else { return nil }
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let read = unsafe client_pread(file.raw, buffer.baseAddress! + filled, count - filled, Int64(filled))
                guard read > 0 else { return }
                filled += read
            }
        }
        return bytes.count == count ? bytes : nil
    }
}

extension Descriptor {
    /// Like `EventLoop.readable`, but not ended by the task's cancellation, because a request that was sent is waited
    /// for.
    func readable(_ loop: EventLoop, until deadline: ContinuousClock.Instant) async -> Bool {
        await loop.readable(raw, until: deadline)
    }
}

/// Where a symbolic link leads; nil if the path is not one.
func symbolicLinkTarget(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe client_read_link(path, $0.baseAddress, $0.count) }
    guard count > 0, count < bytes.count else { return nil }
    return String(validating: bytes[..<count], as: UTF8.self)
}

/// Tells whether the policy's file was changed: replacing the file changes its inode, and writing to it changes its
/// times.
struct PolicyStamp: Hashable, Sendable {
    private var fields: [Int64] = []

    /// Empty if the file cannot be examined. All such stamps are equal, so no change is noticed.
    init(_ path: String) {
        var found = stat()
        guard unsafe stat(path, &found) == 0 else { return }
        fields = [
            Int64(bitPattern: UInt64(found.st_dev)), Int64(bitPattern: UInt64(found.st_ino)), Int64(found.st_size),
            Int64(found.st_mtim.tv_sec), Int64(found.st_mtim.tv_nsec), Int64(found.st_ctim.tv_sec),
            Int64(found.st_ctim.tv_nsec),
        ]
    }
}
