internal import Dispatch
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry
internal import Synchronization

/// The most filesystems that are asked whether they answer.
private let probes = 32

extension PodFacts {
    /// Finds the pod's mounts in this mount namespace, the network and FUSE filesystems that its processes see, and the
    /// kubelet's volumes of the pod.
    mutating func findMounts(_ table: MountTable, _ patience: Duration) throws(ObservationError) {
        var found: [(mount: Mount, seenBy: Int32?)] = []
        for place in places {
            for mount in table.mounts(beneath: place) where !found.contains(where: { $0.mount == mount }) {
                found.append((mount, nil))
            }
        }
        let own = found.count
        let kubelet = kubeletVolumes.map { table.mounts(beneath: $0) } ?? []
        let known = Set((found.map(\.mount) + kubelet).map(\.device))
        found += remoteMounts().filter { !known.contains($0.mount.device) }
        // A hanging process may wait for any filesystem; without one, only filesystems with a server are asked.
        let isAnyoneWaiting = members.contains { $0.process.isWaiting }
        let asked =
            found.filter { isAnyoneWaiting || FilesystemProbe.isRemote($0.mount.type) }
            + kubelet.filter { FilesystemProbe.isRemote($0.type) }.map { ($0, nil) }
        answers = Self.ask(
            asked.map { mount, seenBy in
                (mount.device, Array((seenBy.map { "/proc/\($0)/root" } ?? "").utf8) + mount.mountPoint)
            }, patience)
        mounts = found.enumerated().map { index, found in
            Mounted(found.mount, answer: answers[found.mount.device], isOwn: index < own, seenBy: found.seenBy)
        }
        volumes = kubelet.map { Mounted($0, answer: answers[$0.device], isOwn: false) }
    }

    private var kubeletVolumes: String? {
        let uid = sandbox.metadata.uid
        guard !uid.isEmpty, !uid.contains("/"), uid != "..", uid != "." else { return nil }
        return "/var/lib/kubelet/pods/\(uid)"
    }

    /// Filesystems with a server that the pod's processes see, each once. The node may have the same filesystem at a
    /// place of another pod, so they are named as the processes see them.
    private func remoteMounts() -> [(mount: Mount, seenBy: Int32?)] {
        var seen: [(mount: Mount, seenBy: Int32?)] = []
        var known: Set<Int> = []
        for member in members where !member.process.isZombie {
            guard let theirs = try? MountTable.of(pid: member.process.pid),
                let first = theirs.mounts.first, known.insert(first.id).inserted
            else { continue }
            for mount in theirs.mounts where FilesystemProbe.isRemote(mount.type) {
                if !seen.contains(where: { $0.mount.device == mount.device }) {
                    seen.append((mount, member.process.pid))
                }
            }
        }
        return seen
    }

    /// Asks each filesystem once, and all concurrently, so that one that hangs does not delay the others.
    static func ask(
        _ places: [(device: Mount.Device, path: [UInt8])], _ patience: Duration
    ) -> [Mount.Device: FilesystemProbe] {
        let first = Dictionary(places.map { ($0.device, $0.path) }) { first, _ in first }
        let asked = Array(first.prefix(probes))
        let answers = Mutex<[Mount.Device: FilesystemProbe]>([:])
        DispatchQueue.concurrentPerform(iterations: asked.count) { index in
            guard let path = String(validating: asked[index].value, as: UTF8.self) else { return }
            let answer = FilesystemProbe.ask(path, on: asked[index].key, within: patience)
            answers.withLock { $0[asked[index].key] = answer }
        }
        return answers.withLock { $0 }
    }

    // MARK: Other namespaces

