import ArgumentParser
import Dispatch
import Foundation
import SamplePod
import SandboxRegistry

/// Makes a real pod, removes it, and proves that nothing is left: `make demo` starts it.
@main
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "podreap-demo",
        abstract: "Makes a real pod, removes it, and proves that nothing is left.",
        discussion: """
            For root in a mount namespace of its own; needs runc, busybox, iproute2 and setcap. `make demo` sees to all of that. \
            Everything lies beneath private roots, and the machine is left as it was. podreap itself runs as an unprivileged \
            user, with the helper installed as a distribution would.
            """)

    @Option(help: ArgumentHelp("The helper to install.", valueName: "path"))
    var helper: String

    @Option(help: ArgumentHelp("The command line to install.", valueName: "path"))
    var podreap: String

    @Option(help: "How many workload containers the pod has beside its infra container; the last one ignores TERM.")
    var workloads = 2

    func validate() throws {
        guard 1...50 ~= workloads else { throw ValidationError("--workloads takes a number from 1 to 50") }
    }

    func run() throws {
        let stage = try Stage(helper: helper, podreap: podreap, workloads: workloads)
        defer { stage.clear() }
        // An interrupted demo leaves no containers behind.
        let watchers = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                stage.clear()
                Foundation.exit(128 + number)
            }
            source.resume()
            return source
        }
        defer { watchers.forEach { $0.cancel() } }
        try stage.play()
    }
}

/// The pod and the node that it runs on, and what is shown of them.
private struct Stage: Sendable {
    let installation: SampleInstallation
    let pod: SamplePod
    private let duration: Duration

    init(helper: String, podreap: String, workloads: Int) throws {
        Self.title("A real pod")
        installation = try SampleInstallation(helper: helper, program: podreap)
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
            "runc made it in \(Int(duration / .milliseconds(1))) ms: an infra container and "
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
        for (kind, count) in [("", "BEFORE")] + before.map({ ($0.kind, "\($0.count)") }) {
            let now = after.first { $0.kind == kind }.map { "\($0.count)" } ?? "AFTER"
            say(
                kind.padding(toLength: 26, withPad: " ", startingAt: 0)
                    + count.padding(toLength: 8, withPad: " ", startingAt: 0) + now)
        }
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

private func say(_ text: String) {
    FileHandle.standardOutput.write(Data((text.hasSuffix("\n") ? text : text + "\n").utf8))
}

private func emphasised(_ text: String) -> String {
    isatty(STDOUT_FILENO) == 1 ? "\u{1b}[1m\(text)\u{1b}[0m" : text
}

/// The demo did not show what it should.
private struct DemoFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
