internal import HelperProtocol

extension Broker {
    /// Removes a directory and everything beneath it, one slice at a time, following no symbolic link and crossing no
    /// mount. Beneath a cgroup root only directories are removed.
    func removeDirectory(
        _ place: Place, only: NodeIdentity?, _ slice: Slice, _ deadline: Deadline
    ) throws(Outcome) -> Answer {
        let root = try policy.root(of: place, for: .remove)
        return try privileges.raised([.dacOverride, .fowner]) { () throws(Outcome) -> Answer in
            do throws(Outcome) {
                let parent = try place.openParent(in: policy)
                let target = try parent.open(place.name.terminated, .directory)
                if let only, try target.status().identity != only { throw .refused(.identityMismatch) }
                audit.begin()
                removal.begin(slice, deadline, onlyDirectories: root.kind == .cgroup)
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

/// One slice of a directory's removal. A broker has one such object and reuses its memory for every request.
///
/// The path from the target down is held as open directories, at most `window` of them. In deeper trees, all of the
/// lowest are kept, and fewer of the others the farther up they are. Once the lowest are empty, the descent starts
/// again from the nearest kept directory above: in a tree of a million levels, directories are entered about five
/// million times in all. So no `..` is ever followed: if a hostile process moves directories meanwhile, going up could
/// lead anywhere. Each directory is opened with RESOLVE_NO_XDEV, which compares mounts and not devices, so a bind mount
/// of the same filesystem is noticed too.
final class DirectoryRemoval {
    private static var window: Int { 128 }
    /// How many levels are kept for reuse; those of a deeper tree are freed.
    private static var spares: Int { 16 }

    private var slice = Slice(entries: 1)
    private var deadline = Deadline(milliseconds: 0)
    /// The final deadline, for a request that has removed too little by its own deadline.
    private var lastDeadline = Deadline(milliseconds: 0)
    private var onlyDirectories = false
    /// The target and directories beneath it, in order of depth.
    private var levels: [Level] = []
    /// Finished levels, kept for reuse.
    private var spare: [Level] = []
    /// One large reader shared by all levels, to limit the memory that a tree takes. While a level uses it, the level's
    /// own reader is here.
    private lazy var large = EntryReader(large: true)
    private(set) var removed: UInt64 = 0
    /// How many directories were entered.
    private(set) var entered: UInt64 = 0
    /// How many directories were entered before the first entry was removed.
    private var enteredFirst: UInt64 = 0
    /// The obstacle that the outcome names if something cannot be removed. The rest is removed all the same.
    private var obstacle: Outcome?

    func begin(_ slice: Slice, _ deadline: Deadline, onlyDirectories: Bool) {
        self.slice = slice
        self.deadline = deadline
        lastDeadline = Deadline(milliseconds: Limits.deadlineMilliseconds)
        self.onlyDirectories = onlyDirectories
        (removed, entered, enteredFirst) = (0, 0, 0)
        obstacle = nil
    }

    func run(
        _ parent: borrowing Descriptor, _ name: InlineBytes<256>, _ target: consuming Descriptor
    ) throws(Outcome) -> Outcome {
        defer { while !levels.isEmpty { leave() } }
        push(target, name, depth: 0, isShared: slice.count > 1)
        while true {
            if removed >= UInt64(slice.entries) { return .inProgress }
            if removed == 0 { enteredFirst = entered }
            if deadline.isPast, hasGotAhead || lastDeadline.isPast { return removed > 0 ? .inProgress : .timedOut }
            let level = levels[levels.count - 1]
            if level.entries.isTooSmall, large.isLarge { swap(&level.entries, &large) }
            if let entry = try level.entries.next(level.directory) {
                try remove(entry, from: level)
                continue
            }
            if let outcome = try finish(level, parent) { return outcome }
        }
    }

    /// Whether this request has removed at least one entry, and one for each eight directories entered before the first
    /// removal. The next request must enter as many again: with less progress, deep entries would cost the square of
    /// their depth, or never be reached in time.
    private var hasGotAhead: Bool { removed > 0 && removed >= enteredFirst / 8 }

    private func push(_ directory: consuming Descriptor, _ name: InlineBytes<256>, depth: Int, isShared: Bool) {
        entered += 1
        let level = spare.popLast() ?? Level()
        level.begin(directory, name: name, depth: depth, isShared: isShared)
        levels.append(level)
    }

    /// Leaves the lowest level.
    private func leave() { retire(levels.removeLast()) }

    private func retire(_ level: Level) {
        level.entries.forget()
        if level.entries.isLarge { swap(&level.entries, &large) }
        level.begin(.none, name: InlineBytes(), depth: 0, isShared: false)
        if spare.count < Self.spares { spare.append(level) }
    }

    private func remove(_ entry: Entry, from level: Level) throws(Outcome) {
        let isEnteredByAll = level.hasFewDirectories && entry.seemsDirectory
        if level.isShared, !isEnteredByAll, !slice.includes(level.entries.terminatedName(of: entry)) { return }
        if entry.seemsDirectory {
            try enter(entry, from: level)
        } else if !onlyDirectories {
            do throws(Outcome) {
                try level.directory.unlink(level.entries.terminatedName(of: entry))
                level.note(removing: &removed)
            } catch {
                switch error.errno {
                case ErrorNumber.noEntry: break
                case ErrorNumber.isDirectory: try enter(entry, from: level)
                default: meet(error, at: level.entries.name(of: entry), in: level)
                }
            }
        }
    }

    private func enter(_ entry: Entry, from level: Level) throws(Outcome) {
        let directory: Descriptor
        do throws(Outcome) {
            directory = try level.directory.open(level.entries.terminatedName(of: entry), .directory)
        } catch {
            switch error.errno {
            case ErrorNumber.noEntry: return
            case ErrorNumber.notDirectory, ErrorNumber.loop:
                // The entry was replaced after it was read. The next pass handles it as what it is now.
                level.progressed = true
            default: meet(error, at: level.entries.name(of: entry), in: level)
            }
            return
        }
        if levels.count == Self.window { thinOut() }
        let isShared = level.hasFewDirectories && entry.seemsDirectory
        push(directory, level.entries.name(of: entry), depth: level.depth + 1, isShared: isShared)
    }

    /// Closes some levels above the lowest half: the farther up, the larger the gaps between the levels that are kept.
    private func thinOut() {
        let half = levels[levels.count / 2].depth
        let lowest = levels[levels.count - 1].depth
        var density = 8
        repeat {
            var above: Int?
            levels.removeAll { level in
                if let above, level.depth < half, (level.depth - above) * density < lowest - level.depth {
                    retire(level)
                    return true
                }
                above = level.depth
                return false
            }
            density /= 2
        } while levels.count > Self.window * 7 / 8
    }

    /// Called at a directory's end: removes it from its parent. Returns the outcome if it was the target.
    private func finish(_ level: Level, _ parent: borrowing Descriptor) throws(Outcome) -> Outcome? {
        let isTarget = level.depth == 0
        if isTarget, slice.count > 1 { return obstacle ?? .done }
        if !isTarget, levels[levels.count - 2].depth < level.depth - 1 {
            try descendAgain()
            return nil
        }
        do throws(Outcome) {
            if isTarget {
                try parent.removeDirectory(level.name.terminated)
                removed += 1
                return .done
            }
            let above = levels[levels.count - 2]
            try above.directory.removeDirectory(level.name.terminated)
            above.note(removing: &removed)
        } catch {
            let isFull = error.errno == ErrorNumber.notEmpty || error.errno == ErrorNumber.exists
            if isFull, level.isShared, !isTarget {
                // The remaining entries belong to another helper's share.
                leave()
                return nil
            }
            if isFull, !level.stuck, level.mayPassAgain() {
                // Entries were added meanwhile, or skipped by a reader because others were deleted while it read.
                try level.entries.rewind(level.directory)
                return nil
            }
            if isTarget {
                if error.isMissingEntry { return .done }
                meet(error, at: InlineBytes(), in: level)
                return obstacle ?? error
            }
            let above = levels[levels.count - 2]
            switch error.errno {
            case ErrorNumber.noEntry: break
            case ErrorNumber.notDirectory: above.progressed = true
            default:
                above.stuck = true
                let name = level.name
                let toldBeneath = isFull && level.stuck
                leave()
                if !toldBeneath { meet(error, at: name, in: above) }
                return nil
            }
        }
        leave()
        return nil
    }

    /// Leaves the lowest level, whose parent was closed earlier, and reads the nearest kept level again from its
    /// beginning. If nothing was removed since that level was last restarted, the rest cannot be removed.
    private func descendAgain() throws(Outcome) {
        leave()
        let above = levels[levels.count - 1]
        if removed == above.removedAtDescent {
            above.stuck = true
        } else {
            above.removedAtDescent = removed
            try above.entries.rewind(above.directory)
        }
    }

    /// Keeps the first obstacle; a mount takes precedence, because the orchestrator can have it removed.
    private func meet(_ error: Outcome, at name: InlineBytes<256>, in level: Level) {
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

    /// The path from the target to an entry of the lowest level, as far up as the levels are kept without a gap.
    private func path(to name: InlineBytes<256>) -> [UInt8] {
        var first = levels.count
        while first > 1, first == levels.count || levels[first - 1].depth == levels[first].depth - 1 { first -= 1 }
        var path: [UInt8] = []
        for level in levels[first...] {
            path += level.name.array
            path.append(0x2f)
        }
        return path + name.array
    }
}

/// One open directory between the target and the lowest level.
private final class Level {
    private(set) var directory = Descriptor.none
    private(set) var name = InlineBytes<256>()
    /// How many levels beneath the target, whose depth is 0.
    private(set) var depth = 0
    var entries = EntryReader()
    /// Whether other helpers remove their shares of its entries at the same time.
    private(set) var isShared = false
    /// Whether its subdirectories are shared too, because there are too few to give each helper some of its own.
    private(set) var hasFewDirectories = false
    /// Whether something was removed or replaced since the last pass over it began.
    var progressed = false
    /// Whether something in it, or deeper, cannot be removed.
    var stuck = false
    /// How many entries the request had removed when the descent was last restarted here.
    var removedAtDescent: UInt64 = 0
    private var idlePasses = 0

    /// Closes the previous directory and takes another.
    func begin(_ directory: consuming Descriptor, name: InlineBytes<256>, depth: Int, isShared: Bool) {
        self.directory = directory
        self.name = name
        self.depth = depth
        self.isShared = isShared
        hasFewDirectories = isShared && depth < Self.sharedDepth && directoriesAreFew()
        entries.forget()
        progressed = false
        stuck = false
        removedAtDescent = 0
        idlePasses = 0
    }

    /// A directory deeper than this is never shared. Where levels are closed on the way down, every helper would enter
    /// all directories again and again.
    private static var sharedDepth: Int { 64 }

    private func directoriesAreFew() -> Bool {
        do throws(Outcome) { return (2..<10).contains(try directory.status().links) } catch { return false }
    }

    func note(removing count: inout UInt64) {
        count += 1
        progressed = true
    }

    /// Whether another pass is worthwhile. A few passes that removed nothing are allowed, because another process may
    /// be adding entries.
    func mayPassAgain() -> Bool {
        idlePasses = progressed ? 0 : idlePasses + 1
        progressed = false
        return idlePasses < 4
    }

    /// Whether the entry, or this directory, is immutable or append-only (chattr(1)).
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
    /// Whether an entry of a shared directory belongs to this request's share (by the FNV-1a hash of its name).
    fileprivate func includes(_ terminatedName: Span<UInt8>) -> Bool {
        if count == 1 { return true }
        var hash: UInt32 = 0x811c_9dc5
        for index in 0..<(terminatedName.count - 1) { hash = (hash ^ UInt32(terminatedName[index])) &* 0x0100_0193 }
        return hash % UInt32(count) == UInt32(index)
    }
}
