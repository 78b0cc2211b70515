import ArgumentParser
import FoundationEssentials
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval

struct Explain: RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says why a sandbox is not gone: what failed, who holds what, and what helps. Changes nothing.",
        discussion: """
            Looks for processes that wait in the kernel, frozen cgroups, dead processes that nobody reaps, mounts here \
            and in other mount namespaces, filesystems that do not answer, and who uses the pod's files and namespaces. \
            Only root sees all of this; explain says what it could not look at.

            As root, explain also finds a pod of a running CRI-O or containerd, registered or not, by its id, NAME or \
            NAMESPACE/NAME. It then looks at the pod's shim or conmon, its network plugin, and what the runtime's log \
            says of it. With --from it looks nowhere else, and takes the runtime's folders from the options.

            Exit status: 0 nothing on this node keeps the sandbox; 1 something does; 2 there is no such sandbox.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var foreign: ForeignOptions

    @Option(help: ArgumentHelp("How long a filesystem may take for an answer.", valueName: "seconds"))
    var patience = Seconds(.seconds(1))

    @Argument(
        help:
            "A sandbox's id, the beginning of a 64-digit id if no other begins with it, a pod's NAME or NAMESPACE/NAME."
    )
    var pod: String

    @Flag(name: .customLong("hand-over"), help: .hidden)
    var handsOver = false

    /// Only root sees all processes' namespaces, open files and wait channels.
    var staysRoot: Bool { !handsOver }

    func run() throws {
        let patience = min(max(patience.duration, .milliseconds(10)), .seconds(60))
        if handsOver { return handOver(try registered()) }
        if foreign.from != nil { return try explainForeign(patience, nil) }
        let found = try needsOwner ? fromOwner(Registered.self, "explain", [pod]) ?? .unknown : registered()
        if case .records(let records) = found {
            return try show(try records.explain(patience: patience), records.sandbox, Self.state(of: records.sandbox))
        }
        if ProcessUser.isRoot { return try explainForeign(patience, found) }
        if case .gone(let last) = found { return tell(of: last) }
        throw UsageError(
            """
            \(found == .unknown ? "no sandbox \(pod) is registered" : "there is no registry \(common.registryPath)"); \
            only root can look for a pod of CRI-O or containerd: sudo podreap explain \(pod)
            """)
    }

    /// What the registry has of the pod.
    private enum Registered: Codable, Equatable {
        case records(PodRecords)
        /// It is no longer registered.
        case gone(last: StoredReport)
        case unknown, noRegistry
    }

    private func registered() throws -> Registered {
        let orchestrator: Orchestrator
        do throws(RegistryError) { orchestrator = try common.openWithoutHelper() } catch {
            guard case .noDirectory = error else { throw error }
            return .noRegistry
        }
        let registry = orchestrator.registry
        if let sandbox = try registry.find(pod) ?? registry.find(named: pod) {
            return .records(try orchestrator.explained(sandbox))
        }
        return try registry.reports(of: pod, limit: 1).first.map { .gone(last: $0) } ?? .unknown
    }

    /// Explains a pod that a runtime on this node has.
    ///
    /// - Parameter found: What the registry has; nil if it was not asked.
    private func explainForeign(_ patience: Duration, _ found: Registered?) throws {
        let discovery = try foreign.discover(for: "explain", of: pod, asking: CRIAsker.list)
        if let sandbox = try discovery.records(of: pod)?.sandbox,
            let explanation = try discovery.explain(pod, patience: patience)
        {
            sayWhatWasMeant(pod, sandbox.id)
            return try show(explanation, sandbox, "It is not registered; this only looks.")
        }
        if case .gone(let last)? = found { return tell(of: last) }
        // Without a runtime's name, most of these are about pods that a living runtime has stopped.
        if found == nil { for problem in discovery.problems { complain("note: \(problem)") } }
        var places = discovery.placesLookedAt
        switch found {
        case .unknown: places.insert("the registry \(common.registryPath)", at: 0)
        case .noRegistry: places.append("there is no registry \(common.registryPath)")
        default: break
        }
        let here = discovery.summaries
        let list = here.prefix(20).joined(separator: ", ") + (here.count > 20 ? ", …" : "")
        throw UsageError(
            "there is no pod \(pod). Looked at: \(places.joined(separator: "; ")). Pods here: \(here.isEmpty ? "none" : list)"
        )
    }

    private func show(_ explanation: Explanation, _ sandbox: Sandbox, _ state: String) throws {
        if common.json {
            Stream.output.write(jsonLine(explanation))
        } else {
            let page = TerminalWriter(.output)
            page.title("\(shortened(sandbox.id)) (pod \(sandbox.metadata.namespace)/\(sandbox.metadata.name))")
            page.line(state)
            for finding in explanation.findings { Self.show(finding, page) }
        }
        if explanation.isBlocked { throw Status.incomplete }
    }

    private static func state(of sandbox: Sandbox) -> String {
        let time = age(since: sandbox.createdAt)
        return switch sandbox.state {
        case .ready: "It is registered and not being removed; \(time) old."
        case .notReady: "It is stopped; \(time) old."
        case .removing: "It is being removed, and that has not succeeded yet; \(time) old."
        }
    }

    private static func show(_ finding: Finding, _ page: TerminalWriter) {
        let mark =
            switch finding.weight {
            case .blocks: page.paint.red("BLOCKS")
            case .keeps: page.paint.yellow("KEEPS ")
            case .note: page.paint.dim("NOTE  ")
            }
        let subject = finding.subject == "sandbox" ? "" : "\(finding.subject): "
        page.line("")
        page.paragraph(abbreviated(subject + finding.text), first: "\(mark)  ", firstWidth: 8, indent: 8)
        for evidence in finding.evidence {
            page.paragraph(abbreviated(evidence.text), first: "        - ", firstWidth: 10, indent: 10)
        }
        // Commands are not wrapped, so that they can be copied.
        for remedy in finding.remedies { page.line("        \(page.paint.green("->")) \(remedy)") }
    }

    /// Tells of a sandbox that is no longer registered.
    private func tell(of last: StoredReport) {
        if common.json { return Stream.output.write(jsonLine(EndLine(id: last.sandboxID, last: last))) }
        Stream.output.write(
            """
            \(shortened(last.sandboxID)) was \(last.outcome) \(age(since: last.startedAt)) ago, and podreap keeps \
            nothing of it. See: podreap history \(last.sandboxID)

            """)
    }
}
