import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A running pod as CRI-O 1.36 leaves one: its root filesystems are mount points, it has no infra process, and its cgroups, pins and
/// conmons are CRI-O's own.
@Suite(.serialized) struct CRIOPodTests {
    private static let places = [
        "/run/containers", "/var/lib/containers", "/run/crio", "/run/netns", "/run/ipcns", "/run/utsns", "/run/userns",
        "/run/runc",
    ]
    /// As distributions have it: beneath another path than /usr/sbin.
    private static let program = "/mnt/libexec/crio-runc"

    private struct Pod {
        let ids: [String]
        let uuid: String
    }

    private func withCRIO(_ body: (PodNode) throws -> Void) throws {
        try withReproNode { node in
            let mounts = Self.places.map { "mkdir -p \($0); mount -t tmpfs -o mode=755 crio \($0)" }
            try shell((mounts + ["mkdir /run/crio/exits; cp /usr/sbin/runc \(Self.program)"]).joined(separator: "\n"))
            let roots = node.sample.cgroupRoots.joined(separator: " ")
            node.addEnding(
                """
                for id in $(ls /run/runc); do runc --root /run/runc delete --force $id || true; done
                for root in \(roots); do find $root -depth -mindepth 1 -type d -name 'crio-*' -exec rmdir {} + || true; done
                umount -R -l \(Self.places.joined(separator: " ")); rm -f \(Self.program)
                """)
            try body(node)
        }
    }

    private func make(_ node: PodNode, _ name: String, _ arguments: String = "") throws -> Pod {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Support/Peers/crio_pod.py")
        let text = try shell(
            """
            /usr/bin/python3 \(script.standardized.path()) \(node.sample.base)/image \(SampleNode.cgroup) \(Self.program) \
            \(name) \(arguments) --container app /bin/sleep 100000 --container other /bin/sh -c 'trap "" TERM; sleep 100000' 2>&1
            """, seconds: 60)
        let ids = text.split(separator: "\n").map(String.init)
        guard ids.count == 3 else { throw PodNodeFailure(text) }
        let config = try String(
            contentsOfFile: "/run/containers/storage/overlay-containers/\(ids[0])/userdata/config.json", encoding: .utf8
        )
        return Pod(ids: ids, uuid: String(try #require(config.firstMatch(of: /run\/netns\/([0-9a-f-]+)/)).1))
    }

    /// Everything of a pod, by its ids and its pins' name, wherever; one line each.
    private func seen(_ node: PodNode, _ pod: Pod) throws -> Set<String> {
        let names = "\\(" + (pod.ids + [pod.uuid]).joined(separator: "\\|") + "\\)"
        let text = try shell(
            """
            find \(Self.places.joined(separator: " ")) \(node.sample.cgroupRoots.joined(separator: " ")) |
                grep '/\\(crio-\\)\\?\(names)$' || true
            awk '{ print "mount " $5 }' /proc/self/mountinfo | grep '\(names)\\|/merged$' || true
            ps -C conmon,crio-runc -o args= | grep '\(names)' | sed 's/^/process /' || true
            grep -l '\(names)' /proc/[0-9]*/cgroup 2>/dev/null | sed 's/^/process /' || true
            ls -d /var/lib/containers/storage/overlay/*/merged 2>/dev/null || true
            """)
        return Set(text.split(separator: "\n").map(String.init))
    }

    private func document(_ node: PodNode) throws -> [String: Any] {
        let found = try node.podreap(["discover", "--from", "crio", "--json"], as: 0)
        #expect(found.status == 0, "\(found)")
        try node.write(found.output, as: "discovered.json")
        try node.write(found.errors, as: "notes")
        return try #require(
            JSONSerialization.jsonObject(with: Data(found.output.split(separator: "\n")[0].utf8)) as? [String: Any])
    }

    @Test(arguments: ["", "user"])
    func isRegisteredAndRemovedWhileItRuns(_ arguments: String) throws {
        try withCRIO { node in
            let pod = try make(node, "web", arguments)
            let policy = try node.podreap(
                ["discover", "--from", "crio", "--policy", "--caller", "\(PodNode.user)"], as: 0)
            #expect(policy.output.contains("runtime = crio-runc \(Self.program) /run/runc\n"), "\(policy)")
            #expect(policy.output.contains("userns-root = /run/userns names uuid\n") == (arguments == "user"))
            try node.setPolicy(policy.output)
            // What is recorded: the pins, the pod's own cgroup in every hierarchy, and a conmon for each container.
            let document = try document(node)
            let sandbox = try #require(document["sandbox"] as? [String: Any])
            let pins = try #require(sandbox["namespaces"] as? [String: Any])
            #expect(Set(pins.keys) == Set(["network", "ipc", "uts"] + (arguments == "user" ? ["user"] : [])))
            let cgroups = try #require(sandbox["cgroups"] as? [String])
            #expect(Set(cgroups) == Set(node.sample.cgroupRoots.map { "\($0)/crio-\(pod.ids[0])" }))
            #expect((sandbox["monitors"] as? [Any])?.count == 2)
            #expect((document["infra"] as? [String: Any])?["id"] as? String == pod.ids[0])

            let before = try seen(node, pod)
            #expect(before.filter { $0.hasPrefix("mount ") && $0.hasSuffix("/merged") }.count == 3, "\(before)")
            let registered = try node.podreap(["register", "\(node.library)/discovered.json"])
            #expect(registered.status == 0 && !registered.errors.contains("cannot"), "\(registered)")
            let removed = try node.podreap(["remove", pod.ids[0]])
            #expect(removed.status == 0 && !removed.output.contains("conmon"), "\(removed)")

            // What conmon leaves in CRI-O's own folder is no directory, so it stays; discover has said how it goes.
            let left = try seen(node, pod)
            let links = pod.ids.dropFirst().flatMap { ["/run/crio/\($0)", "/run/crio/exits/\($0)"] }
            #expect(left == Set(links), "\(left)")
            let notes = try String(contentsOfFile: "\(node.library)/notes", encoding: .utf8)
            for link in links { #expect(notes.contains("rm -f") && notes.contains(link), "\(notes)") }
            let commands = notes.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("rm -f") }
            try shell(commands.joined(separator: "\n"))
            #expect(try seen(node, pod) == [])
        }
    }

    /// Another program than conmon calls is named, before anything is registered.
    @Test func anotherProgramInHelperConfIsNamed() throws {
        try withCRIO { node in
            let pod = try make(node, "web")
            try node.setPolicy(node.deepPolicy + "runtime = wrong /usr/sbin/runc /run/runc\n")
            _ = try document(node)
            let notes = try String(contentsOfFile: "\(node.library)/notes", encoding: .utf8)
            #expect(
                notes.contains("calls \(Self.program)") && notes.contains("helper.conf names /usr/sbin/runc"),
                "\(notes)")
            #expect(notes.contains("runtime = crio-runc \(Self.program) /run/runc"))
            #expect(try seen(node, pod).count > 10)
        }
    }
}
