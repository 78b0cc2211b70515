internal import HelperClient
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

// Findings about the runtime that manages a pod that is not registered.

extension PodFacts {
    var runtimeFindings: [Finding] {
        guard let runtime else { return [] }
        return managerFindings(runtime) + monitorFindings(runtime) + lostFindings(runtime) + rootfsFindings(runtime)
            + networkFindings(runtime)
    }

    /// The command that asks the pod's runtime again.
    func askAgain(_ runtime: PodRuntime) -> String {
        let endpoint = runtime.socket.map { Self.usualSockets.contains($0) ? "" : " -r unix://\(quoted($0))" } ?? ""
        return "crictl\(endpoint) stopp \(sandbox.id) && crictl\(endpoint) rmp \(sandbox.id)"
    }

    /// Those that crictl tries by itself.
    private static let usualSockets = [
        "/run/containerd/containerd.sock", "/run/crio/crio.sock", "/var/run/crio/crio.sock",
    ]

    private func managerFindings(_ runtime: PodRuntime) -> [Finding] {
        let title = runtime.runtime.title
        let unit = runtime.runtime.rawValue
        guard let manager = runtime.manager else {
            return [
                Finding(
                    .runtimeGone, .blocks, "\(title), which manages it, does not run: nobody removes it",
                    [Finding.Evidence("no process of the node is called \(unit) and has the pod's shims")],
                    remedies: [
                        "systemctl start \(unit); its pods run on, and it removes this one when it is asked again",
                        "where it never comes back: podreap discover --from \(unit) | podreap register -; then podreap remove",
                    ])
            ]
        }
        if manager.isStopped {
            return [
                Finding(
                    .runtimeStopped, .blocks, "\(title), which manages it, was stopped by a signal: it answers nobody",
                    [Finding.Evidence("process \(manager.pid), state \(manager.state)", pid: manager.pid)],
                    remedies: ["kill -CONT \(manager.pid)"])
            ]
        }
        guard let failure = runtime.answer?.failure else { return [] }
        return [
            Finding(
                .runtimeSilent, .blocks, "\(title), which manages it, runs but does not answer",
                [Finding.Evidence("process \(manager.pid): \(printable(failure))", pid: manager.pid)],
                remedies: [
                    "journalctl -u \(unit) -n 50; systemctl restart \(unit): its pods run on, and the kubelet asks it again"
                ])
        ]
    }

    private func monitorFindings(_ runtime: PodRuntime) -> [Finding] {
        let title = runtime.runtime.title
        let program = runtime.runtime == .crio ? "conmon" : "shim"
        var findings: [Finding] = []
        for monitor in runtime.monitors where ["T", "t"].contains(monitor.process.state) {
            let pid = monitor.process.pid
            findings.append(
                Finding(
                    .monitorStopped, .blocks,
                    "its \(program) was stopped by a signal, so \(title) gets no answer about its containers",
                    [evidence(monitor.process)], remedies: ["kill -CONT \(pid)", askAgain(runtime)]))
        }
        let watched = Set(runtime.monitors.flatMap(\.containers))
        let alone = members.filter { member in
            guard !member.process.isZombie else { return false }
            // A pod's first container names the shim of all of them.
            return !watched.contains(member.container) && !(runtime.runtime == .containerd && !watched.isEmpty)
        }
        if !alone.isEmpty {
            findings.append(
                Finding(
                    .monitorGone, .blocks,
                    "its \(program) is gone but \(count(alone.count, "process of its containers lives", "processes of its containers live")): \(title) does not hear of \(alone.count == 1 ? "its" : "their") end",
                    alone.map { evidence($0.process) },
                    remedies: ["kill -KILL \(pids(alone))", askAgain(runtime)]))
        }
        return findings
    }

    private func lostFindings(_ runtime: PodRuntime) -> [Finding] {
        containers.filter { runtime.lost.contains($0.id) }.sorted { $0.id < $1.id }.compactMap { container in
            let living = members.filter { $0.container == container.id && !$0.process.isZombie }
            let damaged = runtime.damagedStates[container.id]
            guard !living.isEmpty || damaged != nil else { return nil }
            let state = damaged.map {
                Finding.Evidence("the state in \(printable($0)) is empty or damaged", path: $0)
            }
            return Finding(
                .lostState, .blocks, of: subject(container.id),
                living.isEmpty
                    ? "\(container.runtime) cannot read the state of an ended container, so nobody can delete it"
                    : "\(container.runtime) has lost the state of a container that lives: whoever stops it fails, or waits for ever",
                living.map { evidence($0.process) } + [state].compactMap { $0 },
                remedies: (living.isEmpty ? [] : ["kill -KILL \(pids(living))"])
                    + (damaged.map { ["rm -r \(quoted($0))"] } ?? []) + [askAgain(runtime)])
        }
    }

