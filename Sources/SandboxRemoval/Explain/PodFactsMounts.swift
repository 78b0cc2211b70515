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
        var found: [Mount] = []
        for place in places {
            for mount in table.mounts(beneath: place) where !found.contains(mount) { found.append(mount) }
        }
        let own = found.count
        for mount in try remoteMounts(table) where !found.contains(where: { $0.device == mount.device }) {
            found.append(mount)
        }
        // A hanging process may wait for any filesystem; without one, only filesystems with a server are asked.
        let isAnyoneWaiting = members.contains { $0.process.isWaiting }
        let asked = found.filter { isAnyoneWaiting || FilesystemProbe.isRemote($0.type) }
        let answers = Self.ask(asked.map(\.mountPoint), patience)
        mounts = found.enumerated().map { index, mount in
            Mounted(mount, answer: answers[mount.mountPoint], isOwn: index < own)
        }
        let uid = sandbox.metadata.uid
        guard !uid.isEmpty, !uid.contains("/"), uid != "..", uid != "." else { return }
        let kubelet = table.mounts(beneath: "/var/lib/kubelet/pods/\(uid)")
        let volumeAnswers = Self.ask(kubelet.filter { FilesystemProbe.isRemote($0.type) }.map(\.mountPoint), patience)
        volumes = kubelet.map { Mounted($0, answer: volumeAnswers[$0.mountPoint], isOwn: false) }
    }

    /// Filesystems with a server that the pod's processes see, as far as this mount namespace has them too.
    private func remoteMounts(_ table: MountTable) throws(ObservationError) -> [Mount] {
        var seen: [Mount] = []
        var known: Set<Int> = []
        for member in members where !member.process.isZombie {
            guard let theirs = try? MountTable.of(pid: member.process.pid),
                let first = theirs.mounts.first, known.insert(first.id).inserted
            else { continue }
            for mount in theirs.mounts where FilesystemProbe.isRemote(mount.type) {
                guard !seen.contains(where: { $0.device == mount.device }),
                    let here = table.mounts.first(where: { $0.device == mount.device })
                else { continue }
                seen.append(here)
            }
        }
        return seen
    }

    /// Asks filesystems concurrently, so that one that hangs does not delay the others.
    private static func ask(_ paths: [[UInt8]], _ patience: Duration) -> [[UInt8]: FilesystemProbe] {
        let paths = Array(Set(paths).prefix(probes))
        let answers = Mutex<[[UInt8]: FilesystemProbe]>([:])
        DispatchQueue.concurrentPerform(iterations: paths.count) { index in
            guard let path = String(validating: paths[index], as: UTF8.self) else { return }
            let answer = FilesystemProbe.ask(path, within: patience)
            answers.withLock { $0[paths[index]] = answer }
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
        for view in try MountNamespaceView.others(without: memberPIDs) {
            let held = view.table.mounts.filter { mount in
                directories.contains { isBeneath($0, mount.mountPoint) } || devices.contains(mount.device)
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
        for pid in try ProcessTable.pids() where !own.contains(pid) && pid != ProcessTable.own {
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
        let (found, hidden) = try PlaceSearch(directories, in: table).uses(besides: memberPIDs)
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
    init(_ mount: Mount, answer: FilesystemProbe?, isOwn: Bool) {
        path = mount.mountPoint.shown
        type = mount.type
        device = mount.device
        self.answer = answer
        waitingRequests =
            mount.type.hasPrefix("fuse") ? FilesystemProbe.waitingRequests(ofConnection: mount.device.minor) : nil
        self.isOwn = isOwn
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
