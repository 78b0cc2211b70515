internal import Synchronization

/// The file by which processes keep each other from working on one sandbox at once. It lies beside the registry, is made once,
/// and stays.
///
/// There is one rule, whatever the filesystem lets a process do. Who wants a sandbox locks the byte of its range so that others
/// can (which a descriptor that is only read allows), and then looks whether others have. If so he lets go. So of two at once
/// at least one sees the other. Each lock has a descriptor of its own; the kernel lets go when its process dies.
package final class LockFile: Sendable {
    static let suffix = "-lock"

    package let path: String
    private let directory: Descriptor
    private let registryName: String
    private let name: String
    /// To look whether locks are held, without the noise that opening and closing makes.
    private let probe = Mutex<Descriptor?>(nil)

    /// - Parameter registry: The registry's path, without symbolic links.
    init(beside registry: String) throws(LockError) {
        let slash = registry.lastIndex(of: "/")
        let parent = slash.map { $0 == registry.startIndex ? "/" : String(registry[..<$0]) } ?? "."
        registryName = String(slash.map { registry[registry.index(after: $0)...] } ?? registry[...])
        name = registryName + Self.suffix
        path = registry + Self.suffix
        directory = try Descriptor.directory(parent)
    }

    /// Makes the file if it is not there: true then.
    @discardableResult
    func make() throws(LockError) -> Bool {
        if directory.identity(of: name) != nil { return false }
        // Releases up to 0.1 kept their locks there.
        directory.removeDirectory(registryName + ".locks")
        guard let made = try directory.newFile(name, ownedLike: registryName) else { return false }
        // So that there is room for lines when the disk is full. Without them a holder has no name, and that is all.
        made.write(Array((0..<LockSlots.count).map { _ in LockSlots.blank }.joined()), at: 0)
        return true
    }

    /// Calls `body` with a byte of the file locked that nobody minds: so the kernel lists the file.
    func shown(_ body: (LockedFile) throws(LockError) -> Void) throws(LockError) {
        let file = try open()
        let byte = LockSlots.byte(LockSlots.count)
        guard try file.share(byte), let identity = file.identity else { return }
        try body(LockedFile(identity: identity, byte: byte))
    }

    /// Locks a sandbox; nil where another has it.
    ///
    /// - Parameter isOfRegistry: Whether a file is the one to lock: that of its path, and no other of this registry is still in use.
    func attempt(
        _ range: LockRange, _ holder: LockHolder, isOfRegistry: (LockedFile) throws(LockError) -> Bool
    ) throws(LockError) -> SandboxHold? {
        if try isHeld(range) { return nil }
        for _ in 0..<8 {
            let file = try open()
            guard try Self.take(file, range.work) else { return nil }
            guard let identity = file.identity, identity == directory.identity(of: name) else { continue }
            guard try isOfRegistry(LockedFile(identity: identity, byte: range.work)) else { return nil }
            let slot = Self.sign(file, range, holder)
            return SandboxHold(file: file, range: range, slot: slot)
        }
        // Somebody replaces it all the time.
        throw LockError(Self.stale)
    }

    /// Whether somebody works on a sandbox, as far as this file tells.
    func isHeld(_ range: LockRange) throws(LockError) -> Bool {
        try looking { (file) throws(LockError) in try file.isLockedByOther(range.work) }
    }

    /// Who works on a sandbox; nil where nobody does, or he could not write his line.
    func holder(_ range: LockRange) throws(LockError) -> LockHolder? {
        try looking { (file) throws(LockError) in
            guard try file.isLockedByOther(range.work) else { return nil }
            for (slot, line) in Self.lines(file, range) {
                guard let found = LockSlots.read(line), found.hash == range.hash else { continue }
                if try file.isLockedByOther(LockSlots.byte(slot)) { return found.holder }
            }
            return nil
        }
    }

    /// The hashes of the sandboxes whose work ended with its process, and what each was.
    func abandoned() throws(LockError) -> [UInt64: String] {
        try looking { (file) throws(LockError) in
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

    /// A wish that whoever works on a sandbox gives no grace, until it is let go.
    func wish(_ range: LockRange) throws(LockError) -> SandboxHold? {
        let file = try open()
        return try file.share(range.hurry) ? SandboxHold(file: file, range: range, slot: nil) : nil
    }

    /// The turn to do what is done before a sandbox's namespaces go; nil while a program that was given another turn still runs.
    func turn(_ range: LockRange) throws(LockError) -> SandboxHold? {
        let file = try open()
        return try Self.take(file, range.hook) ? SandboxHold(file: file, range: range, slot: nil) : nil
    }

    // MARK: The file

    private static let stale = SystemCalls.stale

    private func open() throws(LockError) -> Descriptor {
        if let file = try directory.file(name) { return file }
        try make()
        guard let file = try directory.file(name) else { throw LockError(Self.stale) }
        return file
    }

    private func looking<Value>(_ body: (borrowing Descriptor) throws(LockError) -> Value) throws(LockError) -> Value {
        let result = probe.withLock { probe -> Result<Value, LockError> in
            do throws(LockError) {
                // It is opened again where the file was replaced.
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

    /// Locks a byte alone, by the rule above.
    private static func take(_ file: borrowing Descriptor, _ byte: Int64) throws(LockError) -> Bool {
        for _ in 0..<3 {
            guard try file.share(byte) else { return false }
            if try !file.isLockedByOther(byte) { return true }
            file.unlock(byte)
            // Who only tries as this one does has let go by now.
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

    /// Writes who holds the lock into a slot that nobody uses, and blanks what an earlier holder has left in another.
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

/// A file on which a byte is locked, before it is known whether that is the registry's file.
struct LockedFile: Sendable {
    let identity: Descriptor.Identity
    let byte: Int64
}

/// A sandbox's lock, or a wish of who waits for it, until it is let go.
package final class SandboxHold: Sendable {
    private let file: Mutex<Descriptor?>
    private let range: LockRange
    private let slot: Int?

    fileprivate init(file: consuming Descriptor, range: LockRange, slot: Int?) {
        self.file = Mutex(consume file)
        self.range = range
        self.slot = slot
    }

    deinit { release() }

    /// Lets go, once.
    package func release() {
        guard let held = file.withLock({ $0.take() }) else { return }
        if let slot { held.write(LockSlots.blank, at: LockSlots.offset(slot)) }
        // A child that has not executed its program yet has the descriptor too: closing it would not be enough.
        for byte in [range.work, range.hurry, range.hook] { held.unlock(byte) }
    }

    /// Leaves it to the programs that were given its descriptor: it is held until the last of them has ended.
    package func leaveToPrograms() { _ = file.withLock { $0.take() } }

    /// For a program to inherit, while this is held; nil where it was let go.
    package var descriptor: Int32? {
        file.withLock { file in
            guard file != nil else { return nil }
            return file!.raw()
        }
    }

    /// Whether somebody waits who wants no grace given.
    package var isHurried: Bool {
        file.withLock { file in
            guard file != nil else { return false }
            return (try? file!.isLockedByOther(range.hurry)) ?? false
        }
    }
}
