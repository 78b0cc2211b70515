import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods

/// What is killed, and when.
enum Crash: String, CaseIterable {
    case before, during, after
    case helperBefore = "helper before"
    case helperDuring = "helper during"

    func arguments(_ step: CrashMatrix.Step) -> [String] {
        let moment = self == .after ? "after" : self == .before || self == .helperBefore ? "before" : "during"
        return ["\(step.number)", moment, killsHelpers ? "helpers" : "orchestrator", "\(step.microseconds / 2)"]
    }

    var killsHelpers: Bool { self == .helperBefore || self == .helperDuring }
}

final class CrashMatrix {
    struct Step {
        let number: Int
        let verb: String
        let subject: String
        let microseconds: Int
        var name: String { "\(verb) (\(subject))" }
    }

    let purpose: String
    private(set) var steps: [Step] = []
    private var cells: [String: [String]] = [:]
    private let node: PodNode
    /// The unprivileged user's registry, as root sees it.
    private let orchestrator: Orchestrator
    private let bystander: SamplePod
    private let bystanderBefore: [String]

    init(_ node: PodNode, _ purpose: String) async throws {
        self.node = node
        self.purpose = purpose
        try node.write("", as: "made-by-the-user")
        let listed = try node.podreap(["ps"])
        guard listed.status == 0 else { throw ProgramFailure(description: listed.errors) }
        // Root opens no registry in another user's directory. Once it is open, this test may look.
        try shell("chown 0:0 \(node.library)")
        orchestrator = try Orchestrator(path: node.registryPath, helper: TestNode.helper)
        try shell("chown \(PodNode.user):\(PodNode.user) \(node.library)")
        bystander = try node.pod("bystander", [Workload(.ignoresTerm)])
        bystanderBefore = bystander.leftovers().sorted()
        try await orchestrator.register(bystander)
        // A run without a crash says which steps there are, and how long each takes.
        let pod = try node.pod()
        try await orchestrator.register(pod)
        let names = Dictionary(
            uniqueKeysWithValues: [(pod.id, "sandbox"), (pod.infra.id, "infra"), (pod.workloads[0].id, "app")])
        let (status, output) = try crasher(pod, [])
        guard status == 0 else { throw ProgramFailure(description: output) }
        for line in output.split(separator: "\n") {
            let words: [String] = line.split(separator: " ").map(String.init)
            guard words.count == 5, words[0] == "step", let number = Int(words[1]), let time = Double(words[4]) else {
                continue
            }
            let subject = names[words[3]] ?? "?"
            steps.append(
                Step(number: number, verb: words[2], subject: subject, microseconds: Int(time * 1000)))
        }
        let problems = try finish(pod)
        guard problems.isEmpty else { throw ProgramFailure(description: "\(problems)") }
    }

    /// What is wrong after a crash, and after the next call.
    func run(_ step: Step, _ crash: Crash) async throws -> [String] {
        let pod = try node.pod()
        defer { pod.destroy() }
        try await orchestrator.register(pod)
        var problems: [String] = []
        let (status, output) = try crasher(pod, crash.arguments(step))
        // One that is killed late may have been done by then.
        let expected: [Int32] = crash.killsHelpers ? [0] : crash == .during ? [-9, 0] : [-9]
        if !expected.contains(status) { problems.append("ended with \(status): \(output)") }
        if crash.killsHelpers, !output.hasSuffix(purpose == "remove" ? "removed\n" : "stopped\n") {
            problems.append("did not go on with another helper: \(output)")
        }
        problems += try namesTooEarly(pod)
        problems += try finish(pod)
        cells["\(step.number) \(crash.rawValue)"] = problems
        return problems
    }

