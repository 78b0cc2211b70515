import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A daemon that has given up everything, with helpers that a service manager starts.
@Suite(.serialized) struct HelperSocketTests {
    private static let wrapper = ["/usr/bin/setpriv", "--no-new-privs"]

    private func withSocket(_ body: (PodNode, HelperSocket) throws -> Void) throws {
        try withPodNode { node in
            let socket = try HelperSocket()
            let result = Result { try body(node, socket) }
            try socket.end()
            try result.get()
        }
    }

    /// The line that doctor says of a daemon.
    private func doctor(_ node: PodNode, _ daemon: Daemon, _ options: [String] = []) throws -> [String: any Sendable] {
        let lines = try node.podreap(["doctor", "--json"] + options).lines()
        let name = "daemon \(daemon.program.pid)"
        return try #require(lines.first { $0["name"] as? String == name }, "\(lines)")
    }

    @Test func removesPods() throws {
        try withSocket { node, socket in
            let daemon = try Daemon(node, settings: "helper-socket = \"\(socket.path)\"", wrapper: Self.wrapper)
            #expect(try NodeProcess(daemon.program.pid).status()["NoNewPrivs"] == "1")
            for _ in 0..<2 {
                let pod = try daemon.pod()
                #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
                #expect(pod.leftovers() == [])
                // The next call takes others.
                for helper in try socket.helpers() { try shell("kill -KILL \(helper)") }
            }
            #expect(try doctor(node, daemon, ["--helper-socket", socket.path])["status"] as? String == "good")
            #expect(try daemon.end() == .exited(0))
            #expect(NodeProcess.waitForEnd(of: try socket.helpers(), seconds: 5) == [])
        }
    }

    @Test func doctorFindsADaemonWithoutPrivileges() throws {
        try withPodNode { node in
            let daemon = try Daemon(node, wrapper: Self.wrapper)
            let check = try doctor(node, daemon)
            #expect(check["status"] as? String == "failed")
            #expect((check["text"] as? String)?.contains("no_new_privs") == true)
            #expect((check["text"] as? String)?.contains("mount namespace of its own") == true)
            #expect((check["remedy"] as? String)?.contains("helper-socket.conf") == true)
            #expect(try daemon.end() == .exited(0))
        }
    }
}
