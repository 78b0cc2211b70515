internal import HelperProtocol

extension Broker {
    /// Deletes a namespace's pin directly beneath a namespace root: unmounts it, stacked ones too, and unlinks the
    /// empty file that it was mounted on. Anything but a namespace of the root's kind is refused.
    func deleteNamespace(_ place: Place, _ intent: Intent<NodeIdentity>) throws(Outcome) -> Answer {
        let root = try policy.root(of: place, for: .deleteNamespace)
        let needed: CapabilitySet = intent == .look ? [.dacOverride] : [.dacOverride, .sysAdmin]
        return try privileges.raised(needed) { () throws(Outcome) -> Answer in
            do throws(Outcome) {
                let directory = try place.openParent(in: policy)
                var (identity, mounted) = try directory.pin(place.name, root.kind)
                switch intent {
                case .act(let only?) where !only.names(identity, mounted: mounted): throw .refused(.identityMismatch)
                case .act: try directory.deletePin(place.name, root.kind, mounted: mounted)
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
    /// Whether what was found is this one. A namespace's time may be unknown to who asks.
    fileprivate func names(_ found: NodeIdentity, mounted: Bool) -> Bool {
        self == found || mounted && birth == 0 && device == found.device && inode == found.inode
    }
}

extension Descriptor {
    /// What is pinned at a name: the namespace, or the empty file that a pin has left.
    fileprivate func pin(_ name: InlineBytes<256>, _ kind: RootKind) throws(Outcome) -> (NodeIdentity, mounted: Bool) {
        guard try topMount(at: name) != nil else {
            let status = try self.status(name.terminated)
            guard status.isRegular, status.isEmpty else { throw .refused(.notNamespace) }
            return (status.identity, false)
        }
        // Examined before it is opened: opening a device or FIFO could block or act.
        let entry = try openMounted(name.terminated, .path)
        guard try entry.isNamespace() else { throw .refused(.notNamespace) }
        let namespace = try openMounted(name.terminated, .file)
        guard try namespace.isNamespace() else { throw .refused(.notNamespace) }
        guard try namespace.namespaceKind() == kind else { throw .refused(.wrongNamespaceKind) }
        return (try namespace.status().namespaceIdentity, true)
    }

    fileprivate func deletePin(_ name: InlineBytes<256>, _ kind: RootKind, mounted: Bool) throws(Outcome) {
        var mounted = mounted
        // Each mount of a stack is examined: beneath a pin may lie something that is none.
        for _ in 0..<stackLimit where mounted {
            try unmount(name.terminated)
            (_, mounted) = try pin(name, kind)
        }
        guard !mounted else { throw .refused(.tooManyMounts) }
        try unlink(name.terminated)
    }
}
