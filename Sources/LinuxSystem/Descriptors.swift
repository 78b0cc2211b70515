internal import CLinux
internal import Glibc

/// An open file, closed when its owner is destroyed.
package struct Descriptor: ~Copyable, Sendable {
    package let number: Int32

    /// Takes over a descriptor that nobody else closes.
    package init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Another descriptor of the same open file, for the caller to close; closed in every program that this process
    /// starts.
    package borrowing func duplicate() throws(Errno) -> Int32 { try checkCall(fcntl(number, F_DUPFD_CLOEXEC, 0)) }

    /// Leaves the descriptor open.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Opens nothing but a directory.
    package static let directoryOnly = O_DIRECTORY
    /// Does not follow a symbolic link at the path itself, and does not wait, whatever kind of file is there.
    package static let regularOnly = O_NOFOLLOW | O_NONBLOCK
    /// Does not wait, whatever kind of file is there.
    package static let withoutWaiting = O_NONBLOCK

    /// Opens a file for reading, and closes it in every program that this process starts. No path contains NUL, so
    /// nothing is at one that does.
    package static func open(_ path: [UInt8], _ flags: Int32 = 0) throws(Errno) -> Descriptor {
        guard !path.contains(0) else { throw .noEntry }
        return Descriptor(owning: try check(unsafe linux_open(path + [0], flags | O_RDONLY | O_CLOEXEC)))
    }

    /// Opens a file of this directory for reading.
    ///
    /// Calls openat(2), because systemd's RestrictSUIDSGID= forbids openat2(2).
    package borrowing func open(_ name: StaticString) throws(Errno) -> Descriptor {
        let file = unsafe name.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount + 1) {
            unsafe openat(number, $0, O_RDONLY | O_CLOEXEC)
        }
        return Descriptor(owning: try checkCall(file))
    }

    /// Whether there is something to read, or the other end is gone. Does not wait.
    package var isReadable: Bool {
        var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, 0) > 0
    }

    /// At most this many bytes, as one read(2) returns them; empty at the end.
    package borrowing func read(atMost limit: Int) throws(Errno) -> [UInt8] {
        try readSome(from: number, atMost: limit)
    }

    /// Everything up to the end, read in pieces of this many bytes.
    package borrowing func contents(inPieces size: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: size)
        while true {
            let count = try fill(&piece)
            if count == 0 { return bytes }
            bytes.append(contentsOf: piece[..<count])
        }
    }

    /// Everything up to the end. Throws `.fileTooLarge` if that is more than `limit` bytes.
    package borrowing func contents(atMost limit: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var length = 0
        while length < bytes.count {
            let file = number
            let count = try uninterrupted {
                unsafe bytes.withUnsafeMutableBytes {
                    unsafe Glibc.read(file, $0.baseAddress! + length, min($0.count - length, 64 << 10))
                }
            }
            if count == 0 { return Array(bytes[..<length]) }
            length += count
        }
        throw .fileTooLarge
    }

    private borrowing func fill(_ buffer: inout [UInt8]) throws(Errno) -> Int {
        let file = number
        return try uninterrupted {
            unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
        }
    }

    /// The bytes at an offset; fewer than `count` if the file ends there or cannot be read.
    package borrowing func read(_ count: Int, at offset: Int64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = unsafe pread(number, &bytes, count, off_t(offset))
        return Array(bytes[..<max(0, read)])
    }

    /// Returns whether all bytes were written.
    @discardableResult
    package borrowing func write(_ bytes: [UInt8], at offset: Int64) -> Bool {
        mayBlock()
        return unsafe pwrite(number, bytes, bytes.count, off_t(offset)) == bytes.count
    }
}

// MARK: Descriptors that others own, such as the standard streams

/// At most this many bytes, as one read(2) returns them; empty at the end.
package func readSome(from descriptor: Int32, atMost limit: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = try uninterrupted { unsafe read(descriptor, &bytes, limit) }
    bytes.removeLast(limit - count)
    return bytes
}

/// Writes all of a text, however long that takes; text that a closed pipe does not accept is lost.
package func writeAll(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN {
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = unsafe poll(&wait, 1, -1)
            continue
        }
        guard count > 0 else { return }
        bytes = bytes.dropFirst(count)
    }
}

/// Closes a descriptor in every program that this process starts.
package func closeOnExec(_ descriptor: Int32) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }

/// Makes `descriptor` lead to the same file as `other` (dup2(2)).
package func redirect(_ descriptor: Int32, to other: borrowing Descriptor) { dup2(other.number, descriptor) }

/// A pipe. Both ends are closed in every program that this process starts.
package struct Pipe: ~Copyable {
    package let reading: Descriptor
    package let writing: Descriptor

    /// - Parameter least: The numbers of both ends are higher.
    package init(above least: Int32) throws(Errno) {
        var ends: [Int32] = [-1, -1]
        try checkCall(unsafe pipe(&ends))
        let (low, lower) = (ends[0], ends[1])
        defer { for end in [low, lower] { close(end) } }
        let first = Descriptor(owning: try checkCall(fcntl(low, F_DUPFD_CLOEXEC, least + 1)))
        let second = Descriptor(owning: try checkCall(fcntl(lower, F_DUPFD_CLOEXEC, least + 1)))
        reading = first
        writing = second
    }

    /// Closes the writing end, and returns the other.
    package consuming func readingEnd() -> Descriptor { reading }
}

/// Whether a descriptor is a terminal (isatty(3)).
package func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

/// The width of a terminal in columns; nil if it is unknown.
package func terminalColumns(_ descriptor: Int32) -> Int? {
    var size = winsize()
    return unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
}
