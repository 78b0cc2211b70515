import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Helpers that a service manager starts at a socket: podreap itself may then have given up everything.
@Suite(.serialized) struct HelperSocketTests {
    /// Runs podreap as the unprivileged user beneath `wrapper`, with no_new_privs and no capability that it could ever get.
    private func podreap(_ node: PodNode, _ arguments: [String], beneath wrapper: String = "") throws -> String {
        _ = try node.podreap(["--version"])
        let user = PodNode.user
        return try shell(
            """
            \(wrapper) setpriv --reuid \(user) --regid \(user) --clear-groups --no-new-privs --bounding-set=-all \
            env -i PATH=/usr/bin:/bin PODREAP_REGISTRY=\(node.registryPath) \
            /mnt/podreap \(arguments.joined(separator: " ")) 2>&1
            """)
    }

    /// A node with a helper socket, and a registered pod.
    private func withPod(_ body: (PodNode, HelperSocket, SamplePod) throws -> Void) throws {
        try withPodNode { node in
            let socket = try HelperSocket()
            let result = Result {
                let pod = try node.pod("web", [Workload(), Workload(.ignoresTerm)])
                let document = try node.write(pod.registration, as: "pod.json")
                #expect(
                    try podreap(node, ["register", document, "--helper-socket", socket.path]).contains(pod.id))
                try body(node, socket, pod)
            }
            try socket.end()
            try result.get()
        }
    }

    @Test func removesAPodWithoutAnyPrivilege() throws {
        try withPod { node, socket, pod in
            // Without the socket this process can start no helper that is of use.
            let alone = try podreap(node, ["remove", pod.id, "--helper \(TestNode.helper) || [ $? = 3 ]"])
            #expect(alone.contains("lacks cap_"), "\(alone)")
            #expect(pod.leftovers() != [])
            let output = try podreap(node, ["remove", pod.id, "--helper-socket", socket.path])
            #expect(output.contains("removed \(pod.id.prefix(13))"), "\(output)")
            #expect(pod.leftovers() == [])
            #expect(node.sample.volumeIsIntact)
            #expect(NodeProcess.waitForEnd(of: try socket.helpers(), seconds: 5) == [])
        }
    }

    /// podreapd has such a mount namespace with ProtectSystem= and the like. What is unmounted on the node can live on in it.
    @Test func looksAtTheServiceManagersMounts() throws {
        try withPod { node, socket, pod in
            let directory = pod.workloads[0].directory
            try shell(
                """
                mount --make-rshared /mnt
                mkdir \(directory)/outer && mount -t tmpfs outer \(directory)/outer
                mkdir \(directory)/outer/inner && mount -t tmpfs inner \(directory)/outer/inner
                """)
            defer { _ = try? shell("mount --make-rprivate /mnt") }
            let output = try podreap(
                node, ["remove", pod.id, "--helper-socket", socket.path],
                beneath: "unshare --mount --propagation slave --")
            #expect(output.contains("removed \(pod.id.prefix(13))"), "\(output)")
            #expect(pod.leftovers() == [])
        }
    }

    @Test func doctorAsksForNothingOfThisProcess() throws {
        try withPod { node, socket, _ in
            let text = try podreap(node, ["doctor", "--json", "--helper-socket", socket.path])
            #expect(!text.contains("\"failed\""), "\(text)")
            #expect(text.contains("\"helper-socket\""))
            #expect(!text.contains("no-new-privileges"))
        }
    }

    /// The kernel says who has connected, and that is who must be a caller of helper.conf.
    @Test func servesCallersOnly() throws {
        try withPod { node, socket, pod in
            try shell("chmod 666 \(socket.path)")
            let remove = "/mnt/podreap remove \(pod.id) --helper-socket \(socket.path)"
            let registry = "PODREAP_REGISTRY=\(node.registryPath)"
            let stranger = try shell(
                """
                setpriv --reuid 61235 --regid \(PodNode.user) --clear-groups --inh-caps=-all sh -c '\
                chmod() { :; }; exec env \(registry) /mnt/podreap doctor --helper-socket \(socket.path) 2>&1' || [ $? = 1 ]
                """)
            #expect(stranger.contains("not a caller") || stranger.contains("caller = USER"), "\(stranger)")
            // Root is, whoever else is named.
            #expect(try shell("env \(registry) \(remove) 2>&1").contains("removed"))
            try shell("chmod 600 \(socket.path)")
            let refused = try podreap(node, ["doctor", "--helper-socket", "\(socket.path) || [ $? = 1 ]"])
            #expect(refused.contains("join podreap"), "\(refused)")
        }
    }

    @Test func saysWhatIsWrongWithASocket() throws {
        try withPodNode { node in
            let missing = try node.podreap(["doctor", "--helper-socket", "/mnt/nowhere"])
            #expect(missing.status == 1)
            #expect(missing.output.contains("systemctl enable --now podreap-helper.socket"))
            let both = try node.podreap(["doctor", "--helper-socket", "/mnt/nowhere", "--helper", "/mnt/helper"])
            #expect(both.status == 2)
            #expect(both.errors.contains("--helper and --helper-socket exclude each other"))
            let policy = try node.podreap(["doctor", "--helper-socket", "/mnt/nowhere", "--policy", "/mnt/policy"])
            #expect(policy.errors.contains("--policy needs --helper"))
        }
    }
}
