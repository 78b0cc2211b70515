internal import Glibc

/// Reports when any process closes a file that was open for writing (inotify(7)).
struct CloseWatch: ~Copyable, Sendable {
    private let queue: Int32

    /// nil if this user has reached the limit of inotify instances.
    init?() {
        let queue = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard queue >= 0 else { return nil }
        self.queue = queue
    }

    deinit { close(queue) }

    /// A descriptor that becomes readable once the file at that path is closed; nil if the file cannot be watched.
    func watch(_ path: String) -> Int32? {
        unsafe inotify_add_watch(queue, path, UInt32(IN_CLOSE_WRITE)) < 0 ? nil : queue
    }

    /// Discards all pending events.
    func drain() {
        var events = [UInt8](repeating: 0, count: 4096)
        while unsafe read(queue, &events, events.count) > 0 {}
    }
}

var ownPID: Int32 { getpid() }

/// The error number of a call that starts a program (errno(3)).
struct StartError: Error, Sendable {
    let errno: Int32
    init(_ errno: Int32) { self.errno = errno }
}

/// A running program whose output is kept in the kernel, which holds some 200 KiB of it.
struct HookProgram: Sendable {
    let pid: Int32
    private let output: Int32

    /// Starts the program with fd 0 on /dev/null, and with every signal unblocked and at its default.
    ///
    /// - Parameter kept: A descriptor that the program inherits as fd 3.
    init(_ command: [String], _ environment: [String], keeping kept: Int32? = nil) throws(StartError) {
        var ends: [Int32] = [-1, -1]
        // A socketpair, because both ends are close-on-exec from the start.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw StartError(errno) }
        defer { close(ends[1]) }
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for number in 1...2 as ClosedRange<Int32> {
            unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], number)
        }
        if let kept { unsafe posix_spawn_file_actions_adddup2(&actions, kept, 3) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        // The program gets a process group of its own, so that the whole group can be killed.
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var pid: Int32 = 0
        let error = unsafe posix_spawn(&pid, command.first ?? "", &actions, &attributes, &arguments, &variables)
        guard error == 0 else {
            close(ends[0])
            throw StartError(error)
        }
        self.pid = pid
        output = ends[0]
    }

    /// Reaps the program, and first kills its process group if `kill` is true. Returns its exit status (128 plus the
    /// signal number if a signal ended it) and the end of its output.
    func end(kill: Bool) -> (status: Int32, output: [UInt8]) {
        if kill { Glibc.kill(-pid, SIGKILL) }
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        // Does not wait, because the program's children may still hold the other end open.
        let count = unsafe recv(output, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        close(output)
        let text = bytes[..<max(0, count)].suffix(512)
        let trimmed = text.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
        return (status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f, Array(trimmed))
    }
}
