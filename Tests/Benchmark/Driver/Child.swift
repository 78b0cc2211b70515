import Glibc

/// A program with pipes on its standard input and output. Not `TestNode.Program`, because its start is measured, and it is
/// also started by a worker that is not root.
final class Child {
    let pid: pid_t
    private var input: Int32
    private let output: Int32
    private var buffered: [UInt8] = []

    init(_ command: [String]) throws {
        var toChild: [Int32] = [-1, -1]
        var fromChild: [Int32] = [-1, -1]
        guard unsafe pipe(&toChild) == 0, unsafe pipe(&fromChild) == 0 else {
            throw Incomplete("pipe")
        }
        for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(&pid, command[0], &actions, nil, &arguments, environ)
        close(toChild[0])
        close(fromChild[1])
        guard code == 0 else { throw Incomplete("\(command[0]) cannot be started: error \(code)") }
        self.pid = pid
        input = toChild[1]
        output = fromChild[0]
    }

    deinit {
        closeInput()
        close(output)
    }

    func write(_ text: String) {
        var text = text
        _ = text.withUTF8 { unsafe Glibc.write(input, $0.baseAddress, $0.count) }
    }

    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// The next line without its end; what there is where the output ends before.
    func readLine() -> String {
        while true {
            if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffered.removeFirst(end + 1) }
                return String(decoding: buffered[..<end], as: UTF8.self)
            }
            guard fill() else { return String(decoding: buffered, as: UTF8.self) }
        }
    }

    func readAll() -> String {
        while fill() {}
        return String(decoding: buffered, as: UTF8.self)
    }

    private func fill() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(output, &bytes, bytes.count)
        if count > 0 { buffered += bytes[..<count] }
        return count > 0
    }

    /// Waits for its end: its exit status, or 255 where a signal ended it.
    func wait() -> Int32 {
        var status: Int32 = 0
        unsafe waitpid(pid, &status, 0)
        return status & 0x7f == 0 ? status >> 8 & 0xff : 255
    }
}
