internal import GRDB
internal import Synchronization

extension Registry {
    /// Keeps everybody else from working on a sandbox until it is let go; nil where another works on it.
    ///
    /// It may have to wait for the disk, not for who holds it.
    package func lock(_ sandbox: String, as holder: LockHolder) throws(LockError) -> SandboxHold? {
        try lockFile.attempt(LockRange(sandbox), holder) { (file) throws(LockError) in try isToBeUsed(file) }
    }

    /// Whether somebody works on a sandbox. The answer may be old when it comes.
    package func isLocked(_ sandbox: String) throws(LockError) -> Bool { try lockFile.isHeld(LockRange(sandbox)) }

    /// Who works on a sandbox; nil where nobody does, or he could not write down who he is.
    package func lockHolder(of sandbox: String) throws(LockError) -> LockHolder? {
        try lockFile.holder(LockRange(sandbox))
    }

    /// Tells whoever works on a sandbox to give no more grace, until it is let go.
    package func hurry(_ sandbox: String) throws(LockError) -> SandboxHold? { try lockFile.wish(LockRange(sandbox)) }

    /// The turn to do what is done before a sandbox's namespaces go; nil while a program that was started in another turn still runs,
    /// by whomever, and even where that process is dead.
    package func programTurn(_ sandbox: String) throws(LockError) -> SandboxHold? {
        try lockFile.turn(LockRange(sandbox))
    }

    /// The registered sandboxes on which somebody worked who was killed, and what that was: `remove` and the like.
    package func abandonedWork() throws(RegistryError) -> [(sandbox: Sandbox, work: String)] {
        guard let abandoned = try? lockFile.abandoned(), !abandoned.isEmpty else { return [] }
        return try sandboxes().compactMap { sandbox in
            abandoned[LockRange(sandbox.id).hash].map { (sandbox, $0) }
        }
    }

    /// The lock file's path.
    package var lockPath: String { lockFile.path }

    // MARK: A lock file that was deleted

    /// Makes the lock file, and notes which it is. Where there is no room for it now, there may be when it is needed.
    func makeLockFile() {
        guard (try? lockFile.make()) == true else { return }
        try? lockFile.shown { (file) throws(LockError) in _ = try isToBeUsed(file) }
    }

    /// Somebody may have deleted the lock file while a sandbox was being worked on, so that there is another by now. The registry
    /// knows every file that may still be in use; the kernel says which is.
    private func isToBeUsed(_ file: LockedFile) throws(LockError) -> Bool {
        if onlyLockFile.withLock({ $0 }) == file.identity { return true }
        let known = (try? knownLockFiles()) ?? []
        if known.count == 1, known[0].identity == file.identity {
            onlyLockFile.withLock { $0 = file.identity }
            return true
        }
        guard let locks = KernelLock.all() else {
            if known.isEmpty { return true }
            throw LockError(SystemCalls.noEntry)
        }
        let own = locks.filter { $0.start == file.byte }.first { $0.inode == file.identity.inode }
        let others = known.map(\.file).filter { $0 != own?.file }
        if locks.contains(where: { $0.start == file.byte && others.contains($0.file) }) { return false }
        let inUse = others.filter { other in locks.contains { $0.file == other } }
        // Where it cannot be written, this is asked again the next time.
        if let own, (try? keepLockFiles(inUse, own: own.file, file.identity)) != nil, inUse.isEmpty {
            onlyLockFile.withLock { $0 = file.identity }
        }
        return true
    }

    private func knownLockFiles() throws(RegistryError) -> [(file: String, identity: Descriptor.Identity)] {
        try read { database in
            try database.rows(sql: "SELECT file, device, inode FROM lock_file").map { row in
                let (device, inode): (Int64, Int64) = (row["device"], row["inode"])
                return (
                    row["file"],
                    Descriptor.Identity(device: UInt64(bitPattern: device), inode: UInt64(bitPattern: inode))
                )
            }
        }
    }

    private func keepLockFiles(
        _ inUse: [String], own: String, _ identity: Descriptor.Identity
    ) throws(RegistryError) {
        try write { database in
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
