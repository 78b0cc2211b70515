internal import CRIClient
internal import HelperClient
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry
internal import SandboxRemoval

/// One rescue: ask, look, do what the runtime could not, and ask again.
struct RescueRun {
    /// A pod as the caller named it.
    let pod: String
    let helper: String
    let patience: Duration
    private var report = RescueReport(sandbox: "", pod: "")

    /// How long one call may take. containerd waits for ever for a container that does not end.
    private static let callTime = Duration.seconds(10)

    init(pod: String, helper: String, patience: Duration) {
        self.pod = pod
        self.helper = helper
        self.patience = patience
    }

    mutating func run(isDry: Bool, takesRunning: Bool) async throws -> RescueReport {
        let first = try await find()
        report.sandbox = first.sandbox.id
        report.pod = "\(first.sandbox.metadata.namespace)/\(first.sandbox.metadata.name)"
        let client = CRIClient(socket: try Self.socket(first, takesRunning))
        if isDry {
            plan(RescuePlan.of(first))
            return report
        }
        report.isGone = await ask(client)
        if !report.isGone { try await unstick(client) }
        try await look(after: first)
        return report
    }

    // MARK: Before

    private func find() async throws -> PodFacts {
        let discovery = try await Self.discovery()
        guard let facts = try discovery.facts(of: pod) else {
            let here = discovery.summaries.prefix(20).joined(separator: ", ")
            throw RescueRefusal(
                "there is no pod \(pod) of containerd or CRI-O. Pods here: \(here.isEmpty ? "none" : here)")
        }
        return facts
    }

    private static func discovery() async throws -> Discovery {
        var listings: [String: CRIListing] = [:]
        for socket in try ForeignRuntime.allCases.flatMap({ try $0.sockets() }) {
            var listing = CRIListing(socket: socket)
            do throws(CRIError) {
                listing.pods = try await CRIClient(socket: socket).pods(within: callTime)
            } catch {
                listing.failure = "\(error)"
            }
            listings[socket] = listing
        }
        return try Discovery(asking: { [listings] in
            listings[$0] ?? CRIListing(socket: $0, unasked: "it started only now")
        })
    }

    /// The socket of the pod's runtime. Throws if a rescue is not for this pod, and says what is right instead.
    private static func socket(_ facts: PodFacts, _ takesRunning: Bool) throws -> String {
        let id = facts.sandbox.id
        guard let runtime = facts.runtime, let manager = runtime.manager else {
            let name = facts.runtime?.runtime.rawValue ?? "containerd"
            throw RescueRefusal(
                "\(name) does not run, so nobody can be asked; start it (systemctl start \(name)), or remove the pod without it: podreap discover --from \(name) | podreap register - && podreap remove \(id)"
            )
        }
        guard !manager.isStopped else {
            throw RescueRefusal(
                "\(manager.name), process \(manager.pid), was stopped by a signal; first let it go on: kill -CONT \(manager.pid)"
            )
        }
        if let failure = runtime.answer?.failure {
            throw RescueRefusal(
                "\(manager.name), process \(manager.pid), does not answer: \(failure); see podreap explain \(id)")
        }
        guard let socket = runtime.socket, runtime.answer?.pod != nil else {
            throw RescueRefusal("\(manager.name) does not list the pod \(id); what is left of it: podreap gc")
        }
        guard takesRunning || !facts.isHealthy else {
            throw RescueRefusal(
                "the pod \(id) runs, and nobody has asked \(manager.name) to stop it; to remove it all the same: podreap rescue --running \(id)"
            )
        }
        return socket
    }

    private mutating func plan(_ plan: RescuePlan) {
        add("removal", "ask the runtime to stop and remove it", "dry run")
        for act in plan.acts { add(act.what, act.verb, "dry run") }
        for finding in plan.beyond { add(finding.text, "", finding.remedies.first ?? "") }
        add("removal", "ask again for \(patience.components.seconds) s", "dry run")
    }

    // MARK: Asking

    /// Asks the runtime to stop and to remove the pod. Returns whether it no longer lists the pod.
    private mutating func ask(_ client: CRIClient) async -> Bool {
        let id = report.sandbox
        var trouble: CRIError?
        do throws(CRIError) {
            try await client.stop(pod: id, within: Self.callTime)
            try await client.remove(pod: id, within: Self.callTime)
        } catch {
            trouble = error
        }
        // What it answers proves nothing.
        let pods = try? await client.pods(within: Self.callTime)
        let isGone = pods.map { pods in !pods.contains { $0.id == id } } ?? false
        let result = isGone ? "removed" : trouble.map { "\($0)" } ?? "it still lists the pod"
        let row = RescueReport.Row(what: "removal", done: "asked the runtime", result: Self.line(result))
        if report.rows.last != row { report.rows.append(row) }
        return isGone
    }

