internal import Synchronization

/// Keeps every other removal or stop of one sandbox out, in all processes that share the registry, until it is let go.
///
/// A file for each sandbox beside the registry, locked with flock(2): the kernel lets go when a process dies.
final class SandboxLock: Sendable {
    private let path: String
    /// Whether the file is this lock's own and goes with it.
    private let isOwnFile: Bool
    private let file: Mutex<LockedFile?>

    /// Whether another held it first.
    let hadToWait: Bool

    /// Takes the lock, and waits for it without blocking a thread of the pool.
    ///
    /// - Parameter waiting: Called once, where another holds it.
    static func take(
        _ sandbox: String, registry: String, timeout: Duration, waiting: () -> Void
    ) async throws(RemovalError) -> SandboxLock {
        let directory = registry + ".locks"
        let path = "\(directory)/\(sandbox)"
        do throws(LockError) {
            try makePrivateDirectory(directory)
            if let file = try LockedFile(path, wait: false) { return SandboxLock(path, file, isOwnFile: true, false) }
        } catch {
            guard error.isNoRoom else { throw .lock(path: path, errno: error.errno) }
            // A full disk must not keep a pod from being removed. Then all sandboxes share a file that is there.
            return try await take(existing: registry, sandbox, timeout, waiting)
        }
        waiting()
        return try await take(path, isOwnFile: true, sandbox, timeout)
    }

    /// Removes the lock file of a sandbox that is not registered any more: of a process that was killed right after it had
    /// forgotten the sandbox.
    static func discard(_ sandbox: String, registry: String) {
        let path = "\(registry).locks/\(sandbox)"
        guard let file = try? LockedFile(path, wait: false, make: false) else { return }
        file.removeFile(path)
    }

    private static func take(
        existing path: String, _ sandbox: String, _ timeout: Duration, _ waiting: () -> Void
    ) async throws(RemovalError) -> SandboxLock {
        do throws(LockError) {
            if let file = try LockedFile(path, wait: false) { return SandboxLock(path, file, isOwnFile: false, false) }
        } catch {
            throw .lock(path: path, errno: error.errno)
        }
        waiting()
        return try await take(path, isOwnFile: false, sandbox, timeout)
    }

    /// flock has no deadline, so a thread waits for it; one that comes too late lets go at once.
    private static func take(
        _ path: String, isOwnFile: Bool, _ sandbox: String, _ timeout: Duration
    ) async throws(RemovalError) -> SandboxLock {
        let first = FirstResult<Result<SandboxLock, RemovalError>>()
        let timer = Task {
            try? await Task.sleep(for: timeout)
            first.finish(.failure(.busy(sandbox: sandbox, after: timeout)))
        }
        Task.detached {
            let result = await offPool { () -> Result<SandboxLock, RemovalError> in
                do throws(LockError) {
                    guard let file = try LockedFile(path, wait: true) else {
                        return .failure(.busy(sandbox: sandbox, after: timeout))
                    }
                    return .success(SandboxLock(path, file, isOwnFile: isOwnFile, true))
                } catch {
                    return .failure(.lock(path: path, errno: error.errno))
                }
            }
            first.finish(result)
        }
        let result = await first.value()
        timer.cancel()
        return try result.get()
    }

    private init(_ path: String, _ file: consuming LockedFile, isOwnFile: Bool, _ hadToWait: Bool) {
        self.path = path
        self.file = Mutex(consume file)
        self.isOwnFile = isOwnFile
        self.hadToWait = hadToWait
    }

    deinit { release() }

    /// Lets go, once, and removes the file.
    func release() {
        let held = file.withLock { file in file.take() }
        guard let held else { return }
        if isOwnFile { held.removeFile(path) }
    }
}
