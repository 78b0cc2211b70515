internal import EventLoop
internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// Standard output, standard error, and the pipes between a root process and the process of the registry's owner that
/// it started.
enum Stream: Int32, Sendable {
    case output = 1
    case errors = 2
    /// From the owner's process to the root process.
    case owner = 3
    /// From the root process to the owner's process.
    case root = 4

    /// Writes a whole text at once, so that lines of several tasks do not mix. Text that a closed pipe does not take is
    /// lost.
    ///
    /// Waits for the reader, unless `queueAll` was called.
    func write(_ text: String) {
        if Self.isQueued.load(ordering: .relaxed), let queue { return queue.add(text, isKept: true) }
        writeAll(text, to: rawValue)
    }

    /// Reads up to the end of a line; empty if the other end is closed.
    func readLine() -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.last != UInt8(ascii: "\n") {
            let count = unsafe read(rawValue, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    var isPipe: Bool {
        var found = stat()
        return unsafe fstat(rawValue, &found) == 0 && found.st_mode & S_IFMT == S_IFIFO
    }

    /// Closes these streams in every program that this process starts.
    static func keepFromOthers(_ streams: [Stream]) {
        for stream in streams { _ = fcntl(stream.rawValue, F_SETFD, FD_CLOEXEC) }
    }

    /// Queues text about progress, which is left out if 16 MiB already wait for the reader. Use after `queueAll`.
    func tell(_ text: String) { queue?.add(text) }

    /// From here on only the end of this process waits for the reader: a full pipe must not hold up work.
    static func queueAll() { isQueued.store(true, ordering: .relaxed) }

    /// Waits until all that was queued has been written.
    static func flush() {
        guard isQueued.load(ordering: .relaxed) else { return }
        for stream in [output, errors] { stream.queue?.flush() }
    }

    /// Whether everything that was queued has been written.
    var isRead: Bool { queue?.isIdle ?? true }

    private var queue: OutputQueue? {
        switch self {
        case .output: Self.outputQueue
        case .errors: Self.errorQueue
        case .owner, .root: nil
        }
    }
    private static let isQueued = Atomic(false)
    private static let outputQueue = OutputQueue(descriptor: 1, bound: mostQueued) { count in
        // The note goes to standard error, because standard output holds JSON or a table.
        complain(leftOut(count))
        return ""
    }
    private static let errorQueue = OutputQueue(descriptor: 2, bound: mostQueued) { "podreap: \(leftOut($0))\n" }
    private static let mostQueued = 16 << 20

    private static func leftOut(_ count: Int) -> String {
        "warning: \(count) lines about the progress were left out because nobody read them"
    }

    var isTerminal: Bool { isatty(rawValue) == 1 }

    /// The terminal's width in columns; 80 if it is unknown.
    var columns: Int {
        var size = winsize()
        return unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}

/// A variable of the environment (environ(7)); nil if it is not set or empty.
func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
}

/// Opens a file as standard input, unless `path` is `-`.
func openInput(_ path: String) throws(InputError) {
    guard path != "-" else { return }
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw InputError(path: path, number: errno) }
    guard file != 0 else { return }
    dup2(file, 0)
    close(file)
}

/// Reads standard input, which error messages call `path`. Returns at most one byte more than `limit`, which shows that
/// the input is too long.
func readInput(_ path: String, limit: Int) throws(InputError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while bytes.count <= limit {
        let count = unsafe read(0, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw InputError(path: path, number: errno) }
        if count == 0 { return bytes }
        bytes += buffer[..<count]
    }
    return Array(bytes.prefix(limit + 1))
}

/// A file that cannot be read.
struct InputError: Error, CustomStringConvertible {
    let path: String
    let number: Int32

    var description: String {
        let reason = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        return "\(path == "-" ? "standard input" : path) cannot be read: \(reason)"
    }
}

/// Ends this process like exit(3), once all queued output is written.
func leave(_ status: Int32) -> Never {
    Stream.flush()
    exit(status)
}

/// Whether this process acts as root.
var isSuperuser: Bool { geteuid() == 0 }

/// The path of this program's file.
var programPath: String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
}

/// Runs this program with other arguments, but the same environment and standard streams. Returns its exit status, or
/// 128 plus the signal that ended it, and the bytes that it wrote to `Stream.owner`.
///
/// - Parameter answer: Returns the answer to a line that the process wrote, which is sent to its `Stream.root`. Lines
///   that are answered are not part of the result.
func handedOver(
    by arguments: [String], answering answer: ((String) -> String)? = nil
) throws(InputError) -> (status: Int32, bytes: [UInt8]) {
    // Helpers that are started in the meantime close every descriptor that they inherit.
    let (ends, answers) = (try pipeEnds(), try pipeEnds())
    defer { for end in [ends[0]] + answers { close(end) } }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    // Both descriptors have higher numbers than those that the child uses, so neither is overwritten.
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], Stream.owner.rawValue)
    if answer != nil { unsafe posix_spawn_file_actions_adddup2(&actions, answers[0], Stream.root.rawValue) }
    var words = unsafe (["podreap"] + arguments).map { unsafe strdup($0) } + [nil]
    var variables = unsafe ProcessInfo.processInfo.environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
    defer {
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe (words + variables).forEach { unsafe free($0) }
    }
    var pid: Int32 = 0
    let error = unsafe posix_spawn(&pid, "/proc/self/exe", &actions, nil, &words, &variables)
    close(ends[1])
    guard error == 0 else { throw InputError(path: programPath, number: error) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe read(ends[0], &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        bytes += buffer[..<count]
        while let answer, let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            writeAll(answer(String(decoding: bytes[...end], as: UTF8.self)), to: answers[1])
            bytes = Array(bytes[(end + 1)...])
        }
    }
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return (status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f, bytes)
}

/// The read end and the write end of a new pipe, neither with the number of a `Stream`.
private func pipeEnds() throws(InputError) -> [Int32] {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw InputError(path: "pipe", number: errno) }
    let above = ends.map { fcntl($0, F_DUPFD_CLOEXEC, Stream.root.rawValue + 1) }
    for end in ends { close(end) }
    guard above.allSatisfy({ $0 >= 0 }) else { throw InputError(path: "pipe", number: errno) }
    return above
}
