internal import HelperProtocol

/// How many mounts stacked on one place a single request detaches.
var stackLimit: Int { 64 }

extension Broker {
    /// Detaches the mounts at the place, topmost first, with what is mounted beneath them (umount2(2)); never a
    /// symbolic link's target. With an identity, that mount alone.
    func unmount(_ place: Place, _ intent: Intent<MountIdentity>) throws(Outcome) -> Answer {
        let root = try policy.unmountRoot(for: place)
        let needed: CapabilitySet = intent == .look ? [.dacOverride] : [.dacOverride, .sysAdmin]
        return try privileges.raised(needed) { () throws(Outcome) -> Answer in
            let parent: Descriptor
            do throws(Outcome) {
                parent = try place.openParent(beneath: root)
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                throw error
            }
            guard let top = try parent.topMount(at: place.name) else { return Answer(.alreadyDone) }
            switch intent {
            case .look:
                return Answer(.done, .mount(top))
            case .act(let only?):
                guard top == only else { throw .refused(.identityMismatch) }
                try parent.unmount(place.name.terminated)
                return Answer(.done, .count(1))
            case .act(nil):
                return Answer(.done, .count(try parent.unmountAll(at: place.name)))
            }
        }
    }
}

extension Descriptor {
    /// The topmost mount at an entry, or nil where the kernel says that none is there. EINVAL from umount2 would
    /// prove nothing: a locked mount gives it too, and is still mounted.
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

    /// Detaches until no mount is left at the entry; how many there were.
    func unmountAll(at name: InlineBytes<256>) throws(Outcome) -> UInt64 {
        for count in 0..<stackLimit {
            guard try topMount(at: name) != nil else { return UInt64(count) }
            try unmount(name.terminated)
        }
        guard try topMount(at: name) == nil else { throw .refused(.tooManyMounts) }
        return UInt64(stackLimit)
    }
}