    /// containerd and CRI-O unmount a root filesystem without MNT_DETACH (umount2(2)), which fails as long as anybody
    /// uses it.
    private func rootfsFindings(_ runtime: PodRuntime) -> [Finding] {
        runtime.rootfs.sorted { $0.key < $1.key }.compactMap { container, path in
            guard mounts.contains(where: { $0.isOwn && $0.path == path }) else { return nil }
            let (users, beneath) = (users(of: path), mounts(in: path))
            guard !users.isEmpty || !beneath.isEmpty else { return nil }
            let isAlive = members.contains { $0.container == container && !$0.process.isZombie }
            let title = runtime.runtime.title
            return Finding(
                .busyRootfs, isAlive ? .keeps : .blocks, of: subject(container),
                isAlive
                    ? "\(title) will not be able to unmount the root filesystem when the container has ended"
                    : "\(title) cannot unmount the root filesystem of the ended container, tries again and again, and fails with EBUSY",
                users.map { use in
                    Finding.Evidence(
                        "process \(use.pid) (\(printable(use.name))), which is not the pod's, has it as \(use.how.joined(separator: ", "))",
                        pid: use.pid, path: use.path)
                }
                    + beneath.map {
                        Finding.Evidence("\($0.type) is mounted in it at \(printable($0.path))", path: $0.path)
                    },
                // Whoever uses it keeps it.
                remedies: (isAlive ? [] : ["umount -l \(quoted(path))"])
                    + users.filter { !keepers.contains($0.pid) }.map {
                        "end process \($0.pid), or make it leave \(printable($0.path))"
                    } + [askAgain(runtime)])
        }
    }

    /// Who uses a root filesystem on the node.
    func users(of rootfs: String) -> [Use] { uses.filter { $0.pid != 0 && isBeneath(rootfs, $0.path) } }

    /// What is mounted in a root filesystem on the node.
    func mounts(in rootfs: String) -> [Mounted] {
        mounts.filter { $0.isOwn && $0.path != rootfs && isBeneath(rootfs, $0.path) }
    }

    private func networkFindings(_ runtime: PodRuntime) -> [Finding] {
        if !runtime.plugins.isEmpty {
            return [
                Finding(
                    .network, .blocks,
                    "a CNI plugin has not taken the pod's network away yet, and everything waits for it",
                    runtime.plugins.map { evidence($0) }
                        + [
                            Finding.Evidence("if it is killed, CNI fails instead, and the pod's address may stay taken")
                        ],
                    remedies: [
                        "mend what the plugin waits for: its daemon, the API server, the IPAM's lock",
                        "kill -KILL \(runtime.plugins.map { "\($0.pid)" }.joined(separator: " "))",
                    ])
            ]
        }
        guard let error = runtime.words?.error, Self.isOfNetwork(error.text) else { return [] }
        return [
            Finding(
                .network, .blocks,
                "CNI fails to take the pod's network away, and \(runtime.runtime.title) goes on only when it succeeds",
                [wordsEvidence(error, runtime)],
                remedies: [
                    "mend the plugin that it names (its daemon on this node, its configuration in /etc/cni/net.d)",
                    askAgain(runtime),
                ])
        ]
    }

    private static func isOfNetwork(_ text: String) -> Bool {
        ["failed to destroy network", "failed (delete)", "error removing pod", "netplugin failed", "CNI network"]
            .contains { text.contains($0) }
    }

    /// The runtime's last error, which follows from the causes that were found.
    var runtimeErrorFindings: [Finding] {
        guard let runtime, let error = runtime.words?.error, !Self.isOfNetwork(error.text) else { return [] }
        let title = runtime.runtime.title
        return [
            Finding(
                .runtimeError, .blocks, "\(title) was asked to remove it and failed; its last error:",
                [wordsEvidence(error, runtime)],
                remedies: ["podreap rescue \(sandbox.id); it undoes what it can of the above, and asks \(title) again"])
        ]
    }

    private func wordsEvidence(_ line: RuntimeWords.Line, _ runtime: PodRuntime) -> Finding.Evidence {
        let source = runtime.words.map { " (\(printable($0.source)))" } ?? ""
        let time = line.time.isEmpty ? "" : "\(printable(line.time)): "
        return Finding.Evidence("\(time)\(printable(line.text))\(source)")
    }

    /// What a running runtime does with the pod.
    ///
    /// - Parameter isBlocked: Whether something keeps it from removing the pod.
    func runtimeState(_ runtime: PodRuntime, isBlocked: Bool) -> Finding {
        let title = runtime.runtime.title
        let process = runtime.manager.map { " runs as process \($0.pid) and" } ?? ""
        let says = runtime.answer?.pod.map { pod in
            let states = pod.containers.map { "\(printable($0.name)) \($0.state)" }.joined(separator: ", ")
            return Finding.Evidence(
                "\(title) lists it as \(pod.isReady ? "ready" : "not ready")\(states.isEmpty ? "" : ", with \(states)")"
            )
        }
        if let answer = runtime.answer, answer.failure == nil, answer.pod == nil {
            return Finding(
                .elsewhere, .note, "\(title)\(process) lists it no more: what is left of it on this node is nobody's",
                remedies: ["podreap gc"])
        }
        if isBeingTakenApart {
            let asked = runtime.words?.asked.map { [wordsEvidence($0, runtime)] } ?? []
            return Finding(
                .underWay, .note, "\(title)\(process) has been asked to remove it", (says.map { [$0] } ?? []) + asked,
                remedies: isBlocked ? [] : [askAgain(runtime)])
        }
        let pod = sandbox.metadata
        return Finding(
            .running, .note,
            "\(isBlocked ? "" : "it is not stuck: ")\(title)\(process) keeps it running, and has not been asked to stop it",
            says.map { [$0] } ?? [],
            remedies: [
                "kubectl delete pod -n \(quoted(pod.namespace)) \(quoted(pod.name))",
                "where Kubernetes already shows it as Terminating, the kubelet has not asked yet: journalctl -u kubelet | grep \(quoted(pod.uid))",
            ])
    }

    /// Names the first process of a container last, because the others die with it, and kill(1) would miss them.
    private func pids(_ members: [Member]) -> String {
        (members.filter { !$0.isFirst } + members.filter(\.isFirst)).map { "\($0.process.pid)" }.joined(separator: " ")
    }
}