    private func crasher(_ pod: SamplePod, _ crash: [String]) throws -> (status: Int32, output: String) {
        var start = ProgramStart(
            try TestPrograms.forUser("podreap-crasher"),
            [node.registryPath, TestNode.helper, purpose, pod.id] + (crash.isEmpty ? ["none"] : crash))
        start.user = PodNode.user
        start.group = PodNode.user
        start.input = 0
        start.output = .read
        let program = try Program(start)
        let output = try program.readAll(seconds: 60)
        switch try program.wait(seconds: 10) {
        case .exited(let status): return (status, output)
        case .signalled(let signal): return (-signal, output)
        case nil: throw ProgramFailure(description: "the crasher does not end: \(output)")
        }
    }

    /// Names, and records, that are free though something that they protect is there.
    private func namesTooEarly(_ pod: SamplePod) throws -> [String] {
        let left = pod.leftovers()
        guard let sandbox = try orchestrator.registry.sandbox(pod.id) else {
            return left.isEmpty ? [] : ["the sandbox was forgotten, but there is still: \(left)"]
        }
        var problems: [String] = []
        let known = Set(try orchestrator.registry.containers(of: sandbox.id).map(\.id))
        for container in pod.containers where !known.contains(container.id) {
            let own = left.filter { $0.contains(container.id) || $0.contains("process \(container.pid),") }
            if !own.isEmpty { problems.append("\(container.name) was forgotten, but there is still: \(own)") }
        }
        // A pod with the same name, though with an id of its own, is not let in.
        var second = sandbox
        second.id = "second"
        second.directory = "\(node.sample.sandboxRoot)/second"
        second.shm = nil
        second.namespaces = []
        do throws(RegistryError) {
            try orchestrator.registry.register(second, [])
            problems.append("the pod's name was free")
        } catch {
            guard case .nameHeld = error else { return problems + ["\(error)"] }
        }
        return problems
    }

    /// Runs podreap again, and looks that it ends clean.
    private func finish(_ pod: SamplePod) throws -> [String] {
        var problems: [String] = []
        func expect(_ isSo: Bool, _ problem: @autoclosure () -> String) { if !isSo { problems.append(problem()) } }
        if purpose == "stop" {
            let again = try node.podreap(["stop", pod.id])
            expect(again.status == 0, "stop again: \(again)")
            expect(
                try orchestrator.registry.sandbox(pod.id)?.state == .notReady, "it is not noted as stopped")
            let left = pod.leftovers()
            let living = left.filter {
                $0.hasPrefix("process") || $0.contains(pod.netns) || $0.hasPrefix("mount \(pod.shm)")
            }
            expect(living.isEmpty, "stopped, but there is still: \(living)")
            expect(try orchestrator.registry.containers(of: pod.id).count == 2, "a stop forgets no container")
        }
        let again = try node.podreap(["remove", pod.id])
        expect(again.status == 0, "remove again: \(again)")
        expect(pod.leftovers() == [], "left: \(pod.leftovers())")
        expect(try orchestrator.registry.sandbox(pod.id) == nil, "the sandbox is still registered")
        expect(try orchestrator.registry.sandboxes().map(\.id) == [bystander.id], "the registry has something else")
        expect(bystander.leftovers().sorted() == bystanderBefore, "another sandbox was touched")
        expect(node.sample.volumeIsIntact, "a volume was emptied")
        let abandoned = try orchestrator.registry.abandonedWork().map(\.sandbox.id)
        expect(abandoned.isEmpty, "the lock file says that work was not finished: \(abandoned)")
        return problems
    }

    var table: String {
        let width = (steps.map(\.name.count).max() ?? 0) + 2
        func padded(_ text: String, _ width: Int) -> String {
            text.padding(toLength: width, withPad: " ", startingAt: 0)
        }
        var lines = [padded(purpose, width) + Crash.allCases.map { padded($0.rawValue, 15) }.joined()]
        for step in steps {
            let marks = Crash.allCases.map { crash in
                cells["\(step.number) \(crash.rawValue)"].map { $0.isEmpty ? "clean" : "FAILED" } ?? "-"
            }
            lines.append(padded(step.name, width) + marks.map { padded($0, 15) }.joined())
        }
        return lines.joined(separator: "\n")
    }
}
