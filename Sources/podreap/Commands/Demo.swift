import ArgumentParser
import Dispatch
import FoundationEssentials
internal import SamplePod
internal import SandboxRegistry

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a real pod, removes it, and proves that nothing is left.",
        discussion: """
            Needs root, runc, busybox, iproute2 and setcap; `make demo` installs them. Everything happens in a mount \
            namespace of its own and beneath private roots, and the machine is left as it was. podreap itself runs as \
            an unprivileged user, with the helper installed as a distribution would.
            """)

    @Option(help: ArgumentHelp("The helper to install.", valueName: "path"))
    var helper: String?

    @Option(help: "How many workload containers the pod has beside its infra container; the last one ignores TERM.")
    var workloads = 2

    @Flag(help: .hidden)
    var inside = false

    func validate() throws {
        guard 1...50 ~= workloads else { throw ValidationError("--workloads takes a number from 1 to 50") }
    }

    func run() async throws {
        guard isSuperuser else {
            throw UsageError("demo makes mounts and containers, so it needs root: sudo podreap demo")
        }
        guard inside else { return try enterPrivateNamespace() }
        let path = helper ?? environmentVariable("PODREAP_HELPER") ?? "/usr/libexec/podreap/podreap-helper"
        do {
            let stage = try Stage(helper: path, workloads: workloads)
            defer { stage.clear() }
            // An interrupted demo leaves no containers behind.
            let watchers = endingSignals.map {
                onSignal($0) {
                    stage.clear(); leave(128 + $0)
                }
            }
            defer { watchers.forEach { $0.cancel() } }
            try stage.play()
        } catch let error as SampleError {
            complain(error)
            throw Status.unusable
        }
    }

    /// Starts this program again in a mount namespace of its own: only a new process has all its threads in there.
    private func enterPrivateNamespace() throws {
        let same = ["demo", "--inside", "--workloads", "\(workloads)"] + (helper.map { ["--helper", $0] } ?? [])
        replaceProcess(["unshare", "--mount", "--propagation", "private", "--", programPath] + same)
        throw UsageError("unshare(1) of util-linux is missing")
    }
}

/// The pod and the node that it runs on, and what is shown of them.
private struct Stage: Sendable {
    let installation: SampleInstallation
    let pod: SamplePod
    private let duration: Duration

    init(helper: String, workloads: Int) throws {
        Self.title("A real pod")
        installation = try SampleInstallation(helper: helper)
        let start = ContinuousClock.now
        let plans = (1...workloads).map { Workload($0 == workloads ? .ignoresTerm : .handlesTerm) }
        do {
            pod = try SamplePod(on: installation.node, workloads: plans)
        } catch {
            installation.node.destroy()
            throw error
        }
        duration = .now - start
    }

    func clear() {
        pod.destroy()
        installation.node.destroy()
    }

    func play() throws {
        let ignoring = pod.workloads.count == 1 ? "which ignores TERM" : "the last of which ignores TERM"
        say(
            "runc made it in \(Milliseconds.text(duration / .milliseconds(1))): an infra container and "
                + "\(pod.workloads.count) workload\(pod.workloads.count == 1 ? "" : "s"), \(ignoring),")
        say("a shm, a pinned network namespace with a veth pair, overlays, and a volume in the first workload.")
        let before = inventory()
        let document = try installation.place(pod.registration, as: "pod.json")
        try podreap("Registered by an unprivileged user", ["register", document])
        try podreap("What is there", ["ps"])
        try podreap("What removing it takes", ["plan", "web"], id: pod.id)
        try podreap("Removed", ["remove"], id: pod.id)
        try prove(before)
        try showThatNamesAreFree()
        try podreap("Removed once more: that is no error", ["remove"], id: pod.id)
        Self.title("Nothing is left of the pod, and the machine is as it was.")
    }

    /// Looks from outside, as root and without asking podreap or the runtime.
    private func prove(_ before: [(kind: String, count: Int)]) throws {
        Self.title("Looked for from outside, as root, without podreap")
        let after = inventory()
        say(
            table(
                [["", "BEFORE", "AFTER"]]
                    + before.map { entry in
                        [entry.kind, "\(entry.count)", "\(after.first { $0.kind == entry.kind }?.count ?? 0)"]
                    }))
        let left = pod.leftovers()
        guard left.isEmpty else { throw DemoFailure("left behind: \(left.joined(separator: ", "))") }
        guard pod.node.volumeIsIntact else { throw DemoFailure("the volume's data is gone") }
        say("The volume that was mounted in the first workload still has its data.")
    }

    /// The same names and ids are registered again at once, and removed.
    private func showThatNamesAreFree() throws {
        var document = try RegistrationDocument(json: Data(pod.registration.utf8))
        document.sandbox.shm = nil
        document.sandbox.namespaces = []
        for index in document.containers.indices {
            document.containers[index].process = nil
            document.containers[index].directories = []
        }
        let text = String(decoding: document.json(), as: UTF8.self)
        try podreap("Its names are free again", ["register", try installation.place(text, as: "again.json")])
        try podreap(nil, ["remove"], id: pod.id)
    }

    private func podreap(_ title: String?, _ arguments: [String], id: String? = nil) throws {
        if let title { Self.title(title) }
        let arguments = arguments.filter { $0 != "web" } + (id.map { [$0] } ?? [])
        say(emphasised("$ podreap \(arguments.joined(separator: " "))"))
        let status = try installation.run(arguments)
        guard status == 0 else { throw DemoFailure("podreap \(arguments[0]) ended with status \(status)") }
    }

    /// How many things of each kind are there. A process is in a cgroup of every hierarchy, but counts once.
    private func inventory() -> [(kind: String, count: Int)] {
        let found = pod.leftovers().map { $0.split(separator: " ") }
        let kinds = [
            ("processes", "process"), ("cgroups", "cgroup"), ("mounts", "mount"),
            ("directories and files", "directory"),
            ("containers known to runc", "runtime"),
        ]
        return kinds.map { kind, word in (kind, Set(found.filter { $0[0] == word }.map(Self.key)).count) }
    }

    private static func key(_ words: [Substring]) -> String {
        words[0] == "process" ? words[1].filter(\.isNumber) : words.joined(separator: " ")
    }

    private static func title(_ text: String) { say("\n" + emphasised(text)) }
}

private func say(_ text: String) { Stream.output.write(text.hasSuffix("\n") ? text : text + "\n") }

private func emphasised(_ text: String) -> String { Stream.output.isTerminal ? "\u{1b}[1m\(text)\u{1b}[0m" : text }

/// The demo did not show what it should.
struct DemoFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