    /// Finds who else has the pod's mounts, namespaces and files.
    mutating func findElsewhere(_ table: MountTable) throws(ObservationError) {
        let pins = sandbox.namespaces.compactMap { pin in
            pin.identity.map { (path: pin.path, kind: pin.kind, inode: $0.inode) }
        }
        let roots = pins.map { pin in (pin.path, Array("\(pin.kind.link):[\(pin.inode)]".utf8)) }
        for (path, root) in roots where !isAfterReboot {
            for mount in table.mounts where mount.type == "nsfs" && mount.root == root {
                let place = mount.mountPoint.shown
                if place != path { namespaceHolders.append(.mount(pin: path, path: place)) }
            }
        }
        let directories = places.map { Array($0.utf8) }
        // Filesystems mounted for the pod alone are recognised by device, whatever their path is in another mount
        // namespace.
        let common = table.mounts.filter { mount in !directories.contains { isBeneath($0, mount.mountPoint) } }
            .map(\.device)
        let devices = mounts.filter { $0.isOwn && ["tmpfs", "overlay"].contains($0.type) }.map(\.device)
            .filter { !common.contains($0) }
        let homes = directories.map { table.location(of: $0) }
        for view in try MountNamespaceView.others(without: memberPIDs) {
            // The same path may lead to other directories there.
            let same = zip(directories, homes).filter { $1 != nil && view.table.location(of: $0) == $1 }.map(\.0)
            let held = view.table.mounts.filter { mount in
                same.contains { isBeneath($0, mount.mountPoint) } || devices.contains(mount.device)
            }
            if !held.isEmpty {
                copies.append(
                    Copy(
                        pid: view.pid, name: view.name, mountNamespace: view.inode,
                        paths: held.map(\.mountPoint.shown), types: held.map(\.type)))
            }
            for (path, root) in roots where !isAfterReboot {
                for mount in view.table.mounts where mount.type == "nsfs" && mount.root == root {
                    namespaceHolders.append(
                        .mountElsewhere(
                            pin: path, path: mount.mountPoint.shown, pid: view.pid, name: view.name,
                            mountNamespace: view.inode))
                }
            }
        }
        let own = memberPIDs
        guard isPrivileged else { return try findInhabitants(pins.filter { $0.kind == .network }.map(\.path), table) }
        try findUses(directories, table)
        let others = own.union(runtime == nil ? [] : keepers).union(runtime?.plugins.map(\.pid) ?? [])
        for pid in try ProcessTable.pids() where !others.contains(pid) && pid != ProcessTable.own {
            for pin in pins where !isAfterReboot {
                guard ProcessObservation.namespace(pin.kind.link, of: pid) == pin.inode,
                    let status = try? ProcessStatus.of(pid: pid)
                else { continue }
                namespaceHolders.append(.process(pin: pin.path, pid: pid, name: status.name))
            }
        }
    }

    /// Finds who uses the pod's files, including under another path in another mount namespace.
    private mutating func findUses(_ directories: [[UInt8]], _ table: MountTable) throws(ObservationError) {
        // A living runtime and its shims use the pod's files until they have removed them.
        let (found, hidden) = try PlaceSearch(directories, in: table).uses(
            besides: memberPIDs.union(runtime == nil ? [] : keepers))
        hiddenProcesses = hidden
        for (pid, group) in Dictionary(grouping: found, by: \.pid).sorted(by: { $0.key < $1.key }) {
            guard let first = group.first else { continue }
            var how: [String] = []
            for use in group {
                let word = Int(use.how) == nil ? use.how : "descriptor \(use.how)"
                if !how.contains(word) { how.append(word) }
            }
            uses.append(Use(pid: pid, name: first.name, how: how, path: first.path.shown))
        }
    }

    /// Finds processes that live in the pod's network namespaces, which are known without privilege too.
    private mutating func findInhabitants(_ pins: [String], _ table: MountTable) throws(ObservationError) {
        if isAfterReboot { return }
        for path in pins where table.isNamespace(at: path) {
            guard let network = try NetworkNamespace(pinnedAt: path) else { continue }
            let own = memberPIDs
            for pid in network.pids where !own.contains(pid) {
                guard let status = try ProcessStatus.of(pid: pid) else { continue }
                namespaceHolders.append(.process(pin: path, pid: pid, name: status.name))
            }
        }
    }
}

extension PodFacts.Mounted {
    init(_ mount: Mount, answer: FilesystemProbe?, isOwn: Bool, seenBy: Int32? = nil) {
        path = mount.mountPoint.shown
        type = mount.type
        device = mount.device
        self.answer = answer
        waitingRequests =
            mount.type.hasPrefix("fuse") ? FilesystemProbe.waitingRequests(ofConnection: mount.device.minor) : nil
        self.isOwn = isOwn
        self.seenBy = seenBy
    }
}

extension MountTable {
    /// Whether the topmost mount at a path is a namespace's pin.
    func isNamespace(at path: String) -> Bool {
        mounts.last { $0.mountPoint == Array(path.utf8) }?.type == "nsfs"
    }
}

extension [UInt8] {
    var shown: String { String(decoding: self, as: UTF8.self) }
}
