internal import HelperClient
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

// Findings about a pod's mounts, directories and namespaces.

extension PodFacts.Mounted {
    var isSilent: Bool { if case .silent? = answer { true } else { false } }

    /// How to make its filesystem answer, or how to release everything that waits for it.
    var remedies: [String] {
        let enter = seenBy.map { "nsenter -t \($0) -m " } ?? ""
        guard isSilent else { return ["\(enter)umount -l \(quoted(path))"] }
        if type.hasPrefix("fuse") {
            let connection = "/sys/fs/fuse/connections/\(device.minor)/abort"
            return [
                "restart the filesystem's server; or give up what waits for it: echo 1 > \(connection)",
                "where that file is missing: mount -t fusectl none /sys/fs/fuse/connections",
            ]
        }
        return ["bring the server back; or give up what waits for it: \(enter)umount -f \(quoted(path))"]
    }
}

extension PodFacts {
    var filesystemFindings: [Finding] {
        (mounts + volumes).compactMap { mount in
            let seen = mount.seenBy.map { ", as process \($0) of the pod sees it," } ?? ""
            let what = "the \(mount.type) filesystem at \(printable(mount.path))\(seen)"
            var evidence = [Finding.Evidence("device \(mount.device.major):\(mount.device.minor)", path: mount.path)]
            if let requests = mount.waitingRequests, requests > 0 {
                evidence.append(Finding.Evidence("\(requests) of its requests wait for the server"))
            }
            switch mount.answer {
            case .silent(let child)?:
                if let child {
                    evidence.append(
                        Finding.Evidence(
                            "podreap's own process \(child), which asked it, hangs too, and ends with it", pid: child))
                }
                return Finding(
                    .silentFilesystem, .blocks, "\(what) does not answer: every process that touches it hangs",
                    evidence,
                    remedies: mount.remedies + [again])
            case .failed(let code)?:
                let meaning = ErrorMeaning.of(code, call: "statx", path: mount.path)?.text ?? Errno(code).description
                return Finding(
                    .failingFilesystem, .keeps, "\(what) answers with an error only: \(meaning)", evidence,
                    remedies: mount.remedies)
            case .answers?, .forbidden?, nil: return nil
            }
        }
    }

    var mountFindings: [Finding] {
        var findings: [Finding] = []
        let own = mounts.filter { $0.isOwn && !$0.isSilent }
        if runtime == nil, isBeingTakenApart, !own.isEmpty, !report.isOnlyProcesses {
            findings.append(
                Finding(
                    .mount, .note,
                    "\(count(own.count, "mount is", "mounts are")) still there; the next removal detaches what it can reach",
                    own.map { Finding.Evidence("\($0.type) at \(printable($0.path))", path: $0.path) },
                    remedies: [again]))
        }
        for copy in copies {
            let namespace = copy.mountNamespace.map { "mount namespace \($0)" } ?? "another mount namespace"
            let paths = zip(copy.paths, copy.types).map { path, type in
                Finding.Evidence(
                    "\(type) at \(printable(path)) in the \(namespace)", pid: copy.pid, path: path,
                    mountNamespace: copy.mountNamespace)
            }
            findings.append(
                Finding(
                    .mountCopy, .keeps,
                    "process \(copy.pid) (\(printable(copy.name))) has \(count(copy.paths.count, "mount", "mounts")) of the pod in a mount namespace of its own: what is mounted stays in use until it ends or unmounts",
                    paths,
                    remedies: [
                        "nsenter -t \(copy.pid) -m umount -l \(copy.paths.prefix(4).map(quoted).joined(separator: " "))"
                    ]
                        + (keepers.contains(copy.pid)
                            ? []
                            : [
                                "restart process \(copy.pid) (a service with PrivateMounts= or ProtectSystem= copies what is mounted when it starts)"
                            ])))
        }
        return findings
    }

    var namespaceFindings: [Finding] {
        let byPin = Dictionary(grouping: namespaceHolders, by: \.pin)
        return byPin.sorted { $0.key < $1.key }.map { pin, holders in
            Finding(
                .namespaceHeld, .keeps,
                "the namespace pinned at \(printable(pin)) has other holders: deleting the pin does not end it",
                holders.map(\.evidence), remedies: holders.compactMap { $0.remedy(sparing: keepers) })
        }
    }

