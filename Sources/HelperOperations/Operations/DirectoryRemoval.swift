internal import HelperProtocol

extension Broker {
    /// Removes a directory and all beneath it, a slice at a time, following no symbolic link and crossing no mount.
    /// Beneath a cgroup root only directories are removed.
    func removeDirectory(
        _ place: Place, only: NodeIdentity?, _ slice: Slice, _ deadline: Deadline
    ) throws(Outcome) -> Answer {
        let root = try policy.directoryRoot(for: place, looking: false)
        return try privileges.raised([.dacOverride, .fowner]) { () throws(Outcome) -> Answer in
            do throws(Outcome) {
                let parent = try place.openParent(beneath: root)
                let target = try parent.open(place.name.terminated, .directory)
                if let only, try target.status().identity != only { throw .refused(.identityMismatch) }
                var removal = DirectoryRemoval(slice: slice, deadline: deadline, onlyDirectories: root.kind == .cgroup)
                let outcome = try removal.run(parent, place.name, target)
                return Answer(outcome, .count(removal.removed))
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                if error.errno == ErrorNumber.crossDevice { throw .refused(.mountBeneath) }
                throw error.asResolution
            }
        }
    }
}

/// One slice of a directory's removal.
///
/// The way from the target down is held as open directories, at most `window` of them. Deeper, the topmost are let
/// go, and once the lowest are empty the descent begins again from the target. So no `..` is ever followed: where a
/// hostile process moves directories about meanwhile, going up could lead anywhere. Each directory is opened with
/// RESOLVE_NO_XDEV, which compares mounts and not devices: a bind mount of the same filesystem is seen too.
struct DirectoryRemoval: ~Copyable {
    private static var window: Int { 128 }

    private let slice: Slice
    private let deadline: Deadline
    private let onlyDirectories: Bool
    private var levels: [Level] = []
    /// Whether `levels` begins beneath the target.
    private var detached = false
    private(set) var removed: UInt64 = 0
    /// The first thing that could not be removed. The rest is removed all the same.
    private var obstacle: Outcome?

    private enum Step { case goOn, again, end(Outcome) }

    init(slice: Slice, deadline: Deadline, onlyDirectories: Bool) {
        self.slice = slice
        self.deadline = deadline
        self.onlyDirectories = onlyDirectories
    }

    mutating func run(
        _ parent: borrowing Descriptor, _ name: InlineBytes<256>, _ target: consuming Descriptor
    ) throws(Outcome) -> Outcome {
        var removedBefore = removed
        levels = [Level(target, name: name)]
        while true {
            if removed >= UInt64(slice.entries) { return .inProgress }
            if deadline.isPast { return removed > 0 ? .inProgress : .timedOut }
            let level = levels[levels.count - 1]
            if let entry = try level.entries.next(level.directory) {
                try remove(entry, from: level)
                continue
            }
            switch try finish(level, parent) {
            case .goOn: continue
            case .end(let outcome): return outcome
            case .again:
                // Nothing gone since the last descent: what is left cannot be removed.
                guard removed > removedBefore else { return obstacle ?? .failed(Failure(errno: 39, call: .rmdir)) }
                removedBefore = removed
                detached = false
                levels = [Level(try parent.open(name.terminated, .directory), name: name)]
            }
        }
    }

    private mutating func remove(_ entry: Entry, from level: Level) throws(Outcome) {
        if !detached, levels.count == 1, !slice.includes(entry.name) { return }
        if entry.seemsDirectory {
            try enter(entry, from: level)
        } else if !onlyDirectories {
            do throws(Outcome) {
                try level.directory.unlink(entry.name.terminated)
                level.note(removing: &removed)
            } catch {
                switch error.errno {
                case ErrorNumber.noEntry: break
                case ErrorNumber.isDirectory: try enter(entry, from: level)
                default: meet(error, at: entry.name, in: level)
                }
            }
        }
    }

    private mutating func enter(_ entry: Entry, from level: Level) throws(Outcome) {
        let directory: Descriptor
        do throws(Outcome) {
            directory = try level.directory.open(entry.name.terminated, .directory)
        } catch {
            switch error.errno {
            case ErrorNumber.noEntry: return
            case ErrorNumber.notDirectory, ErrorNumber.loop:
                // Swapped for something else since it was read; the next pass meets it as what it is now.
                level.progressed = true
            default: meet(error, at: entry.name, in: level)
            }
            return
        }
        if levels.count == Self.window {
            levels.removeFirst()
            detached = true
        }
        levels.append(Level(directory, name: entry.name))
    }

