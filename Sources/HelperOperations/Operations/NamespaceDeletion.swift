internal import HelperProtocol

extension Broker {
    /// Deletes a namespace's pin directly beneath a namespace root: unmounts it, including stacked mounts, and unlinks
    /// the empty file that it was mounted on. Refuses anything but a namespace of the root's kind, or a pin's empty
    /// file.
    func deleteNamespace(_ place: Place, _ intent: Intent<NodeIdentity>) throws(Outcome) -> Answer {
        let root = try policy.root(of: place, for: .deleteNamespace)
        let needed: CapabilitySet = intent == .look ? [.dacOverride] : [.dacOverride, .sysAdmin]
        return try privileges.raised(needed) { () throws(Outcome) -> Answer in
            do throws(Outcome) {
                let directory = try place.openParent(in: policy)
                var (identity, mounted) = try directory.pin(place.name, root.kind)
                switch intent {
                case .act(let only?) where !only.names(identity, mounted: mounted): throw .refused(.identityMismatch)
                case .act:
                    audit.begin()
                    try directory.deletePin(place.name, root.kind, mounted: mounted)
                case .look: break
                }
                if mounted, version < 2 { identity.birth = 0 }
                return Answer(.done, .namespace(identity, mounted: mounted))
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                throw error.asResolution
            }
        }
    }
}

extension NodeIdentity {
    /// Whether `found` is the node of this identity. The client may not know a namespace's time; 0 then matches any.
    fileprivate func names(_ found: NodeIdentity, mounted: Bool) -> Bool {
        self == found || mounted && birth == 0 && device == found.device && inode == found.inode
    }
}

extension Descriptor {
    /// The identity of what is at a name: the pinned namespace, or the empty file that a pin left behind.
    fileprivate func pin(_ name: InlineBytes<256>, _ kind: RootKind) throws(Outcome) -> (NodeIdentity, mounted: Bool) {
        guard try topMount(at: name) != nil else {
            let status = try self.status(name.terminated)
            guard status.isRegular, status.isEmpty else { throw .refused(.notNamespace) }
            return (status.identity, false)
        }
        // The entry is examined before it is opened: opening a device or FIFO could block or have an effect.
        let entry = try openMounted(name.terminated, .path)
        guard try entry.isNamespace() else { throw .refused(.notNamespace) }
        let namespace = try openMounted(name.terminated, .file)
        guard try namespace.isNamespace() else { throw .refused(.notNamespace) }
        guard try namespace.namespaceKind() == kind else { throw .refused(.wrongNamespaceKind) }
        return (try namespace.status().namespaceIdentity, true)
    }

    fileprivate func deletePin(_ name: InlineBytes<256>, _ kind: RootKind, mounted: Bool) throws(Outcome) {
        var mounted = mounted
        // Each mount of a stack is examined, because what lies beneath a pin may not be a pin.
        for _ in 0..<stackLimit where mounted {
            try unmount(name.terminated)
            (_, mounted) = try pin(name, kind)
        }
        guard !mounted else { throw .refused(.tooManyMounts) }
        try unlink(name.terminated)
    }
}
