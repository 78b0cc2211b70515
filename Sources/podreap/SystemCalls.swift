internal import Dispatch
internal import Glibc

/// Standard output or standard error.
enum Stream: Int32, Sendable {
    case output = 1
    case errors = 2

    /// Writes all of a text at once, so that lines of several tasks do not mix. What a closed pipe does not take is lost.
    func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    var isTerminal: Bool { isatty(rawValue) == 1 }

    /// The terminal's width in columns; 80 where it does not say.
    var columns: Int {
        var size = winsize()
        return unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}

/// A variable of the environment (environ(7)); nil where it is not set or empty.
func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
}

/// The bytes of a file, or of standard input where `path` is `-`: at most one more than `limit`, which tells that it is too long.
func readInput(_ path: String, limit: Int) throws(InputError) -> [UInt8] {
    let file = path == "-" ? 0 : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw InputError(path: path, number: errno) }
    defer { if file != 0 { close(file) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while bytes.count <= limit {
        let count = unsafe read(file, &buffer, buffer.count)
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

/// Ends this process, as exit(3).
func leave(_ status: Int32) -> Never { exit(status) }

/// Whether this process acts as root.
var isSuperuser: Bool { geteuid() == 0 }

/// The path of this program's file.
var programPath: String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
}

/// Becomes another program, found on the PATH; returns only where that fails.
func replaceProcess(_ command: [String]) {
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    unsafe execvp(command[0], &arguments)
    unsafe arguments.forEach { unsafe free($0) }
}

/// Calls `body` with the signal's number, on another thread, where the signal comes. Children start with it at its default.
func onSignal(_ number: Int32, _ body: @escaping @Sendable (Int32) -> Void) -> any DispatchSourceSignal {
    _ = signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler { body(number) }
    source.resume()
    return source
}

/// The signals that ask a program to end.
let endingSignals = [SIGINT, SIGTERM, SIGHUP]

/// Starts `/bin/sh -c COMMAND` in a process group of its own, with these variables beside this program's, nothing to
/// read, and standard error for all that it prints. Returns its pid.
func startShell(_ command: String, _ variables: [String]) throws(HookFailure) -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, 2, 1)
    // A thread of Swift's pool blocks signals, and the command would inherit that.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    let words = ["sh", "-c", command]
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    var inherited: [String] = []
    var next = unsafe environ
    while let variable = unsafe next.pointee {
        inherited.append(unsafe String(cString: variable))
        unsafe next += 1
    }
    let allVariables = inherited + variables
    var environment = unsafe allVariables.map { unsafe strdup($0) } + [nil]
    defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
    var pid: Int32 = 0
    let code = unsafe posix_spawn(&pid, "/bin/sh", &actions, &attributes, &arguments, &environment)
    guard code == 0 else {
        throw HookFailure(description: "the command cannot be started: \(unsafe String(cString: strerror(code)))")
    }
    return pid
}

/// Kills a child with its process group.
func killGroup(_ child: Int32) { kill(-child, SIGKILL) }

/// Waits for a child: its exit status, or the negative number of the signal that ended it.
func reap(_ child: Int32) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0 { guard errno == EINTR else { return 0 } }
    return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
}
