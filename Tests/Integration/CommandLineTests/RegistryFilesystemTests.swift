import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// The command line where the registry's filesystem has no inode left, no space, or cannot be written any more.
@Suite(.serialized) struct RegistryFilesystemTests {
    private let place = "/mnt/registry-disk"

    private func withRegistry(_ options: String, _ body: (PodNode, SamplePod, [String]) throws -> Void) throws {
        try withPodNode { node in
            try shell(
                "mkdir -p \(place) && mount -t tmpfs -o \(options) disk \(place) && chown \(PodNode.user):\(PodNode.user) \(place)"
            )
            defer { _ = try? shell("umount -l \(place)") }
            let environment = ["PODREAP_REGISTRY=\(place)/registry.sqlite"]
            let pod = try node.pod()
            let registered = try node.podreap(
                ["register", node.write(pod.registration, as: "pod.json")], environment: environment)
            try #require(registered.status == 0, "\(registered)")
            try body(node, pod, environment)
        }
    }

    @Test(arguments: ["inodes", "space"]) func nothingIsLeft(_ what: String) throws {
        try withRegistry("size=20m,mode=755,nr_inodes=60") { node, pod, environment in
            try shell(
                what == "inodes"
                    ? "cd \(place); i=0; while touch x$i 2>/dev/null; do i=$((i+1)); done"
                    : "dd if=/dev/zero of=\(place)/x bs=4k 2>/dev/null || true")
            for command in [["ps"], ["plan", pod.id], ["inspect", pod.id], ["explain", pod.id], ["history"]] {
                let result = try node.podreap(command, environment: environment)
                #expect(result.status == 0, "\(command): \(result)")
            }
            let removed = try node.podreap(["remove", pod.id], environment: environment)
            #expect(removed.status <= 1, "\(removed)")
            #expect(pod.leftovers() == [])
            try shell("rm -f \(place)/x*")
            #expect(try node.podreap(["remove", pod.id], environment: environment).status == 0)
            #expect(try node.podreap(["inspect", pod.id], environment: environment).status == 2)
        }
    }

    @Test func itIsReadOnly() throws {
        try withRegistry("mode=755") { node, pod, environment in
            try shell("mount -o remount,ro \(place)")
            for command in [["ps"], ["plan", pod.id], ["inspect", pod.id], ["explain", pod.id], ["history"]] {
                let result = try node.podreap(command, environment: environment)
                #expect(result.status == 0, "\(command): \(result)")
            }
            #expect(try node.podreap(["ps"], environment: environment).output.contains(pod.id.prefix(12)))
            let removed = try node.podreap(["remove", pod.id], environment: environment)
            #expect(removed.status == 1 && removed.errors.contains("its filesystem is mounted read-only"), "\(removed)")
            #expect(pod.leftovers() == [])
            try shell("mount -o remount,rw \(place)")
            #expect(try node.podreap(["remove", pod.id], environment: environment).status == 0)
        }
    }
}
