internal import HelperProtocol

/// How many stacked mounts a request of version 1 detaches at one place, and any request detaches for one pin.
var stackLimit: Int { 64 }

extension Broker {
    /// Detaches the mounts at the place, topmost first, with everything mounted beneath them (umount2(2)), and never a
    /// symbolic link's target. With an identity, detaches only that mount.
    func unmount(
        _ place: Place, _ intent: Intent<MountIdentity>, _ deadline: Deadline
    ) throws(Outcome) -> Answer {
        _ = try policy.root(of: place, for: .unmount)
        // Only the answer of version 2 needs a copy of the directory without its mounts.
        let needed: CapabilitySet = version < 2 && intent == .look ? [.dacOverride] : [.dacOverride, .sysAdmin]
        return try privileges.raised(needed) { () throws(Outcome) -> Answer in
            let parent: Descriptor
            do throws(Outcome) {
                parent = try place.openParent(in: policy)
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                throw error
            }
            guard let top = try parent.topMount(at: place.name) else { return Answer(.alreadyDone) }
            switch intent {
            case .look:
                if version < 2 { return Answer(.done, .mount(top)) }
                return Answer(.done, .mountPoint(top, covers: try parent.covered(at: place.name)))
            case .act(let only?):
                guard top == only else { throw .refused(.identityMismatch) }
                audit.begin()
                try parent.unmount(place.name.terminated)
                return Answer(.done, .count(1))
            case .act(nil):
                audit.begin()
                let most = version < 2 ? stackLimit : Int(Limits.sliceEntries)
                let count = try parent.unmountAll(at: place.name, most, version < 2 ? nil : deadline)
                if try parent.topMount(at: place.name) == nil { return Answer(.done, .count(count)) }
                if version < 2 { throw .refused(.tooManyMounts) }
                return Answer(.inProgress, .count(count))
            }
        }
    }
}

extension Descriptor {
    /// The topmost mount at an entry; nil if the kernel says that there is none. EINVAL from umount2 would prove
    /// nothing: a locked mount also gives EINVAL, and stays mounted.
    func topMount(at name: InlineBytes<256>) throws(Outcome) -> MountIdentity? {
        let status: Status
        do throws(Outcome) {
            status = try self.status(name.terminated, mountOnly: true)
        } catch {
            if error.isMissingEntry { return nil }
            throw error
        }
        guard status.knowsMountRoots else { throw .refused(.kernelTooOld) }
        return status.isMountRoot ? status.mount : nil
    }

    /// The directory or file that the mounts at an entry cover; all 0 if the kernel cannot show it. A listing would tell
    /// its inode too, but some filesystems use a removed directory's inode for the next one.
    fileprivate func covered(at name: InlineBytes<256>) throws(Outcome) -> NodeIdentity {
        guard let bare = copyWithoutMounts() else { return NodeIdentity(device: 0, inode: 0, birth: 0) }
        return try bare.status(name.terminated).identity
    }

    /// Detaches mounts until none is left at the entry, but at most `most`; returns how many. The first is detached
    /// before the deadline is checked.
    func unmountAll(at name: InlineBytes<256>, _ most: Int, _ deadline: Deadline?) throws(Outcome) -> UInt64 {
        for count in 0..<most {
            let isLate = count > 0 && deadline?.isPast == true
            guard !isLate, try topMount(at: name) != nil else { return UInt64(count) }
            try unmount(name.terminated)
        }
        return UInt64(most)
    }
}
