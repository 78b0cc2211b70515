import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// `doctor` on a good installation and on broken ones.
@Suite(.serialized) struct DoctorTests {
    /// Names of the checks that failed, without those of this machine: these tests' private mount namespace fails one,
    /// and daemons of others may fail theirs.
    private func failed(_ result: PodreapResult) throws -> [String] {
        #expect(result.status == 1, "\(result.errors)")
        return try failed(result.lines())
    }

    private func failed(_ lines: [[String: any Sendable]]) throws -> [String] {
        for line in lines where line["status"] as? String == "failed" {
            #expect(line["remedy"] is String || (line["text"] as? String)?.contains(";") == true, "\(line)")
        }
        return lines.filter { $0["status"] as? String == "failed" }.compactMap { $0["name"] as? String }
            .filter { $0 != "mount-namespace" && !$0.hasPrefix("daemon ") }
    }

    /// The same with this user's process as `wrapper` makes it.
    private func failed(_ node: PodNode, beneath wrapper: String, helper: String = TestNode.helper) throws -> [String] {
        _ = try node.podreap(["--version"])
        let user = PodNode.user
        let output = try shell(
            """
            \(wrapper) setpriv --reuid \(user) --regid \(user) --clear-groups \
            env PODREAP_REGISTRY=\(node.registryPath) PODREAP_HELPER=\(helper) /mnt/podreap doctor --json || [ $? = 1 ]
            """)
        return try failed(
            output.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: any Sendable])
            })
    }

    @Test func findsNothingWrong() throws {
        try withPodNode { node in
            #expect(try failed(try node.podreap(["doctor", "--json"])) == [])
            // It has not made a registry.
            #expect(!FileManager.default.fileExists(atPath: node.registryPath))
            let pod = try node.pod()
            #expect(try node.podreap(["register", try node.write(pod.registration, as: "pod.json")]).status == 0)
            let text = try node.podreap(["doctor"])
            #expect(text.output.contains("ok      \(node.registryPath) is sound, with 1 sandbox"))
            #expect(text.output.contains("ok      runc lists the containers of \(node.sample.runtimeRoot)"))
            #expect(text.output.contains("ok      \(node.sample.sandboxRoot) is there"))
        }
    }

    /// Good is only what was really called: a runtime without a state directory is not, and one that its filter kills is told so.
    @Test func callsEveryRuntime() throws {
        try withPodNode { node in
            let stubborn = try StubbornRuntime()
            try node.setPolicy(
                node.policy + "\(stubborn.policyLine)\nruntime = later \(stubborn.path) /mnt/programs/nothing\n")
            let lines = try node.podreap(["doctor", "--json"]).lines()
            func check(_ name: String, _ lines: [[String: any Sendable]]) throws -> [String: any Sendable] {
                try #require(lines.first { $0["name"] as? String == "runtime \(name)" })
            }
            #expect(try check("runc", lines)["status"] as? String == "good")
            #expect(try check("stubborn", lines)["status"] as? String == "good")
            #expect(try stubborn.calls() == 1)
            #expect(try check("later", lines)["status"] as? String == "skipped")

            try stubborn.setKilled(true)
            let killed = try node.podreap(["doctor", "--json"])
            #expect(try failed(killed) == ["runtime stubborn"])
            let text = try check("stubborn", try killed.lines())
            #expect(
                (text["text"] as? String)?.contains("killed at a system call that the helper's filter forbids") == true)
            #expect((text["remedy"] as? String)?.contains("ausearch -m SECCOMP") == true)
        }
    }

    @Test func findsAHelperWithoutCapabilities() throws {
        try withPodNode { node in
            for (capabilities, failures) in [
                ("cap_kill=p", ["capabilities", "start"]), ("cap_sys_admin,cap_kill=p", ["capabilities", "start"]),
            ] {
                try TestNode.install(to: "/mnt/libexec/weak", capabilities: capabilities)
                let result = try node.podreap(["doctor", "--json"], environment: ["PODREAP_HELPER=/mnt/libexec/weak"])
                #expect(try failed(result) == failures)
                #expect(result.output.contains("setcap"))
            }
            try shell("setcap -r /mnt/libexec/weak")
            let result = try node.podreap(["doctor", "--json", "--helper", "/mnt/libexec/weak"])
            #expect(try failed(result) == ["capabilities", "start"])
        }
    }

    @Test func findsAHelperThatIsNotTheInstalledOne() throws {
        try withPodNode { node in
            #expect(try failed(try node.podreap(["doctor", "--json", "--helper", "/nowhere"])) == ["helper", "start"])
            try TestNode.install(to: "/mnt/libexec/loose")
            try shell("chmod 0777 /mnt/libexec/loose")
            #expect(
                try failed(try node.podreap(["doctor", "--json", "--helper", "/mnt/libexec/loose"])) == ["helper-owner"]
            )
            try shell("chmod 0700 /mnt/libexec/loose")
            #expect(
                try failed(try node.podreap(["doctor", "--json", "--helper", "/mnt/libexec/loose"])) == [
                    "group", "start",
                ])
            try shell("mkdir /mnt/nosuid && mount -t tmpfs -o nosuid,mode=755 none /mnt/nosuid")
            defer { _ = try? shell("umount /mnt/nosuid && rmdir /mnt/nosuid") }
            try TestNode.install(to: "/mnt/nosuid/helper")
            #expect(
                try failed(try node.podreap(["doctor", "--json", "--helper", "/mnt/nosuid/helper"])) == [
                    "nosuid", "start",
                ])
        }
    }

    @Test func findsWhatIsWithheldFromThisProcess() throws {
        try withPodNode { node in
            let cases = [
                ("setpriv --no-new-privs", ["no-new-privileges", "start"]),
                ("setpriv --bounding-set -sys_admin", ["bounding-set", "start"]),
                ("prlimit --nofile=64:64", ["limits", "start"]),
            ]
            for (wrapper, failures) in cases {
                let found = try failed(node, beneath: wrapper)
                #expect(found == failures, "\(wrapper)")
            }
        }
    }

    /// These tests have a mount namespace of their own; whoever has started them has not.
    @Test func tellsMountNamespacesApart() throws {
        try withPodNode { node in
            func line(_ output: String) -> Substring? {
                output.split(separator: "\n").first { $0.contains(#""name":"mount-namespace""#) }
            }
            #expect(line(try node.podreap(["doctor", "--json"]).output)?.contains(#""status":"failed""#) == true)
            let built = try TestPrograms.built("podreap")
            let outside = try shell(
                """
                pid=$$
                while [ "$(readlink /proc/$pid/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ]; do
                    pid=$(sed -n 's/^PPid:.//p' /proc/$pid/status)
                done
                nsenter --mount=/proc/$pid/ns/mnt -- '\(built)' doctor --json --helper /nowhere --registry /nowhere/registry || true
                """)
            #expect(line(outside)?.contains(#""status":"good""#) == true, "\(outside)")
        }
    }

    @Test func findsABadPolicy() throws {
        try withPodNode { node in
            let file = "/etc/podreap/helper.conf"
            try node.setPolicy(node.policy + "sandbox-root = /mnt/nowhere\ncgroup-root = /mnt/nothing\n")
            #expect(try failed(try node.podreap(["doctor", "--json"])) == ["root /mnt/nowhere"])
            try node.setPolicy(node.policy + "what = this\n")
            let malformed = try node.podreap(["doctor", "--json"])
            #expect(try failed(malformed) == ["start"])
            #expect(malformed.output.contains("unknown key"))
            try node.setPolicy(
                node.policy.split(separator: "\n").map { $0.hasPrefix("caller") ? "caller = 1" : "\($0)" }.joined(
                    separator: "\n") + "\n")
            #expect(try node.podreap(["doctor"]).output.contains("caller = USER"))
            try node.setPolicy(node.policy.replacing(node.sample.runtime, with: "/mnt/no-runtime"))
            #expect(try failed(try node.podreap(["doctor", "--json"])).count == 1)
            try node.setPolicy(node.policy)
            try shell("chmod 666 \(file)")
            #expect(try failed(try node.podreap(["doctor", "--json"])) == ["start"])
            try shell("rm \(file)")
            let missing = try node.podreap(["doctor", "--json"])
            #expect(try failed(missing) == ["start"])
            #expect(missing.output.contains("cannot be read"))
        }
    }

    @Test func findsABadRegistry() throws {
        try withPodNode { node in
            try node.write("no database", as: "registry.sqlite", mode: 0o600)
            #expect(try failed(try node.podreap(["doctor", "--json"])) == ["registry"])
            #expect(
                try failed(try node.podreap(["doctor", "--json", "--registry", "/mnt/nowhere/registry"]))
                    == ["registry-directory"])
            try shell("chmod 0777 \(node.library)")
            let open = try node.podreap(["doctor", "--json", "--registry", "\(node.library)/other"])
            #expect(try failed(open) == ["registry-directory"])
        }
    }
}
