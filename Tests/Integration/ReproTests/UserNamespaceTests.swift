import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// podreap in a user namespace of its own: its root may signal root's processes, and detach none of the node's mounts.
@Suite(.serialized) struct UserNamespaceTests {
    /// Lines of uid_map and gid_map, and what doctor calls the namespace.
    static let maps = [("0 0 4294967295", "WARN"), ("0 0 \(PodNode.user + 1)", "FAILED")]

    @Test(arguments: maps) func doctorSaysSoAndNothingIsCalledRemoved(_ map: String, _ mark: String) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let doctor = try Self.podreap(node, "doctor", map)
            let lines = doctor.split(separator: "\n").filter { $0.contains("another user namespace") }
            #expect(lines.count == 1 && lines[0].hasPrefix(mark), "\(doctor)")
            let removed = try Self.podreap(node, "remove p1", map)
            #expect(removed.hasSuffix("\n1\n") && removed.contains("umount: Operation not permitted"), "\(removed)")
            let left = try node.leftovers(of: "p1", ["c1"])
            #expect(left.contains("mount \(node.directory(ofSandbox: "p1"))/shm"), "\(left)")
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// Output, errors and exit status of a command as podreap's user in such a namespace.
    private static func podreap(_ node: PodNode, _ command: String, _ map: String) throws -> String {
        _ = try node.podreap(["--version"])
        return try shell(
            """
            cd /mnt; rm -f go; mkfifo go
            unshare --user sh -c 'read line <go; exec setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups \
            env PODREAP_REGISTRY=\(node.registryPath) PODREAP_HELPER=\(TestNode.helper) NO_COLOR=1 \
            sh -c "/mnt/podreap \(command) 2>&1; echo \\$?"' &
            child=$!
            while [ "$(readlink /proc/$child/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
            echo '\(map)' >/proc/$child/uid_map; echo '\(map)' >/proc/$child/gid_map
            echo >go; wait $child; rm go
            """)
    }
}
