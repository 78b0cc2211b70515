internal import CTestNode
internal import Glibc

/// A C call that failed.
public struct SystemCallError: Error, CustomStringConvertible {
    public var call: String
    public var errno: Int32
    public var description: String { unsafe "\(call): \(String(cString: strerror(errno)))" }
}

@discardableResult
func check<Result: SignedInteger>(_ result: Result, _ call: @autoclosure () -> String) throws -> Result {
    guard result >= 0 else { throw SystemCallError(call: call(), errno: Int32(-result)) }
    return result
}

/// Texts in one block, each ended by a NUL.
private func block(_ texts: [String]) -> [CChar] { texts.flatMap { $0.utf8CString } }

/// What `node_start` gives: pid, pidfd, and our end of a socketpair or -1.
struct Started {
    var pid: Int32
    var process: Int32
    var socket: Int32
}

/// - Parameters:
///   - input: What becomes fd 0; nil for one end of a socketpair.
///   - output: What becomes fd 1, and errors fd 2; -1 for /dev/null.
func startProgram(_ start: ProgramStart, input: Int32?, output: Int32, errors: Int32) throws -> Started {
    let (arguments, environment) = (block(start.arguments), block(start.environment))
    let pairs = start.binds.flatMap { [$0.source ?? "", $0.target] }
    let binds = block(pairs)
    var (socket, process) = (Int32(-1), Int32(-1))
    let pid = unsafe start.program.withCString { program in
        unsafe arguments.withUnsafeBufferPointer { arguments in
            unsafe environment.withUnsafeBufferPointer { environment in
                unsafe binds.withUnsafeBufferPointer { binds in
                    var what = unsafe node_program(
                        program: program,
                        arguments: node_texts(texts: arguments.baseAddress, count: UInt32(start.arguments.count)),
                        environment: node_texts(texts: environment.baseAddress, count: UInt32(start.environment.count)),
                        binds: node_texts(texts: binds.baseAddress, count: UInt32(pairs.count)),
                        user: start.user, group: start.group, input: input ?? -1,
                        socketOwner: start.socketOwner ?? start.user, output: output, errors: errors)
                    return unsafe node_start(&what, &socket, &process)
                }
            }
        }
    }
    try check(pid, "start \(start.program)")
    return Started(pid: pid, process: process, socket: socket)
}

func waitForEnd(_ process: Int32, milliseconds: Int32) throws -> Int32? {
    var status: Int32 = 0
    let result = unsafe node_wait(process, milliseconds, &status)
    if result == -ETIMEDOUT { return nil }
    try check(result, "waitid")
    return status
}

func killProcess(_ process: Int32, _ signal: Int32) { _ = node_kill(process, signal) }

func closeDescriptor(_ descriptor: Int32) { if descriptor >= 0 { close(descriptor) } }

/// shutdown(2) of the writing half alone.
func closeWriting(_ socket: Int32) throws { try check(shutdown(socket, Int32(SHUT_WR)), "shutdown") }

func sendPacket(_ socket: Int32, _ bytes: [UInt8], _ descriptors: [Int32]) throws {
    let sent = unsafe bytes.withUnsafeBytes { bytes in
        unsafe descriptors.withUnsafeBufferPointer { descriptors in
            unsafe node_send(socket, bytes.baseAddress, bytes.count, descriptors.baseAddress, UInt32(descriptors.count))
        }
    }
    try check(sent, "sendmsg")
}

/// Nil where nothing comes in time.
func receivePacket(_ socket: Int32, milliseconds: Int32) throws -> (bytes: [UInt8], descriptor: Int32)? {
    var bytes = [UInt8](repeating: 0, count: 65536)
    var descriptor: Int32 = -1
    let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe node_receive(socket, $0.baseAddress, $0.count, milliseconds, &descriptor)
    }
    if count == -Int(ETIMEDOUT) { return nil }
    try check(count, "recvmsg")
    return (Array(bytes[..<count]), descriptor)
}

/// Both ends of a socketpair of `type`, or of a pipe.
func makePair(socketType type: Int32?) throws -> [Int32] {
    var made: [Int32] = [-1, -1]
    let result = unsafe made.withUnsafeMutableBufferPointer { pair in
        if let type { return unsafe node_socket_pair(type, pair.baseAddress) }
        return unsafe node_pipe(pair.baseAddress)
    }
    try check(result, "socketpair or pipe")
    return made
}

func bindDatagramSocket(_ path: String) throws -> Int32 {
    try check(unsafe node_datagram_socket(path), "bind \(path)")
}

func isSealed(_ memory: Int32) -> Bool { node_is_sealed(memory) == 1 }

/// The same of a memfd that a process has open, by its path beneath /proc.
public func isSealed(_ path: String) throws -> Bool {
    let memory = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard memory >= 0 else { throw SystemCallError(call: "open", errno: errno) }
    defer { close(memory) }
    return isSealed(memory)
}

/// What is there to read, up to `limit` bytes, from the current position or (files) from `offset`.
func readBytes(_ descriptor: Int32, limit: Int, offset: Int? = nil) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = unsafe buffer.withUnsafeMutableBytes { buffer in
        if let offset { return unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
        return unsafe read(descriptor, buffer.baseAddress, buffer.count)
    }
    guard count >= 0 else { throw SystemCallError(call: "read", errno: errno) }
    return Array(buffer[..<count])
}

/// Whether there is something to read, or the end.
func waitReadable(_ descriptor: Int32, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&entry, 1, milliseconds) > 0
}

public func currentUser() -> UInt32 { geteuid() }
public func currentProcess() -> Int32 { getpid() }

func linkTarget(_ path: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBufferPointer { unsafe node_read_link(path, $0.baseAddress, $0.count) }
    try check(count, "readlink \(path)")
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func findEntry(_ path: String, follow: Bool) -> Entry? {
    var found = node_found()
    guard unsafe node_entry(path, follow ? 1 : 0, &found) == 0 else { return nil }
    return Entry(device: found.device, inode: found.inode, birth: found.birth, mode: found.mode)
}

func atExit(_ body: @convention(c) () -> Void) { atexit(body) }

func monotonicSeconds() -> Double {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// Blocks this thread.
public func pause(milliseconds: UInt32) { usleep(1000 * milliseconds) }

/// Returns whether all bytes were written.
func writeBytes(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) } == bytes.count
}

func listDirectory(_ path: String) -> [(name: String, isDirectory: Bool)] {
    guard let stream = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [(name: String, isDirectory: Bool)] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard name != ".", name != ".." else { continue }
        names.append((name, unsafe entry.pointee.d_type == DT_DIR))
    }
    return names
}

/// At most so many bytes from a file's beginning; nil where it cannot be read.
func readFile(_ path: String, limit: Int) -> [UInt8]? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    while bytes.count < limit {
        guard let more = try? readBytes(file, limit: min(limit - bytes.count, 64 << 10)), !more.isEmpty else { break }
        bytes += more
    }
    return bytes
}