    private mutating func unstick(_ client: CRIClient) async throws {
        // containerd holds exit events back for up to a minute after an error.
        let end = ContinuousClock.now + patience
        var pause = Duration.seconds(1)
        while true {
            guard let facts = try await Self.discovery().facts(of: report.sandbox), facts.runtime?.answer?.pod != nil
            else { break }
            let plan = RescuePlan.of(facts)
            for act in plan.acts { await perform(act) }
            report.isGone = await ask(client)
            if report.isGone { return }
            // What nothing here can cure is not waited for.
            let isOver = end <= .now
            if isOver || plan.acts.isEmpty && !plan.beyond.isEmpty {
                for finding in plan.beyond {
                    let evidence = finding.evidence.first.map { [$0.text] } ?? []
                    add(Self.line(finding.text), "", Self.line((finding.remedies + evidence).joined(separator: "; ")))
                }
                return
            }
            try? await Task.sleep(for: min(pause, end - .now))
            pause = min(pause * 2, .seconds(15))
        }
        report.isGone = true
    }

    // MARK: Acting

    private mutating func perform(_ act: RescueAct) async {
        let result: String
        do {
            switch act {
            case .thaw(let cgroup):
                try setControl(cgroup.file, to: cgroup.thaws)
                result = "done"
            case .resume(let process, _): result = try Self.send(18, to: [process])
            case .kill(let processes, _): result = try Self.send(9, to: processes)
            case .detach(let path, _): result = try await Detachment(helper: helper).detach(path)
            }
        } catch {
            result = Self.line("\(error)")
        }
        add(act.what, act.verb, result)
    }

    /// Signals the processes. A later process with the same pid but another start time gets nothing.
    private static func send(_ signal: UInt8, to processes: [ProcessReference]) throws(Errno) -> String {
        var sent = 0
        for process in processes {
            let isSent = try LinuxSystem.send(signal, to: process.pid) {
                ((try? ProcessStatus.startTime(of: process.pid)) ?? nil) == process.startTime
            }
            if isSent { sent += 1 }
        }
        return sent == 0 ? "gone already" : "done"
    }

    // MARK: After

    /// Looks for what is left of the pod.
    private mutating func look(after first: PodFacts) async throws {
        guard report.isGone else { return }
        let processes =
            first.members.map { ($0.process, "of the pod") }
            + (first.runtime?.monitors ?? []).map { ($0.process, "which watched it") }
        // A shim ends a moment after its pod.
        for _ in 0..<50 where processes.contains(where: { Self.lives($0.0) }) {
            try? await Task.sleep(for: .milliseconds(100))
        }
        for (process, role) in processes where Self.lives(process) {
            report.left.append("process \(process.pid) (\(process.name)), \(role), lives: kill \(process.pid)")
        }
        let table = try MountTable.current()
        for mount in first.mounts where mount.isOwn {
            let isThere = table.mounts.contains {
                $0.device == mount.device && String(decoding: $0.mountPoint, as: UTF8.self) == mount.path
            }
            if isThere { report.left.append("\(mount.type) is mounted at \(mount.path): umount -l \(mount.path)") }
        }
    }

    private static func lives(_ process: ProcessObservation) -> Bool {
        (try? ProcessLife.of(pid: process.pid, startTime: process.startTime)) == .alive
    }

    private mutating func add(_ what: String, _ done: String, _ result: String) {
        report.rows.append(RescueReport.Row(what: what, done: done, result: result))
    }

    /// One line, cut at 1,000 characters.
    private static func line(_ text: String) -> String { String(printable(text).prefix(1000)) }
}

extension RescueAct {
    var what: String {
        switch self {
        case .thaw(let cgroup): "frozen cgroup \(cgroup.directory)"
        case .resume(let process, let program): "stopped \(program), process \(process.pid)"
        case .kill(let processes, let container):
            processes.count == 1 ? "a process of \(container)" : "\(processes.count) processes of \(container)"
        case .detach(let path, _): "busy \(path)"
        }
    }

    var verb: String {
        switch self {
        case .thaw: "thaw"
        case .resume: "SIGCONT"
        case .kill: "SIGKILL"
        case .detach: "detach"
        }
    }
}
