internal import CLinux
internal import HelperProtocol

/// A point in time on CLOCK_MONOTONIC.
struct Deadline {
    private let end: Int64
    init(milliseconds: UInt32) { end = linux_monotonic_milliseconds() + Int64(milliseconds) }
    var isPast: Bool { remaining == 0 }
    /// Milliseconds left, for poll(2).
    var remaining: Int32 { Int32(max(0, min(end - linux_monotonic_milliseconds(), Int64(Int32.max)))) }
}

/// A child process and its pidfd.
struct Child: ~Copyable {
    let pid: Int32
    private let handle: Descriptor

    enum End { case exited, peerGone, timeout }

    /// fork(2). In the child, `body` runs and must not return. The child leads its own session, so that no terminal can
    /// stop it: setsid(2) refuses only a process group's leader. This process may be one, but a new child is not.
    static func fork(_ body: () -> Never) throws(Outcome) -> Child {
        let pid = try check(linux_fork(), .fork)
        if pid == 0 {
            _ = setsid()
            body()
        }
        return Child(pid: pid, handle: Descriptor(owning: try check(linux_pidfd_open(pid), .fork)))
    }

    /// Runs a program with the packet's descriptors as standard output and error, in its own session. It dies with this
    /// process.
    static func spawn(
        _ program: borrowing Descriptor, _ arguments: consuming ArgumentList, _ environment: consuming ArgumentList,
        _ streams: borrowing ReceivedPacket
    ) throws(Outcome) -> Child {
        var description = unsafe linux_program(
            file: program.raw, output: streams.first.raw, errors: streams.second.raw, most: UInt64(Limits.outputBytes),
            empty: EmptyPath.address)
        let result = unsafe arguments.withVector { arguments in
            unsafe environment.withVector { environment in unsafe linux_spawn(&description, arguments, environment) }
        }
        let pid = try check(result, .fork)
        return Child(pid: pid, handle: Descriptor(owning: try check(linux_pidfd_open(pid), .fork)))
    }

    /// Waits until the child ends, the peer at `socket` goes away, or the deadline passes.
    func wait(_ deadline: Deadline, orLossOf socket: borrowing Descriptor) throws(Outcome) -> End {
        var set: [2 of pollfd] = [
            pollfd(fd: handle.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: socket.raw, events: 0, revents: 0),
        ]
        var span = set.mutableSpan
        let count = unsafe span.withUnsafeMutableBufferPointer { set in
            unsafe linux_poll(set.baseAddress, 2, deadline.remaining)
        }
        try check(count, .wait)
        if set[0].revents != 0 { return .exited }
        return set[1].revents != 0 ? .peerGone : .timeout
    }

    /// Kills the process group that a spawned child leads.
    func killGroup() { _ = linux_kill(-pid, SIGKILL) }

    /// waitpid(2): the exit status, or the negative number of the signal that ended it.
    func reap() throws(Outcome) -> Int32 {
        var status: Int32 = 0
        try check(unsafe linux_reap(pid, &status), .wait)
        return status
    }
}

extension Descriptor {
    /// In a forked process: keeps only this descriptor open, as descriptor 0, and /dev/null, as 1 and 2.
    func takeOver() throws(Outcome) -> Descriptor {
        try check(linux_dup3(raw, 0, O_CLOEXEC), .open)
        try check(linux_close_range(3, UInt32.max), .open)
        return Descriptor(owning: 0)
    }
}

extension Descriptor {
    /// A pidfd (pidfd_open(2)): it always refers to the same process, even if another process gets its pid later.
    static func process(_ pid: Int32) throws(Outcome) -> Descriptor {
        Descriptor(owning: try check(linux_pidfd_open(pid), .wait))
    }

    /// pidfd_send_signal(2); false if the signal was not sent.
    func signal(_ signal: UInt8) -> Bool { signalError(signal) == 0 }

    /// The same; returns the error number, or 0 if the signal was sent.
    func signalError(_ signal: UInt8) -> Int32 { -linux_pidfd_send_signal(raw, Int32(signal)) }

    /// Opens a file of a process in `/proc`.
    static func ofProcess(_ pid: Int32, _ file: StaticString) throws(Outcome) -> Descriptor {
        var path: [UInt8] = []
        path.append("/proc/")
        path.append(decimal: UInt64(UInt32(bitPattern: pid)))
        path.append(0x2f)
        path.append(file)
        path.append(0)
        return try absolute(path.span, .file)
    }

    /// A copy of this program in memory that nobody can change, for a runtime that would otherwise copy itself at each
    /// start and execute the copy.
    func sealedCopy() throws(Outcome) -> Descriptor {
        let copy = Descriptor(owning: try check(linux_program_memfd(), .memfd))
        while try check(linux_sendfile(copy.raw, raw, 1 << 30), .read) > 0 {}
        try copy.seal()
        return copy
    }

    /// The same file at the only descriptor number that a launcher's filter lets execveat(2) name.
    func asProgram() throws(Outcome) -> Descriptor {
        Descriptor(owning: try check(linux_dup3(raw, LINUX_PROGRAM_DESCRIPTOR, O_CLOEXEC), .open))
    }
}

/// A program's arguments or environment: NUL-terminated strings in one block.
struct ArgumentList {
    private var bytes: [UInt8] = []
    private var starts: [Int] = []

    mutating func append(_ text: StaticString) {
        starts.append(bytes.count)
        for index in 0..<text.utf8CodeUnitCount { bytes.append(unsafe text.utf8Start[index]) }
        bytes.append(0)
    }

    mutating func append<let capacity: Int>(_ text: InlineBytes<capacity>) {
        starts.append(bytes.count)
        for index in 0..<text.count { bytes.append(text[index]) }
        bytes.append(0)
    }

    /// Appends a number in decimal.
    mutating func append(_ number: UInt8) {
        starts.append(bytes.count)
        if number >= 100 { bytes.append(0x30 + number / 100) }
        if number >= 10 { bytes.append(0x30 + number / 10 % 10) }
        bytes.append(0x30 + number % 10)
        bytes.append(0)
    }

    fileprivate mutating func withVector<Result>(
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let starts = starts
        return unsafe bytes.withUnsafeMutableBytes { block in
            var vector: [UnsafeMutablePointer<CChar>?] = unsafe []
            for start in starts {
                unsafe vector.append(block.baseAddress!.advanced(by: start).assumingMemoryBound(to: CChar.self))
            }
            unsafe vector.append(nil)
            return unsafe vector.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
        }
    }
}

/// A read-only empty string: the only path that the launcher's filter lets execveat(2) name.
enum EmptyPath {
    private static let text: StaticString = ""
    static var address: UnsafePointer<UInt8> { unsafe text.utf8Start }
}

func ownProcess() -> Int32 { getpid() }
func parentProcess() -> Int32 { getppid() }

/// _exit(2).
public func endProcess(_ status: Int32) -> Never { _exit(status) }
