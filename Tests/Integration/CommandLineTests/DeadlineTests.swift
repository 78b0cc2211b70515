import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A command ends within its --timeout, whatever it waits for. What holds it up does so until the command has ended.
@Suite(.serialized) struct DeadlineTests {
    /// A program that says what the real helper says to Hello, and then nothing.
    private func silentHelper(_ node: PodNode) throws -> String {
        try BadHelperTests().helper(
            node,
            answering: try BadHelperTests.hello(), then: "exec sleep 100")
    }

    @Test func aHelperThatNeverAnswers() throws {
        try withPodNode { node in
            let pod = try node.pod()
            let document = try node.write(pod.registration, as: "document.json")
            let helper = try silentHelper(node)
            let registering = try node.podreap(["register", "--timeout", "1", "--helper", helper, document])
            #expect(registering.status == 1, "\(registering)")
            #expect(
                registering.errors.hasPrefix("podreap: sandbox.directory: a look at it was not available within "),
                "\(registering)")
            #expect(try node.podreap(["ps", "--json"]).output == "")
            let looking = try node.podreap(["gc", "--timeout", "1", "--helper", helper])
            #expect(looking.status == 1 && looking.errors.contains(" was not available within "), "\(looking)")
            #expect(try node.podreap(["register", "--timeout", "60", document]).status == 0)
            #expect(try node.podreap(["gc", "--timeout", "60"]).status == 0)
            #expect(try node.podreap(["remove", pod.id]).status == 0)
            #expect(pod.leftovers() == [])
        }
    }

    /// The time is for all documents together.
    @Test func severalDocuments() throws {
        try withPodNode { node in
            let pods = try (0..<2).map { try node.pod("pod-\($0)", []) }
            let document = try node.write(pods.map(\.registration).joined(separator: "\n"), as: "document.json")
            let helper = try silentHelper(node)
            let result = try node.podreap(["register", "--timeout", "1", "--helper", helper, document])
            #expect(result.status == 1 && result.output == "", "\(result)")
            for pod in pods { #expect(result.errors.contains("\(pod.id.prefix(12))"), "\(result)") }
            #expect(result.errors.hasSuffix(" was not available within 0 s\n"), "\(result)")
        }
    }

    /// Another program holds the registry with a transaction, and the bound holds for each process by itself.
    @Test func aRegistryThatIsHeld() throws {
        try withPodNode { node in
            let (pod, other) = (try node.pod("known"), try node.pod("new"))
            #expect(try node.register(pod).status == 0)
            let document = try node.write(other.registration, as: "document.json")
            let holder = try RegistryHolder(node.registryPath)
            let running = try [
                node.start(["register", "--timeout", "1", document]), node.start(["remove", "--timeout", "1", pod.id]),
                node.start(["stop", pod.id], environment: ["PODREAP_SETTINGS=\(try shortTime(node))"]),
                node.start(["gc", "--timeout", "20"]),
            ]
            let results = try running.map { try $0.end(seconds: 30) }
            #expect(try holder.program.wait(seconds: 0) == nil)
            #expect(results.map(\.status) == [1, 1, 1, 0], "\(results)")
            #expect(results[0].errors.contains("the registry, which others keep locked, was not available within "))
            try holder.end()
            #expect(try node.podreap(["ps", "--json"]).lines().count == 1, "what was given up is not done later")
            for pod in [pod, other] {
                #expect(try node.podreap(["register", document]).status < 3)
                #expect(try node.podreap(["remove", pod.id]).status == 0)
                #expect(pod.leftovers() == [])
            }
        }
    }

    /// Nobody can even open it: whoever has little time says so then, and not when others would give up.
    @Test func aRegistryThatCannotBeOpened() throws {
        try withPodNode { node in
            let pod = try node.pod()
            #expect(try node.register(pod).status == 0)
            let document = try node.write(node.pod("new", []).registration, as: "new.json")
            let holder = try RegistryHolder(node.registryPath, alone: true)
            let patient = try node.start(["remove", pod.id])
            let running = try [
                node.start(["register", "--timeout", "1", document]), node.start(["remove", "--timeout", "1", pod.id]),
                node.start(["remove", "--timeout", "1", "--all"]), node.start(["gc", "--timeout", "1"]),
                node.start(["stop", pod.id], environment: ["PODREAP_SETTINGS=\(try shortTime(node))"]),
            ]
            let checking = try node.start(["doctor", "--timeout", "1"])
            for result in try running.map({ try $0.end(seconds: 30) }) {
                #expect(result.status == 1, "\(result)")
                #expect(result.errors.hasPrefix("podreap: the registry"), "\(result)")
                #expect(result.errors.contains(" was not available within "), "\(result)")
            }
            let checked = try checking.end(seconds: 30)
            #expect(checked.status == 1 && checked.output.contains("was kept locked by another process"), "\(checked)")
            let result = try patient.end(seconds: 30)
            #expect(result.status == 3 && result.errors.contains("was kept locked by another process"), "\(result)")
            try holder.end()
            #expect(try node.podreap(["remove", pod.id]).status == 0)
            #expect(pod.leftovers() == [])
        }
    }

    /// A runtime that does not list its containers does not work: doctor says so when its time is over.
    @Test func aRuntimeThatNeverAnswers() throws {
        try withPodNode { node in
            let result = try node.podreap(["doctor", "--timeout", "1", "--helper", try silentHelper(node)])
            #expect(result.status == 1)
            let words = result.output.split { $0.isWhitespace }.joined(separator: " ")
            #expect(words.contains("its list of containers was not available within 1 s"), "\(result)")
        }
    }

    private func shortTime(_ node: PodNode) throws -> String {
        try node.write("[removal]\ntimeout = 1\nstop-grace = 0\n", as: "podreap.toml")
    }
}
