internal import HelperClient
internal import NodeObservation
internal import SandboxRegistry

// Findings about a pod's processes.

extension PodFacts {
    /// A container's name; `sandbox` if no container has this id.
    func subject(_ container: String) -> String {
        containers.first { $0.id == container }?.name ?? "sandbox"
    }

    /// Whether the sandbox is being removed, or its last removal or stop was left incomplete. Otherwise its processes
    /// and mounts are to be expected.
    var isBeingTakenApart: Bool {
        runtime?.isAsked ?? (sandbox.state == .removing || report?.outcome == .incomplete)
    }

    var processFindings: [Finding] {
        // What keeps a living runtime's pod from ending is told before somebody asks it to end.
        guard isBeingTakenApart || runtime != nil else { return [] }
        let frozenPIDs = Set(frozen.flatMap(\.pids))
        let waiting = members.filter { $0.process.isWaiting && !frozenPIDs.contains($0.process.pid) }
        let exiting = exitingInits.map(\.process.pid)
        let traced = members.filter { $0.process.tracer != nil }
        let told = Set(runtimeFindings.flatMap(\.evidence).compactMap(\.pid))
        // A runtime ends the pod's own container last, and by itself.
        let infra = runtime == nil ? [] : containers.filter(\.isInfra).map(\.id)
        let others =
            !isBeingTakenApart
            ? []
            : members.filter {
                !$0.process.isWaiting && !$0.process.isZombie && !frozenPIDs.contains($0.process.pid)
                    && !exiting.contains($0.process.pid) && $0.process.tracer == nil && !told.contains($0.process.pid)
                    && !infra.contains($0.container)
            }
        return frozen.map(finding) + waiting.map(finding) + traced.map(tracedFinding) + zombieFindings
            + Dictionary(grouping: others, by: \.container).sorted { $0.key < $1.key }.map(livingFinding)
    }

    private func finding(_ frozen: Frozen) -> Finding {
        let cgroup = frozen.cgroup
        let names = frozen.containers.map(subject).joined(separator: ", ")
        return Finding(
            .frozenCgroup, .blocks, of: names,
            "the cgroup of \(count(frozen.pids.count, "process", "processes")) is frozen, so no signal reaches \(frozen.pids.count == 1 ? "it" : "them")",
            [Finding.Evidence("frozen by itself: \(cgroup.directory)", path: cgroup.directory)]
                + evidence(of: frozen.pids),
            remedies: ["echo \(cgroup.thaws) > \(quoted(cgroup.file))", again])
    }

    private func finding(_ member: Member) -> Finding {
        let process = member.process
        let silent = mounts.filter(\.isSilent)
        var remedies: [String] = []
        if silent.isEmpty {
            remedies += [
                "cat /proc/\(process.pid)/stack /proc/\(process.pid)/task/*/stack; journalctl -k | grep -i -e 'blocked for more' -e 'I/O error'",
                "bring back the disk, the network filesystem or the driver that it waits for; otherwise only a reboot ends it",
            ]
        } else {
            remedies.append("mend the filesystem that does not answer (below): the process ends with its request")
        }
        return Finding(
            .waitingProcess, .blocks, of: subject(member.container),
            "a process waits in the kernel, and cannot be ended before its request is answered or fails",
            [evidence(process)], remedies: remedies + [again])
    }

    /// A debugger's stop delays even the end of a killed process; only acting on the tracer helps.
    private func tracedFinding(_ member: Member) -> Finding {
        let pid = member.process.tracer ?? 0
        let tracer = tracers[pid]
        let isStopped = tracer?.state == "T"
        let name = tracer.map { " (\(printable($0.command)))" } ?? ""
        return Finding(
            .tracedProcess, .blocks, of: subject(member.container),
            "process \(pid)\(name) traces a process of the container\(isStopped ? " and is stopped" : ""): what it traces ends only when it goes on or ends",
            [evidence(member.process)] + (tracer.map { [evidence($0)] } ?? []),
            remedies: (isStopped ? ["kill -CONT \(pid)"] : []) + ["kill -KILL \(pid)", again])
    }

    /// Init processes of PID namespaces that have released their memory and wait for the last process in there to be
    /// reaped.
    private var exitingInits: [Member] {
        members.filter { $0.isInit && $0.process.namespacePIDs.count > 1 && $0.process.namespacePIDs.last == 1 }
            .filter { !$0.process.isWaiting && $0.process.isExiting }
    }

    private var zombieFindings: [Finding] {
        let waits = !exitingInits.isEmpty || members.contains { $0.isInit && $0.process.isZombie }
        return zombies.filter { $0.isCertain || waits }.map { zombie in
            let process = zombie.process
            let parent = zombie.parent
            let likely = zombie.isCertain ? "" : " (likely: only root sees whose PID namespace it is in)"
            let name = parent.map { "\($0.pid) (\(printable($0.command)))" } ?? "\(process.parent)"
            return Finding(
                .unreapedProcess, .blocks,
                "a dead process keeps the pod's PID namespace: its parent outside, process \(name), does not reap it\(likely)",
                [evidence(process)] + (parent.map { [evidence($0)] } ?? []),
                remedies: (keepers.contains(process.parent)
                    ? [] : ["end or restart process \(process.parent): then the machine's init reaps the dead one"])
                    + [again])
        }
    }

    private func livingFinding(_ container: String, _ members: [Member]) -> Finding {
        let lost = report?.failures.contains { $0.subject == container && ($0.detail ?? "").contains("does not know") }
        let name = subject(container)
        let runtime = containers.first { $0.id == container }?.runtime ?? sandbox.runtime
        let pids = members.map { "\($0.process.pid)" }.joined(separator: " ")
        let many = members.count > 1
        if lost == true {
            return Finding(
                .livingProcess, .blocks, of: name,
                "\(runtime) has lost the container, but \(many ? "its processes live" : "its process lives")",
                members.map { evidence($0.process) }, remedies: ["kill -KILL \(pids)", again])
        }
        return Finding(
            .livingProcess, .blocks, of: name,
            "\(many ? "\(members.count) processes live" : "a process lives") in the container",
            members.map { evidence($0.process) }, remedies: [again, "kill -KILL \(pids)"])
    }

    // MARK: Wording

    func evidence(_ process: ProcessObservation) -> Finding.Evidence {
        let state = Self.stateNames[process.state].map { " (\($0))" } ?? ""
        var text = "process \(process.pid), \(printable(process.command)), state \(process.state)\(state)"
        if let channel = process.waitChannel, process.isWaiting { text += ", waits in \(channel)" }
        if let cgroup = process.cgroups.first(where: { known.contains($0) }) ?? process.cgroups.last {
            text += ", cgroup \(cgroup)"
        }
        return Finding.Evidence(text, pid: process.pid)
    }

    private var known: Set<String> { Set(containers.flatMap(\.cgroups)) }

    private func evidence(of pids: [Int32]) -> [Finding.Evidence] {
        pids.map { pid in
            members.first { $0.process.pid == pid }.map { evidence($0.process) }
                ?? Finding.Evidence("process \(pid)", pid: pid)
        }
    }

    /// The command that resumes the last removal or stop, or asks the pod's runtime again.
    var again: String {
        runtime.map(askAgain) ?? "podreap \(report?.purpose == .stop ? "stop" : "remove") \(sandbox.id)"
    }

    private static let stateNames = [
        "D": "waits in the kernel", "Z": "dead, not reaped", "T": "stopped", "t": "traced", "R": "runs", "S": "sleeps",
    ]
}

func count(_ number: Int, _ one: String, _ many: String) -> String { "\(number) \(number == 1 ? one : many)" }
