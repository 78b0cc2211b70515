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

    /// Another holds the lock: of a file of the sandbox's own, or one that all share.
    struct ByOther: Error {
        fileprivate let path: String
        fileprivate let isOwnFile: Bool
    }

    /// Takes the lock if nobody holds it. This may have to wait for the disk.
    static func attempt(_ sandbox: String, registry: String) throws(RemovalError) -> Result<SandboxLock, ByOther> {
        let directory = registry + ".locks"
        let path = "\(directory)/\(sandbox)"
        do throws(LockError) {
            try makePrivateDirectory(directory)
            return try attempt(path, isOwnFile: true)
        } catch {
            guard error.isNoRoom else { throw .lock(path: path, errno: error.errno) }
        }
        // A full disk must not keep a pod from being removed. Then all sandboxes share a file that is there.
        do throws(LockError) {
            return try attempt(registry, isOwnFile: false)
        } catch {
            throw .lock(path: registry, errno: error.errno)
        }
    }

    private static func attempt(_ path: String, isOwnFile: Bool) throws(LockError) -> Result<SandboxLock, ByOther> {
        guard let file = try LockedFile(path, wait: false) else {
            return .failure(ByOther(path: path, isOwnFile: isOwnFile))
        }
        return .success(SandboxLock(path, file, isOwnFile: isOwnFile, false))
    }

    /// Waits for a lock that was held. flock has no deadline, so a thread waits for it; one that comes too late lets go at once.
    static func wait(
        for other: ByOther, of sandbox: String, timeout: Duration
    ) async throws(RemovalError) -> SandboxLock {
        let first = FirstResult<Result<SandboxLock, RemovalError>>()
        let timer = Task {
            try? await Task.sleep(for: timeout)
            first.finish(.failure(.busy(sandbox: sandbox, after: timeout)))
        }
        Task.detached {
            let result = await offPool { () -> Result<SandboxLock, RemovalError> in
                do throws(LockError) {
                    guard let file = try LockedFile(other.path, wait: true) else {
                        return .failure(.busy(sandbox: sandbox, after: timeout))
                    }
                    return .success(SandboxLock(other.path, file, isOwnFile: other.isOwnFile, true))
                } catch {
                    return .failure(.lock(path: other.path, errno: error.errno))
                }
            }
            first.finish(result)
        }
        let result = await first.value()
        timer.cancel()
        return try result.get()
    }

    /// Removes the lock file of a sandbox that is not registered any more: of a process that was killed right after it had
    /// forgotten the sandbox.
    static func discard(_ sandbox: String, registry: String) {
        let path = "\(registry).locks/\(sandbox)"
        guard let file = try? LockedFile(path, wait: false, make: false) else { return }
        file.removeFile(path)
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
