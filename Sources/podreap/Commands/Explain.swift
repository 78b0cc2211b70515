import ArgumentParser
import FoundationEssentials
internal import SandboxRegistry
internal import SandboxRemoval

struct Explain: RegistryCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says why a sandbox is not gone: what failed, who holds what, and what helps. Changes nothing.",
        discussion: """
            Looks for processes that wait in the kernel, frozen cgroups, dead processes that nobody reaps, mounts here \
            and in other mount namespaces, filesystems that do not answer, and who uses the pod's files and namespaces. \
            Only root sees all of this; explain says what it could not look at. With --from, as root, it explains a pod \
            of CRI-O or containerd on this node that is not registered.

            Exit status: 0 nothing on this node keeps the sandbox, 1 something does, 2 no such sandbox.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var foreign: ForeignOptions

    @Option(help: ArgumentHelp("How long a filesystem may take for an answer.", valueName: "seconds"))
    var patience = Seconds(.seconds(1))

    @Argument(help: "A sandbox's id, digits that only one of 64 begins with, or a pod's NAMESPACE/NAME.")
    var pod: String

    @Flag(name: .customLong("hand-over"), help: .hidden)
    var handsOver = false

    /// Only root sees all processes' namespaces, open files and wait channels.
    var staysRoot: Bool { !handsOver }

    func run() throws {
        let patience = min(max(patience.duration, .milliseconds(10)), .seconds(60))
        if foreign.from != nil {
            let discovery = try foreign.discover(pod, for: "explain")
            guard let sandbox = try discovery.records(of: pod)?.sandbox,
                let explanation = try discovery.explain(pod, patience: patience)
            else { throw RegistryError.unknownSandbox(id: pod) }
            sayWhatWasMeant(pod, sandbox.id)
            return try show(explanation, sandbox, "It is not registered; this only looks.")
        }
        guard let records = try records() else { return }
        try show(try records.explain(patience: patience), records.sandbox, Self.state(of: records.sandbox))
    }

    /// The pod's records; nil if everything was already printed or handed over.
    private func records() throws -> PodRecords? {
        if try needsOwner { return try fromOwner(PodRecords.self, "explain", [pod]) }
        let orchestrator = try common.openWithoutHelper()
        guard let sandbox = try orchestrator.registry.find(pod) else {
            try tellOfGone(orchestrator.registry)
            if handsOver { handOver(PodRecords?.none) }
            return nil
        }
        let records = try orchestrator.explained(sandbox)
        guard handsOver else { return records }
        handOver(records)
        return nil
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

    /// Prints what the registry still knows of a sandbox that is no longer registered.
    private func tellOfGone(_ registry: Registry) throws {
        guard let last = try registry.reports(of: pod, limit: 1).first else {
            throw RegistryError.unknownSandbox(id: pod)
        }
        if common.json {
            return Stream.output.write(jsonLine(EndLine(id: last.sandboxID, last: last)))
        }
        let time = age(since: last.startedAt)
        Stream.output.write(
            """
            \(shortened(last.sandboxID)) was \(last.outcome) \(time) ago, and podreap keeps nothing of it. See: \
            podreap history \(last.sandboxID)

            """)
    }
}
