internal import GRDB
package import LinuxSystem
internal import Synchronization

extension Registry {
    /// Locks a sandbox until the hold is released; nil if somebody else works on it.
    ///
    /// This may wait for the disk, but never for the holder.
    ///
    /// - Parameter deadline: Until when it may wait for another process's transaction, if the lock file is a new one.
    package func lock(
        _ sandbox: String, as holder: LockHolder, until deadline: ContinuousClock.Instant? = nil
    ) throws(Errno) -> SandboxHold? {
        try lockFile.attempt(LockRange(sandbox), holder) { (file) throws(Errno) in
            try isToBeUsed(file, until: deadline)
        }
    }

    /// Whether somebody works on a sandbox. The answer may be outdated when it arrives.
    package func isLocked(_ sandbox: String) throws(Errno) -> Bool { try lockFile.isHeld(LockRange(sandbox)) }

    /// The holder of a sandbox's lock; nil if nobody works on the sandbox, or if the holder could not write its line.
    package func lockHolder(of sandbox: String) throws(Errno) -> LockHolder? {
        try lockFile.holder(LockRange(sandbox))
    }

    /// Asks the holder of a sandbox's lock to give no more grace, until the returned hold is released.
    package func hurry(_ sandbox: String) throws(Errno) -> SandboxHold? { try lockFile.wish(LockRange(sandbox)) }

    /// The turn to do what precedes the removal of a sandbox's namespaces; nil if a program that any process started in
    /// another turn is still running, even if that process is dead.
    package func programTurn(_ sandbox: String) throws(Errno) -> SandboxHold? {
        try lockFile.turn(LockRange(sandbox))
    }

    /// The registered sandboxes whose lock's holder was killed at work, each with the kind of work, such as `remove`.
    package func abandonedWork() throws(RegistryError) -> [(sandbox: Sandbox, work: String)] {
        guard let abandoned = try? lockFile.abandoned(), !abandoned.isEmpty else { return [] }
        return try sandboxes().compactMap { sandbox in
            abandoned[LockRange(sandbox.id).hash].map { (sandbox, $0) }
        }
    }

    /// The lock file's path.
    package var lockPath: String { lockFile.path }

    // MARK: A lock file that was deleted

    /// Creates the lock file, and records its identity. If there is no space for it now, there may be when it is
    /// needed.
    func makeLockFile(until deadline: ContinuousClock.Instant?) {
        guard (try? lockFile.make()) == true else { return }
        try? lockFile.shown { (file) throws(Errno) in _ = try isToBeUsed(file, until: deadline) }
    }

    /// The lock file may have been deleted and created again while a sandbox was being worked on. The registry records
    /// every lock file that may still be in use; the kernel's list of locks shows which of them are.
    private func isToBeUsed(
        _ file: LockedFile, until deadline: ContinuousClock.Instant?
    ) throws(Errno) -> Bool {
        if onlyLockFile.withLock({ $0 }) == file.identity { return true }
        let known = (try? knownLockFiles()) ?? []
        if known.count == 1, known[0].identity == file.identity {
            onlyLockFile.withLock { $0 = file.identity }
            return true
        }
        guard let locks = KernelLock.all() else {
            if known.isEmpty { return true }
            throw Errno.noEntry
        }
        let own = locks.filter { $0.start == file.byte }.first { $0.inode == file.identity.inode }
        let others = known.map(\.file).filter { $0 != own?.file }
        if locks.contains(where: { $0.start == file.byte && others.contains($0.file) }) { return false }
        let inUse = others.filter { other in locks.contains { $0.file == other } }
        // If this cannot be written, it is checked again the next time.
        let latest = ContinuousClock.now + Self.busyTimeout
        let end = min(deadline ?? latest, latest)
        if let own, (try? keepLockFiles(inUse, own: own.file, file.identity, until: end)) != nil, inUse.isEmpty {
            onlyLockFile.withLock { $0 = file.identity }
        }
        return true
    }

    private func knownLockFiles() throws(RegistryError) -> [(file: String, identity: FileStatus.Identity)] {
        try read { database in
            try database.rows(sql: "SELECT file, device, inode FROM lock_file").map { row in
                let (device, inode): (Int64, Int64) = (row["device"], row["inode"])
                return (
                    row["file"],
                    FileStatus.Identity(device: UInt64(bitPattern: device), inode: UInt64(bitPattern: inode))
                )
            }
        }
    }

    private func keepLockFiles(
        _ inUse: [String], own: String, _ identity: FileStatus.Identity, until deadline: ContinuousClock.Instant
    ) throws(RegistryError) {
        try write(until: deadline) { database in
            let kept = inUse + [own]
            try database.execute(
                sql: "DELETE FROM lock_file WHERE file NOT IN (\(databaseQuestionMarks(count: kept.count)))",
                arguments: StatementArguments(kept))
            try database.execute(
                sql: "INSERT OR REPLACE INTO lock_file (file, device, inode) VALUES (?, ?, ?)",
                arguments: [own, Int64(bitPattern: identity.device), Int64(bitPattern: identity.inode)])
        }
    }
}
