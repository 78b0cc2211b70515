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
    /// Handed to the transport, which closes it.
    let descriptor: Int32
    private let lock: Int32?
    private let path: String?

    /// Binds `path`, whose directory must exist.
    ///
    /// - Parameters:
    ///   - mode: The file's permissions. A process needs write permission to connect (unix(7)).
    ///   - group: The file's group; nil for the group that any file made by this process gets.
    public init(path: String, mode: UInt32, group: UInt32?) throws(ListenError) {
        do throws(CallFailure) {
            guard let lock = try SystemCalls.lock(path + ".lock") else {
                throw CallFailure("flock", SystemCalls.addressInUse)
            }
            do throws(CallFailure) {
                try SystemCalls.remove(path)
                descriptor = try SystemCalls.listen(at: path, mode: mode, group: group, backlog: 1024)
            } catch {
                SystemCalls.close(lock)
                throw error
            }
            self.lock = lock
            self.path = path
        } catch {
            if error.call == "flock", error.number == SystemCalls.addressInUse {
                throw ListenError(
                    description: "another podreapd serves \(path): stop it, or give this one another socket")
            }
            throw ListenError(description: "cannot listen at \(path): \(error.text)")
        }
    }

    /// Takes over a socket that a service manager has bound (sd_listen_fds(3)).
    public init(inherited descriptor: Int32) throws(ListenError) {
        guard SystemCalls.isListeningSocket(descriptor) else {
            throw ListenError(
                description: """
                    the service manager's descriptor \(descriptor) is no listening Unix stream socket; use one \
                    ListenStream= with an absolute path
                    """)
        }
        SystemCalls.closeOnExec(descriptor)
        self.descriptor = descriptor
        lock = nil
        path = nil
    }

    /// Removes the socket's file. Nobody else can have bound `path` in the meantime, because the lock is still held.
    func removeFile() { if let path { try? SystemCalls.remove(path) } }

    deinit {
        guard let lock else { return }
        removeFile()
        SystemCalls.close(lock)
    }
}
