import Foundation
import HelperProtocol
import SamplePod
import TestNode
import TestPods
import Testing

/// Helpers that cannot be used: every command that needs one says why, and what would be right.
@Suite(.serialized) struct BadHelperTests {
    /// Runs every command that starts a helper with that one.
    private func expectUnusable(
        _ node: PodNode, _ unchanged: Unchanged, helper: String, _ message: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let document = try node.write(unchanged.document, as: "document.json")
        for arguments in [["remove", unchanged.id], ["stop", unchanged.id], ["register", document]] {
            let result = try node.podreap(arguments + ["--helper", helper])
            let about = arguments[0] == "register" ? "" : "\(unchanged.id.prefix(13)): "
            expectFailure(result, 3, about + message, sourceLocation: sourceLocation)
        }
        try unchanged.verify(helper, sourceLocation: sourceLocation)
    }

    @Test func missing() throws {
        try withPodNode { node in
            try expectUnusable(
                node, Unchanged(node), helper: "/nonexistent/podreap-helper",
                "there is no helper at /nonexistent/podreap-helper; install podreap-helper there, or name it with --helper "
                    + "or PODREAP_HELPER\n")
        }
    }

    @Test(arguments: ["0644", "0750"]) func notExecutable(_ mode: String) throws {
        try withPodNode { node in
            let path = "\(node.library)/helper"
            try shell("cp \(TestNode.helper) \(path) && chown 0:0 \(path) && chmod \(mode) \(path)")
            try expectUnusable(
                node, Unchanged(node), helper: path,
                "the helper \(path) may not be executed by this user; its mode is 0750 root:podreap, so join podreap\n")
        }
    }

    @Test func notAProgram() throws {
        try withPodNode { node in
            let path = try node.write("no program", as: "helper", mode: 0o755)
            try expectUnusable(node, Unchanged(node), helper: path, "the helper \(path) ")
            try expectUnusable(
                node, Unchanged(node), helper: "/bin/false", "the helper /bin/false ended before it answered")
        }
    }

    @Test(arguments: ["", "cap_sys_admin,cap_dac_override,cap_fowner,cap_setuid,cap_setgid,cap_setpcap=p"])
    func withoutCapabilities(_ capabilities: String) throws {
        try withPodNode { node in
            let path = "/mnt/libexec/helper-without"
            try TestNode.install(to: path, capabilities: capabilities.isEmpty ? "=" : capabilities)
            let missing = capabilities.isEmpty ? "cap_dac_override, cap_fowner, cap_kill, " : "cap_kill; "
            try expectUnusable(node, Unchanged(node), helper: path, "the helper \(path) lacks \(missing)")
            let result = try node.podreap(["remove", "--helper", path, "none"])
            #expect(result.status == 0, "an unknown sandbox needs no helper")
            let document = try node.write(node.pod("new", []).registration, as: "document.json")
            #expect(
                try node.podreap(["register", document, "--helper", path]).errors.contains(
                    "as root: setcap cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap=p "
                        + path))
        }
    }

    /// A program that sends one packet as soon as it starts, and then does what `rest` says.
    func helper(_ node: PodNode, answering reply: Reply, then rest: String = "exec cat") throws -> String {
        var packet: [UInt8] = []
        reply.encode(into: &packet)
        let file = "\(node.library)/packet"
        try Data(packet).write(to: URL(filePath: file))
        try shell("chmod 644 \(file)")
        let script = "#!/bin/sh\nPATH=/usr/bin:/bin\ncat \(file) 1>&0\n\(rest)\n"
        return try node.write(script, as: "helper-\(UUID().uuidString)", mode: 0o755)
    }

    @Test func otherVersion() throws {
        try withPodNode { node in
            let newest = Limits.version
            let later = VersionRange(minimum: newest + 1, maximum: newest + 2)
            let path = try helper(
                node, answering: Reply(kind: .hello, requestID: 1, outcome: .unsupported(later)))
            try expectUnusable(
                node, Unchanged(node), helper: path,
                "the helper speaks protocol versions \(newest + 1) to \(newest + 2), this podreap 1 to \(newest); "
                    + "install podreap and podreap-helper of the same release\n")
        }
    }

    /// It answers Hello and is gone when it is asked for anything, as are all that replace it.
    @Test func diesInTheMiddle() throws {
        try withPodNode { node in
            let pod = try node.pod()
            let path = try helper(
                node, answering: Self.hello(),
                then: "exec dd bs=4096 count=2 of=/dev/null status=none")
            let document = try node.write(pod.registration, as: "document.json")
            expectFailure(
                try node.podreap(["register", document, "--helper", path]), 3, "the helper ended without answering ")
            #expect(try node.podreap(["ps", "--json"]).output == "")

            // A removal has begun by then: it says what is left, and the next one with a good helper goes on.
            #expect(try node.register(pod).status == 0)
            let traces = pod.leftovers()
            let result = try node.podreap(["remove", pod.id, "--helper", path])
            #expect(result.status == 1)
            #expect(result.errors.contains("the helper ended without answering "))
            #expect(result.errors.hasSuffix("podreap: \(pod.id.prefix(13)) is not removed; run it again to go on\n"))
            #expect(pod.leftovers() == traces)
            #expect(try node.podreap(["ps"]).output.contains("removing"))
            #expect(try node.podreap(["remove", pod.id]).status == 0)
            #expect(pod.leftovers() == [])
        }
    }

    /// What the real helper says of its policy.
    private static func welcome() throws -> Welcome { try TestHelper(ungreeted: TestHelper.start).greet() }

    /// What the real helper answers to Hello.
    static func hello() throws -> Reply {
        Reply(kind: .hello, requestID: 1, outcome: .done, facts: .welcome(try welcome()))
    }

    @Test(arguments: [
        ("caller = 61234", "caller = 1", "this user is not a caller in helper.conf"),
        ("caller = 61234", "caler = 61234", "helper.conf is wrong (/etc/podreap/helper.conf:1: "),
        ("sandbox-root = /", "sandbox-root = ", "helper.conf is wrong (/etc/podreap/helper.conf:2: "),
    ])
    func policyThatDoesNotServe(_ of: String, _ by: String, _ message: String) throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            try node.setPolicy(node.policy.replacing(of, with: by))
            try expectUnusable(node, unchanged, helper: TestNode.helper, "the helper refuses to start: \(message)")
            try node.setPolicy(node.policy)
            #expect(try node.podreap(["remove", unchanged.id]).status == 0)
        }
    }

    /// The program that helper.conf names for the runtime is not there. Who lives is known and ended all the same; only the runtime's own
    /// record stays, which is said, and when the program is there the same command succeeds.
    @Test func runtimeMissing() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            try node.setPolicy(node.policy.replacing(node.sample.runtime, with: "/usr/sbin/nonexistent-runc"))
            let reason =
                "the program that helper.conf names for the runtime cannot be executed: No such file or directory\n"
            #expect(try node.register(node.pod("new", [])).status == 0)
            let result = try node.podreap(["remove", unchanged.id])
            #expect(result.status == 1)
            #expect(result.errors.contains(": runc delete: \(reason)"), "\(result)")
            #expect(!unchanged.sample.leftovers().contains { $0.hasPrefix("process") })
            #expect(unchanged.sample.leftovers().contains { $0.hasPrefix("mount") })
            try node.setPolicy(node.policy)
            #expect(try node.podreap(["remove", unchanged.id]).status == 0)
            #expect(unchanged.sample.leftovers() == [])
        }
    }
}
