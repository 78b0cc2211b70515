import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Mounts where pods have them on real nodes.
@Suite(.serialized) struct MountTests {
    private func expectVolume(_ node: PodNode, _ location: SourceLocation = #_sourceLocation) {
        #expect(node.sample.volumeIsIntact, "the volume has lost its data", sourceLocation: location)
    }

    /// k8s#114583, k8s#75401, talos#14216: a directory mounted on one place thousands of times, and nobody mounts any more.
    @Test func thousandsOfStackedMountsAreDetached() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let place = "\(node.directory(of: "c1"))/vol"
            node.addEnding("while umount -l \(place) 2>/dev/null; do :; done")
            try shell("mkdir \(place); \(try Programs.stack.get()) \(node.sample.volume) \(place) 2000")
            try node.expectRemoval(of: "p1", ["c1"])
            expectVolume(node)
        }
    }

    /// A nested engine's storage: more names beneath the root than a place of the protocol has.
    @Test func aMountDeeperThanSixteenNamesIsDetached() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer()
            container.isOverlay = false
            try node.run("c1", container)
            try node.expectRegistration(of: "p1", ["c1"])
            let deep =
                node.directory(of: "c1")
                + "/rootfs/var/lib/rancher/k3s/agent/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs"
                + "/var/lib/docker/overlay2/abc/merged"
            try shell("mkdir -p \(deep); mount -t tmpfs deep \(deep)")
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// ZFS, LVM, XFS: a dataset for each pod or container, mounted at its own directory before it is registered.
    @Test(arguments: ["sandbox", "container"]) func aDirectoryThatIsAMountIsRegisteredAndRemoved(_ which: String) throws
    {
        try withReproNode { node in
            let directory = which == "sandbox" ? node.directory(ofSandbox: "p1") : node.directory(of: "c1")
            try shell("mkdir -p \(directory); mount -t tmpfs dataset \(directory)")
            try node.sandbox("p1")
            var container = PlainContainer()
            container.isOverlay = false
            try node.run("c1", container)
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// k8s#106962, k8s#75401: a volume was mounted over the pod's directory since, so its shm lies hidden beneath.
    @Test func aPodWhoseDirectoryIsCoveredIsRemovedAndWhatCoversItKeepsItsData() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            try shell("mount --bind \(node.sample.volume) \(node.directory(ofSandbox: "p1"))")
            _ = try node.podreap(["remove", "p1"])
            if try node.podreap(["inspect", "p1"]).status == 0 { _ = try node.podreap(["remove", "p1"]) }
            try node.expectGone("p1", ["c1"])
            expectVolume(node)
        }
    }

    /// What was the pod's is not there: the link is another's, and what it leads to.
    @Test func aLinkInTheDirectorysPlaceIsLeft() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.bundle("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let places = [node.directory(ofSandbox: "p1"), node.directory(of: "c1")]
            for place in places {
                node.addEnding("umount -l \(place)-away/* || true; rm -rf \(place)-away \(place)")
                try shell("mv \(place) \(place)-away; ln -s \(place)-away \(place); echo kept >\(place)-away/data")
            }
            let result = try node.podreap(["remove", "p1"])
            #expect(result.status == 0, "\(result)")
            for place in places { try shell("[ -L \(place) ]; grep -q kept \(place)-away/data") }
        }
    }

    /// One request detaches 64 of them.
    @Test func aNamespacePinnedManyTimesIsDeleted() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.pinNamespace(ofSandbox: "p1")
            let pin = node.pin(ofSandbox: "p1")
            node.addEnding("while umount -l \(pin) 2>/dev/null; do :; done")
            try shell("for n in $(seq 200); do mount --bind \(pin) \(pin); done")
            try node.expectRegistration(of: "p1", [])
            try node.expectRemoval(of: "p1", [])
        }
    }
}
