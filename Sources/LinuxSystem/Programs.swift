internal import CLinux
internal import CLinuxSystem
internal import Glibc

/// A program to start, with what it inherits from this process.
package struct ProgramStart {
    /// What a descriptor of the program leads to. Every other descriptor that is to be closed on exec is closed.
    package enum File {
        case descriptor(Int32)
        case null(readOnly: Bool)
    }

    package var path: String
    /// The program's name, which it sees as its first argument, and its arguments.
    package var words: [String]
    /// `NAME=VALUE`; nil for this process's own environment.
    package var environment: [String]?
    /// The descriptors of the program that differ from this process's, in the order in which they are made.
    package var files: [(number: Int32, file: File)] = []
    /// Whether descriptors above 2 are closed even if they are not to be closed on exec.
    package var closesOthers = false
    /// Whether no signal is blocked, and all are at their default.
    package var resetsSignals = false
    /// Whether the program leads a process group, so that the whole group can be killed.
    package var leadsGroup = false

    package init(_ path: String, words: [String], environment: [String]?) {
        self.path = path
        self.words = words
        self.environment = environment
    }

    /// Starts the program, and returns its pid (posix_spawn(3)).
    package func run() throws(Errno) -> Int32 {
        // A NUL would end a word too early.
        guard ([path] + words + (environment ?? [])).allSatisfy({ !$0.utf8.contains(0) }) else { throw .noEntry }
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        for (number, file) in files {
            switch file {
            // dup2(2) of a descriptor onto itself clears FD_CLOEXEC, too.
            case .descriptor(let own): unsafe posix_spawn_file_actions_adddup2(&actions, own, number)
            case .null(let readOnly):
                unsafe posix_spawn_file_actions_addopen(
                    &actions, number, "/dev/null", readOnly ? O_RDONLY : O_RDWR, 0)
            }
        }
        if closesOthers { unsafe system_spawn_closes_from(&actions, 3) }
        var flags: Int32 = 0
        if resetsSignals {
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe posix_spawnattr_setsigmask(&attributes, &signals)
            unsafe sigfillset(&signals)
            unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
            flags |= POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        }
        if leadsGroup {
            unsafe posix_spawnattr_setpgroup(&attributes, 0)
            flags |= POSIX_SPAWN_SETPGROUP
        }
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        var variables = unsafe (environment ?? []).map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var pid: Int32 = 0
        let inherited = unsafe environment == nil ? system_environment() : nil
        let error = unsafe variables.withUnsafeMutableBufferPointer { variables in
            unsafe posix_spawn(&pid, path, &actions, &attributes, &arguments, inherited ?? variables.baseAddress!)
        }
        guard error == 0 else { throw Errno(error) }
        return pid
    }
}

/// A child process, by its pidfd. Not killed when it is destroyed.
package final class Child: Sendable {
    package enum End: Equatable, Sendable {
        case running
        /// The exit status, or the negative number of the signal that ended it.
        case ended(Int32)
        /// It has already been reaped.
        case gone
    }

    package let process: Descriptor

    package init(_ start: ProgramStart) throws(Errno) {
        let pid = try start.run()
        let process = linux_pidfd_open(pid)
        if process < 0 {
            kill(pid, SIGKILL)
            _ = exitStatus(of: pid)
        }
        self.process = Descriptor(owning: try check(process))
    }

    package func killNow() { _ = linux_pidfd_send_signal(process.number, SIGKILL) }

    /// Reaps the child if it has ended.
    package func reap() -> End {
        var status: Int32 = 0
        switch unsafe system_reap(process.number, &status) {
        case 0: return .ended(status)
        case -EAGAIN: return .running
        default: return .gone
        }
    }
}

/// Waits for a child: its exit status, or 128 and the number of the signal that ended it, as a shell says it.
package func exitStatus(of pid: Int32) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
}

/// Whether a child has ended; if so, it is reaped.
package func hasEnded(child pid: Int32) -> Bool { waitpid(pid, nil, WNOHANG) != 0 }

/// A running program whose output is kept in the kernel, which holds some 200 KiB of it.
package struct HeardProgram: Sendable {
    package let pid: Int32
    private let output: Int32

    /// Starts the program with fd 0 on /dev/null, in a process group of its own, and with every signal unblocked and at
    /// its default.
    ///
    /// - Parameter kept: A descriptor that the program inherits as fd 3.
    package init(_ command: [String], environment: [String], keeping kept: Int32? = nil) throws(Errno) {
        let ends = try socketPair(SOCK_STREAM)
        let theirs = Descriptor(owning: ends.theirs)
        let ours = Descriptor(owning: ends.ours)
        var start = ProgramStart(command.first ?? "", words: command, environment: environment)
        start.files = [
            (0, .null(readOnly: true)), (1, .descriptor(theirs.number)), (2, .descriptor(theirs.number)),
        ]
        if let kept { start.files.append((3, .descriptor(kept))) }
        start.resetsSignals = true
        start.leadsGroup = true
        pid = try start.run()
        output = ours.release()
    }

    /// Reaps the program, and first kills its process group if `kill` is true. Returns its exit status (128 plus the
    /// signal number if a signal ended it) and the end of its output.
    package func end(kill: Bool) -> (status: Int32, output: [UInt8]) {
        if kill { Glibc.kill(-pid, SIGKILL) }
        let status = exitStatus(of: pid)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        // Does not wait, because the program's children may still hold the other end open.
        let count = unsafe recv(output, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        close(output)
        let text = bytes[..<max(0, count)].suffix(512)
        return (status, Array(text.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()))
    }
}

/// Runs a program to its end, with fd 0 and standard error on /dev/null, in a process group of its own, and returns its
/// exit status and the beginning of its standard output. Kills the group if the program takes longer or writes more.
///
/// - Parameters:
///   - words: The program's absolute path and its arguments.
///   - limit: The most bytes that are read.
package func output(
    of words: [String], environment: [String]?, within time: Duration, atMost limit: Int
) throws(Errno) -> (status: Int32, bytes: [UInt8]) {
    mayBlock()
    let ends = try Pipe(above: 2)
    var start = ProgramStart(words.first ?? "", words: words, environment: environment)
    start.files = [
        (0, .null(readOnly: true)), (1, .descriptor(ends.writing.number)), (2, .null(readOnly: false)),
    ]
    start.resetsSignals = true
    start.leadsGroup = true
    let pid = try start.run()
    let file = ends.readingEnd()
    let end = ContinuousClock.now + time
    var bytes: [UInt8] = []
    while limit > bytes.count, end > .now {
        var entry = pollfd(fd: file.number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, (end - .now).forPoll) > 0 else { continue }
        guard let more = try? file.read(atMost: 64 << 10), !more.isEmpty else { return (exitStatus(of: pid), bytes) }
        bytes += more
    }
    kill(-pid, SIGKILL)
    return (exitStatus(of: pid), bytes)
}
