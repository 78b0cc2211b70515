import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// A client in Python, written from the protocol's document alone, removes a real pod as the caller's user.
    @Suite struct IndependentClient {
        @Test func removesAPod() throws {
            let node = try TestNode.shared()
            let (sandbox, netns) = ("\(TestNode.sandboxes)/client", "\(TestNode.netns)/sample-client")
            let containers = try ["client-app", "client-infra"].map {
                try TestContainer($0, stateRoot: "/mnt/node/runc")
            }
            try shell(
                """
                mkdir -p \(sandbox)/shm \(sandbox)/deep/er; touch \(sandbox)/f; mount -t tmpfs shm \(sandbox)/shm
                touch \(netns); unshare --net=\(netns) true
                mkdir \(containers[0].bundle)/m; mount --bind \(containers[0].bundle)/rootfs \(containers[0].bundle)/m
                """)
            let pids = try shell("cat \(node.hierarchies[0])/\(TestNode.cgroup)/client-*/cgroup.procs").split(
                separator: "\n")
            #expect(pids.count == 2)
            let cgroups = node.hierarchies.map { "\($0)/\(TestNode.cgroup)/client-app" }.filter { Entry.exists($0) }
            let document: [String: Any] = [
                "runtime": "runc", "containers": containers.map { ["id": $0.id, "directory": $0.bundle] },
                "directory": sandbox,
                "namespaces": [netns], "cgroups": cgroups,
            ]
            // The caller may read what is in the repository no more than anybody else: the program is handed over.
            let source = URL(filePath: #filePath).deletingLastPathComponent().appending(
                path: "../../Support/IndependentClient/client.py")
            var start = ProgramStart(
                "/usr/bin/python3",
                [
                    "-c", try String(contentsOf: source, encoding: .utf8), TestNode.helper,
                    String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self),
                ])
            start.user = TestNode.caller
            start.group = TestNode.caller
            start.input = 0
            start.output = .read
            let client = try Program(start)
            let output = try client.readAll()
            #expect(try client.wait(seconds: 5) == .exited(0), "\(output)")
            #expect(output.hasSuffix("helper ended with 0\n"), "\(output)")
            for path in [sandbox, netns] + containers.flatMap({ [$0.bundle, "/mnt/node/runc/\($0.id)"] }) + cgroups {
                #expect(!Entry.exists(path), "\(path)")
            }
            #expect(try mounts(beneath: "/mnt/node").isEmpty)
            #expect(NodeProcess.waitForEnd(of: pids.compactMap { Int32($0) }, seconds: 1) == [])
        }
    }
}