    var directoryFindings: [Finding] {
        var findings: [Finding] = []
        for (path, state) in directories.sorted(by: { $0.key < $1.key }) {
            switch state {
            case .gone, .there: continue
            case .replaced:
                findings.append(
                    Finding(
                        .replaced, .blocks,
                        "\(printable(path)) is not the directory that was registered, so it is not touched",
                        [Finding.Evidence("its inode or birth differs from the record", path: path)],
                        remedies: [
                            "ls -lid \(quoted(path)); where it is nobody's, move it away: mv \(quoted(path)) \(quoted(path + ".not-podreaps"))",
                            again,
                        ]))
            case .silent:
                findings.append(
                    Finding(
                        .silentFilesystem, .blocks,
                        "\(printable(path)) lies on, or behind, a filesystem that does not answer",
                        [Finding.Evidence("asking for its status took too long", path: path)],
                        remedies: ["findmnt -T \(quoted(path)); bring that filesystem back", again]))
            case .forbidden: continue
            }
        }
        return findings + useFindings
    }

    private var useFindings: [Finding] {
        // Copies of mounts are reported as findings of their own.
        let told = Set(runtimeFindings.filter { $0.cause == .busyRootfs }.flatMap(\.evidence).compactMap(\.pid))
        let rest = uses.filter { use in
            !told.contains(use.pid) && (use.how != ["mount"] || !copies.contains { $0.pid == use.pid })
        }
        return rest.map { use in
            if use.pid == 0 {
                return Finding(
                    .filesInUse, .keeps, "something of the pod's is mounted at \(printable(use.path)) too",
                    [Finding.Evidence("it is not one of the pod's places", path: use.path)],
                    remedies: ["umount \(quoted(use.path)), if nobody needs it; removal does not wait for it"])
            }
            return Finding(
                .filesInUse, .keeps,
                "process \(use.pid) (\(printable(use.name))), which is not the pod's, uses \(printable(use.path))",
                [Finding.Evidence("as \(use.how.joined(separator: ", "))", pid: use.pid, path: use.path)],
                remedies: keepers.contains(use.pid)
                    ? [] : ["end process \(use.pid), or make it leave; removal does not wait for it"])
        }
    }

    var volumeFindings: [Finding] {
        guard !volumes.isEmpty else { return [] }
        return [
            Finding(
                .kubeletVolume, .note,
                "the kubelet's volumes of this pod are still mounted; the kubelet unmounts them, not podreap",
                volumes.map { Finding.Evidence("\($0.type) at \(printable($0.path))", path: $0.path) },
                remedies: ["journalctl -u kubelet | grep \(sandbox.metadata.uid)"])
        ]
    }
}

extension PodFacts.NamespaceHolder {
    var pin: String {
        switch self {
        case .process(let pin, _, _), .mount(let pin, _), .mountElsewhere(let pin, _, _, _, _): pin
        }
    }

    var evidence: Finding.Evidence {
        switch self {
        case .process(_, let pid, let name):
            Finding.Evidence("process \(pid) (\(printable(name))) lives in it and is not the pod's", pid: pid)
        case .mount(_, let path): Finding.Evidence("it is mounted at \(printable(path)) too", path: path)
        case .mountElsewhere(_, let path, let pid, let name, let namespace):
            Finding.Evidence(
                "it is mounted at \(printable(path)) in the mount namespace of process \(pid) (\(printable(name)))",
                pid: pid,
                path: path, mountNamespace: namespace)
        }
    }

    /// nil if the holder has to be left alone.
    func remedy(sparing keepers: Set<Int32>) -> String? {
        switch self {
        case .process(_, let pid, _): keepers.contains(pid) ? nil : "end process \(pid)"
        case .mount(_, let path): "umount -l \(quoted(path))"
        case .mountElsewhere(_, let path, let pid, _, _): "nsenter -t \(pid) -m umount -l \(quoted(path))"
        }
    }
}

extension RemovalReport? {
    /// Whether the last removal failed only because processes live, so that it did not get as far as the mounts.
    var isOnlyProcesses: Bool {
        guard let failures = self?.failures, !failures.isEmpty else { return false }
        return failures.allSatisfy { $0.verb == "end" }
    }
}