    /// At a directory's end: removes it from the one above it.
    private mutating func finish(_ level: Level, _ parent: borrowing Descriptor) throws(Outcome) -> Step {
        let isTarget = levels.count == 1 && !detached
        if isTarget, slice.count > 1 { return .end(obstacle ?? .done) }
        if levels.count == 1, detached { return .again }
        do throws(Outcome) {
            if isTarget {
                try parent.removeDirectory(level.name.terminated)
                removed += 1
                return .end(.done)
            }
            let above = levels[levels.count - 2]
            try above.directory.removeDirectory(level.name.terminated)
            above.note(removing: &removed)
        } catch {
            let isFull = error.errno == ErrorNumber.notEmpty || error.errno == ErrorNumber.exists
            if isFull, !level.stuck, level.mayPassAgain() {
                // Entries that came meanwhile, or that a reader in the middle of deletions has skipped.
                try level.entries.rewind(level.directory)
                return .goOn
            }
            if isTarget {
                if error.isMissingEntry { return .end(.done) }
                meet(error, at: InlineBytes(), in: level)
                return .end(obstacle ?? error)
            }
            let above = levels[levels.count - 2]
            switch error.errno {
            case ErrorNumber.noEntry: break
            case ErrorNumber.notDirectory: above.progressed = true
            default:
                above.stuck = true
                levels.removeLast()
                if !(isFull && level.stuck) { meet(error, at: level.name, in: above) }
                return .goOn
            }
        }
        levels.removeLast()
        return .goOn
    }

    /// Keeps what stood in the way first, a mount before all: its removal is what the orchestrator can see to.
    private mutating func meet(_ error: Outcome, at name: InlineBytes<256>, in level: Level) {
        level.stuck = true
        var found = error
        switch error.errno {
        case ErrorNumber.crossDevice:
            found = .refused(.mountBeneath, detail: path(to: name))
        case ErrorNumber.busy where !onlyDirectories:
            found = .refused(.mountBeneath, detail: path(to: name))
        case ErrorNumber.notPermitted where level.isImmutable(name):
            found = .refused(.immutableEntry, detail: path(to: name))
        default:
            if case .failed(var failure) = error {
                failure.detail = path(to: name)
                found = .failed(failure)
            }
        }
        if case .refused(.mountBeneath, _) = obstacle { return }
        if case .refused(.mountBeneath, _) = found { obstacle = found }
        if obstacle == nil { obstacle = found }
    }

    /// The way from the target to an entry of the lowest level, as far as it is known.
    private func path(to name: InlineBytes<256>) -> [UInt8] {
        var path: [UInt8] = []
        for index in (detached ? 0 : 1)..<max(levels.count, 1) {
            path += levels[index].name.array
            path.append(0x2f)
        }
        return path + name.array
    }
}

/// One directory on the way down.
private final class Level {
    let directory: Descriptor
    let name: InlineBytes<256>
    var entries = EntryReader()
    /// Whether something was removed since the last pass over it began.
    var progressed = false
    /// Whether something in it, or deeper, cannot be removed.
    var stuck = false
    private var idlePasses = 0

    init(_ directory: consuming Descriptor, name: InlineBytes<256>) {
        self.directory = directory
        self.name = name
    }

    func note(removing count: inout UInt64) {
        count += 1
        progressed = true
    }

    /// Whether one more pass is worth it; a few that found nothing are allowed, as somebody may be adding entries.
    func mayPassAgain() -> Bool {
        idlePasses = progressed ? 0 : idlePasses + 1
        progressed = false
        return idlePasses < 4
    }

    /// Whether chattr(1) keeps the entry, or this directory its entries.
    func isImmutable(_ name: InlineBytes<256>) -> Bool {
        do throws(Outcome) {
            if try directory.status().isImmutable { return true }
            return name.count > 0 ? try directory.status(name.terminated).isImmutable : false
        } catch {
            return false
        }
    }
}

extension Slice {
    /// Whether an entry of the directory itself is in this request's share (by FNV-1a of its name).
    fileprivate func includes(_ name: InlineBytes<256>) -> Bool {
        if count == 1 { return true }
        var hash: UInt32 = 0x811c_9dc5
        for index in 0..<name.count { hash = (hash ^ UInt32(name[index])) &* 0x0100_0193 }
        return hash % UInt32(count) == UInt32(index)
    }
}
