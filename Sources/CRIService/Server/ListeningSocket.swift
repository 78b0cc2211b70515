internal import LinuxSystem

/// Why the daemon cannot listen.
public struct ListenError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// A Unix socket that this process alone serves.
///
/// If the transport bound the socket, it would remove a socket that another daemon is serving. This type locks a file
/// beside the socket instead: a second daemon is refused before it touches anything, and the socket of a dead daemon is
/// replaced.
public struct ListeningSocket: ~Copyable, Sendable {
    /// How many clients can have connected before they are accepted; others are turned away (listen(2)).
    private static let backlog: Int32 = 1024
    /// Handed to the transport, which closes it.
    let descriptor: Int32
    private let lock: Descriptor?
    private let path: String?

    /// Binds `path`, whose directory must exist.
    ///
    /// - Parameters:
    ///   - mode: The file's permissions. A process needs write permission to connect (unix(7)).
    ///   - group: The file's group; nil for the group that any file made by this process gets.
    public init(path: String, mode: UInt32, group: UInt32?) throws(ListenError) {
        do throws(SystemCallError) {
            let held = try lockWholeFile(path + ".lock")
            guard held != nil else { throw SystemCallError("flock", .addressInUse) }
            try Self.remove(path)
            descriptor = try listeningSocket(at: path, mode: mode, group: group, backlog: Self.backlog).release()
            lock = held
            self.path = path
        } catch {
            if error == SystemCallError("flock", .addressInUse) {
                throw ListenError(
                    description: "another podreapd serves \(path): stop it, or give this one another socket")
            }
            throw ListenError(description: "cannot listen at \(path): \(error)")
        }
    }

    /// Takes over a socket that a service manager has bound (sd_listen_fds(3)).
    public init(inherited descriptor: Int32) throws(ListenError) {
        guard isListeningSocket(descriptor) else {
            throw ListenError(
                description: """
                    the service manager's descriptor \(descriptor) is no listening Unix stream socket; use one \
                    ListenStream= with an absolute path
                    """)
        }
        closeOnExec(descriptor)
        self.descriptor = descriptor
        lock = nil
        path = nil
    }

    /// Undoes NIO's listen(2), which shortens the queue of clients to 128.
    static func lengthenQueue(of descriptor: Int32) throws(SystemCallError) {
        try listenAgain(on: descriptor, backlog: backlog)
    }

    /// Removes the socket's file. Nobody else can have bound `path` in the meantime, because the lock is still held.
    func removeFile() { if let path { try? Self.remove(path) } }

    private static func remove(_ path: String) throws(SystemCallError) {
        do throws(Errno) { try LinuxSystem.removeFile(path) } catch { throw SystemCallError("unlink", error) }
    }

    deinit { if lock != nil { removeFile() } }
}
