internal import LinuxSystem
internal import Synchronization

/// The file with which processes keep each other from working on one sandbox at the same time. It lies beside the
/// registry, is created once, and stays.
///
/// One rule holds, whatever the filesystem allows a process to do. A process that wants a sandbox takes a shared lock
/// on the sandbox's byte, which also works on a descriptor that is opened read-only, and then checks whether another
/// process has locked the byte too. If so, it releases its lock. Of two processes that try at once, at least one
/// therefore sees the other. Each lock has a descriptor of its own; the kernel releases the lock when the process dies.
package final class LockFile: Sendable {
    static let suffix = "-lock"

    package let path: String
    private let directory: LockDirectory
    private let registryName: String
    private let name: String
    /// A descriptor that stays open for checking locks, so that a check need not open and close the file.
    private let probe = Mutex<Descriptor?>(nil)

    /// - Parameter registry: The registry's path, without symbolic links.
    init(beside registry: String) throws(Errno) {
        let slash = registry.lastIndex(of: "/")
        let parent = slash.map { $0 == registry.startIndex ? "/" : String(registry[..<$0]) } ?? "."
        registryName = String(slash.map { registry[registry.index(after: $0)...] } ?? registry[...])
        name = registryName + Self.suffix
        path = registry + Self.suffix
        directory = try LockDirectory(parent)
    }

    /// Creates the file if it does not exist; returns true if it was created.
    @discardableResult
    func make() throws(Errno) -> Bool {
        if directory.identity(of: name) != nil { return false }
        // Releases up to 0.1 kept their locks in this directory.
        directory.removeDirectory(registryName + ".locks")
        guard let made = try directory.newFile(name, ownedLike: registryName) else { return false }
        // Reserves space for the lines, in case the disk is full later. Without that space only the holder's name is
        // lost.
        made.write(Array((0..<LockSlots.count).map { _ in LockSlots.blank }.joined()), at: 0)
        return true
    }

    /// Calls `body` with a byte of the file locked that nothing else uses, so that the kernel lists the file.
    func shown(_ body: (LockedFile) throws(Errno) -> Void) throws(Errno) {
        let file = try open()
        let byte = LockSlots.byte(LockSlots.count)
        guard try file.share(byte), let identity = file.identity else { return }
        try body(LockedFile(identity: identity, byte: byte))
    }

    /// Locks a sandbox; nil if it is locked already.
    ///
    /// - Parameter isOfRegistry: Whether a file is the one to lock: it is the file at the lock file's path, and no
    ///   other lock file of this registry is still in use.
    func attempt(
        _ range: LockRange, _ holder: LockHolder, isOfRegistry: (LockedFile) throws(Errno) -> Bool
    ) throws(Errno) -> SandboxHold? {
        if try isHeld(range) { return nil }
        for _ in 0..<8 {
            let file = try open()
            guard try Self.take(file, range.work) else { return nil }
            guard let identity = file.identity, identity == directory.identity(of: name) else { continue }
            guard try isOfRegistry(LockedFile(identity: identity, byte: range.work)) else { return nil }
            let slot = Self.sign(file, range, holder)
            return SandboxHold(file: file, range: range, slot: slot)
        }
        // The file is being replaced again and again.
        throw Errno.stale
    }

    /// Whether somebody works on a sandbox, as far as this file shows.
    func isHeld(_ range: LockRange) throws(Errno) -> Bool {
        try looking { (file) throws(Errno) in try file.isLockedByOther(range.work) }
    }

    /// The holder of a sandbox's lock; nil if nobody works on the sandbox, or if the holder could not write its line.
    func holder(_ range: LockRange) throws(Errno) -> LockHolder? {
        try looking { (file) throws(Errno) in
            guard try file.isLockedByOther(range.work) else { return nil }
            for (slot, line) in Self.lines(file, range) {
                guard let found = LockSlots.read(line), found.hash == range.hash else { continue }
                if try file.isLockedByOther(LockSlots.byte(slot)) { return found.holder }
            }
            return nil
        }
    }

    /// The work that was cut short by the end of its process, by the hash of the sandbox's id.
    func abandoned() throws(Errno) -> [UInt64: String] {
        try looking { (file) throws(Errno) in
            let text = file.read(LockSlots.count * LockSlots.size, at: 0)
            var found: [UInt64: String] = [:]
            for slot in 0..<(text.count / LockSlots.size) {
                let line = text[slot * LockSlots.size..<(slot + 1) * LockSlots.size]
                guard let read = LockSlots.read(line), try !file.isLockedByOther(LockSlots.byte(slot)) else { continue }
                found[read.hash] = read.holder.work
            }
            return found
        }
    }

    /// Asks the holder of a sandbox's lock to give no grace, until the returned hold is released.
    func wish(_ range: LockRange) throws(Errno) -> SandboxHold? {
        let file = try open()
        return try file.share(range.hurry) ? SandboxHold(file: file, range: range, slot: nil) : nil
    }

    /// The turn to do what precedes the removal of a sandbox's namespaces; nil if a program that was given another turn
    /// is still running.
    func turn(_ range: LockRange) throws(Errno) -> SandboxHold? {
        let file = try open()
        return try Self.take(file, range.hook) ? SandboxHold(file: file, range: range, slot: nil) : nil
    }

    // MARK: The file

    private func open() throws(Errno) -> Descriptor {
        if let file = try directory.file(name) { return file }
        try make()
        guard let file = try directory.file(name) else { throw Errno.stale }
        return file
    }

    private func looking<Value>(_ body: (borrowing Descriptor) throws(Errno) -> Value) throws(Errno) -> Value {
        let result = probe.withLock { probe -> Result<Value, Errno> in
            do throws(Errno) {
                // Opens the file again if it was replaced.
                if let known = probe?.identity, known == directory.identity(of: name) {
                } else {
                    probe = try open()
                }
                return .success(try body(probe!))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Locks a byte so that no other holder has it, by the rule above.
    private static func take(_ file: borrowing Descriptor, _ byte: Int64) throws(Errno) -> Bool {
        for _ in 0..<3 {
            guard try file.share(byte) else { return false }
            if try !file.isLockedByOther(byte) { return true }
            file.unlock(byte)
            // A competitor that was only trying, like this call, has released its lock by now.
            if try file.isLockedByOther(byte) { return false }
        }
        return false
    }

    private static func lines(
        _ file: borrowing Descriptor, _ range: LockRange
    ) -> [(slot: Int, line: ArraySlice<UInt8>)] {
        let first = LockSlots.number(range, 0)
        let straight = min(LockSlots.candidates, LockSlots.count - first)
        var text = file.read(straight * LockSlots.size, at: LockSlots.offset(first))
        text += [UInt8](repeating: 0, count: straight * LockSlots.size - text.count)
        if straight < LockSlots.candidates {
            text += file.read((LockSlots.candidates - straight) * LockSlots.size, at: 0)
        }
        return (0..<(text.count / LockSlots.size)).map { candidate in
            (LockSlots.number(range, candidate), text[candidate * LockSlots.size..<(candidate + 1) * LockSlots.size])
        }
    }

    /// Writes the holder into a slot that nobody uses, and blanks the lines that earlier holders of the same lock left
    /// in other slots.
    private static func sign(
        _ file: borrowing Descriptor, _ range: LockRange, _ holder: LockHolder
    ) -> Int? {
        var taken: Int?
        for (slot, line) in lines(file, range) {
            let isOwn = LockSlots.read(line)?.hash == range.hash
            guard taken == nil || isOwn, let isFree = try? take(file, LockSlots.byte(slot)), isFree else { continue }
            if taken == nil {
                if file.write(LockSlots.line(holder, range), at: LockSlots.offset(slot)) {
                    taken = slot
                    continue
                }
            } else {
                file.write(LockSlots.blank, at: LockSlots.offset(slot))
            }
            file.unlock(LockSlots.byte(slot))
            if taken == nil { return nil }
        }
        return taken
    }
}

/// A file in which a byte is locked, before it is known whether it is the registry's lock file.
struct LockedFile: Sendable {
    let identity: FileStatus.Identity
    let byte: Int64
}

/// A sandbox's lock, a request to the lock's holder, or a turn; held until it is released.
package final class SandboxHold: Sendable {
    private let file: Mutex<Descriptor?>
    private let range: LockRange
    private let slot: Int?
    private let number: Int32

    fileprivate init(file: consuming Descriptor, range: LockRange, slot: Int?) {
        number = file.number
        self.file = Mutex(consume file)
        self.range = range
        self.slot = slot
    }

    deinit { release() }

    /// Releases the lock; further calls do nothing.
    package func release() {
        guard let held = file.withLock({ $0.take() }) else { return }
        if let slot { held.write(LockSlots.blank, at: LockSlots.offset(slot)) }
        // A child process that has not executed its program yet also has the descriptor, so closing it would not be
        // enough.
        for byte in [range.work, range.hurry, range.hook] { held.unlock(byte) }
    }

    /// Leaves the lock to the programs that inherited its descriptor: it is held until the last of them has ended.
    package func leaveToPrograms() { _ = file.withLock { $0.take() } }

    /// The descriptor for a program to inherit; nil if the lock was released.
    package var descriptor: Int32? {
        file.withLock { $0 == nil ? nil : number }
    }

    /// Whether a process that waits has asked for no grace to be given.
    package var isHurried: Bool {
        file.withLock { file in
            guard file != nil else { return false }
            return (try? file!.isLockedByOther(range.hurry)) ?? false
        }
    }
}
