import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What nobody reads holds up nobody.
@Suite(.serialized) struct UnreadTests {
    @Test func theLog() throws {
        try withPodNode { node in
            let pods = try (0..<3).map { try node.pod("pod-\($0)") }
            for pod in pods { try register(pod, node) }
            let pipe = try FullPipe("\(node.library)/log")
            let daemon = try Daemon(
                node, wrapper: ["/bin/sh", "-c", "exec \"$@\" 2>\(pipe.path)", "sh"], waits: false)
            try waitForSocket(of: daemon)
            let calls = pods.map { Call("RemovePodSandbox", ["pod_sandbox_id": $0.id], timeout: 20) }
            let answers = try daemon.calls([calls])
            #expect(answers.allSatisfy { $0.code == "OK" }, "\(answers)")
            for pod in pods { #expect(pod.leftovers() == []) }
            // It says what it has to say where somebody reads after all, and ends where nobody does.
            #expect(try daemon.end(seconds: 20) == .exited(0))
        }
    }

    @Test func theLogIsReadLater() throws {
        try withPodNode { node in
            let pod = try node.pod()
            try register(pod, node)
            let pipe = try FullPipe("\(node.library)/log")
            let daemon = try Daemon(
                node, wrapper: ["/bin/sh", "-c", "exec \"$@\" 2>\(pipe.path)", "sh"], waits: false)
            try waitForSocket(of: daemon)
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id], timeout: 20).code == "OK")
            daemon.program.kill(15)
            let log = try pipe.read()
            #expect(log.contains("ready") && log.contains("outcome=removed") && log.contains("ended"), "\(log)")
        }
    }

    private func register(_ pod: SamplePod, _ node: PodNode) throws {
        let file = try node.write(pod.registration, as: "\(pod.name).json")
        #expect(try node.podreap(["register", file]).status == 0)
    }

    private func waitForSocket(of daemon: Daemon) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !FileManager.default.fileExists(atPath: daemon.socket) {
            try #require(.now < deadline)
            Thread.sleep(forTimeInterval: 0.01)
        }
    }
}
