import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// podreapd, started by root: it becomes the registry's owner, and works in each directory as its owner.
@Suite(.serialized) struct RootTests {
    private static let sockets = "/mnt/sockets"

    private func owner(_ path: String) throws -> String { try shell("stat -c '%F %a %u:%g' \(path)") }

    @Test(arguments: [true, false]) func rootBecomesTheOwner(socketIsRoots: Bool) throws {
        try withPodNode { node in
            try shell("mkdir -p -m 0755 \(Self.sockets)")
            defer { _ = try? shell("rm -rf \(Self.sockets)") }
            let place = socketIsRoots ? "\(Self.sockets)/podreap.sock" : "\(node.library)/podreap.sock"
            let daemon = try Daemon(node, as: 0, socket: place)
            // Who makes it is the directory's owner; podreap's group may call.
            #expect(try owner(place) == "socket 660 \(socketIsRoots ? 0 : PodNode.user):\(PodNode.user)\n")
            // All threads; its helpers have ids of their own.
            let ids = try shell(
                "cat /proc/\(daemon.program.pid)/task/*/status | grep ^Uid | sort -u"
            )
            #expect(ids == "Uid:" + String(repeating: "\t\(PodNode.user)", count: 4) + "\n", "\(ids)")
            for caller in [nil, PodNode.user] {
                #expect(try daemon.calls([[Call("Version")]], as: caller)[0].code == "OK")
            }
            let pod = try daemon.pod()
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
            #expect(pod.leftovers() == [])
            #expect(try daemon.end() == .exited(0), "\(daemon.log())")
            #expect(try shell("find \(node.library) -user 0") == "")
            // What it could not remove as podreap does not keep the next one from starting.
            let next = try Daemon(node, as: 0, socket: place)
            #expect(try next.call("Version").code == "OK")
            #expect(try next.end() == .exited(0), "\(next.log())")
        }
    }

    /// Links in the directory of podreap's user lead root nowhere.
    @Test(arguments: ["podreap.sock", "podreap.sock.lock"]) func rootFollowsNoLink(_ name: String) throws {
        try withPodNode { node in
            try shell("rm -rf /mnt/victims && mkdir /mnt/victims && echo victim >/mnt/victims/file")
            defer { _ = try? shell("rm -rf /mnt/victims") }
            let before = try shell("find /mnt/victims -printf '%p %i %m %U:%G %s %C@\\n'")
            try shell("ln -s /mnt/victims/file \(node.library)/\(name)")
            let daemon = try Daemon(node, as: 0, waits: false)
            _ = try daemon.program.wait(seconds: 1)
            _ = try daemon.end()
            #expect(try shell("find /mnt/victims -printf '%p %i %m %U:%G %s %C@\\n'") == before, "\(daemon.log())")
        }
    }

    /// Where nobody else is to become: a directory that others may write is no place for root's socket.
    @Test func rootListensNowhereElse() throws {
        try withPodNode { node in
            let registry = "PODREAP_REGISTRY=\(PodNode.rootLibrary)/registry.sqlite"
            let daemon = try Daemon(node, environment: [registry], as: 0, waits: false)
            #expect(try daemon.program.wait(seconds: 10) == .exited(3))
            #expect(daemon.log().contains("root does not listen at \(node.library)/podreap.sock"), "\(daemon.log())")
        }
    }
}
