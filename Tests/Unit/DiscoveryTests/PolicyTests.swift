import Foundation
import HelperClient
import HelperOperations
import HelperProtocol
import SandboxRegistry
import Testing

@testable import NodeObservation
@testable import SandboxRemoval

/// The lines that discover prints are a policy that the helper takes, and that allows just what the documents need.
struct PolicyTests {
    /// Lives as long as the test: policies look for programs and links there.
    private let node: FakeNode

    init() throws { node = try FakeNode() }

    private func discover() throws -> Discovery {
        try ContainerdPod.place(on: node)
        try CRIOPod.place(on: node)
        let conmon = try #require(
            ContainerMonitor(pid: 1, arguments: ["conmon", "-c", CRIOPod.workload, "-r", "/usr/sbin/runc"]))
        for id in [ContainerdPod.infra, ContainerdPod.workload] {
            try node.write(#"{"BinaryName":"/usr/sbin/runc"}"#, to: "\(ContainerdPod.bundles)/\(id)/options.json")
        }
        return try Discovery(of: ForeignRuntime.allCases, files: node.files, monitors: [conmon])
    }

    private func policy(_ text: String) throws -> Policy { try Policy(parsing: Array(text.utf8), users: []) }

    private func map(_ policy: Policy) -> RootMap {
        RootMap(
            Welcome(
                version: 1, release: InlineBytes(), missing: 0, roots: policy.roots,
                runtimes: policy.runtimes.map(\.seen)), varRunIsRun: true)
    }

    @Test func allowsEveryPathOfTheDocuments() throws {
        let discovery = try discover()
        #expect(discovery.documents.count == 2)
        let map = map(try policy(discovery.policy(caller: "61234")))
        for document in discovery.documents {
            let sandbox = document.sandbox
            _ = try map.place(sandbox.directory, for: .remove, in: [.sandbox])
            if let shm = sandbox.shm { _ = try map.place(shm, for: .unmount, in: [.sandbox]) }
            for pin in sandbox.namespaces {
                _ = try map.place(pin.path, for: .deleteNamespace, in: [pin.kind.rootKind])
            }
            _ = try map.runtime(named: sandbox.runtime)
            for container in document.containers {
                _ = try map.target(container.id, runtime: container.runtime)
                for directory in container.directories {
                    _ = try map.place(directory.path, for: .remove, in: [.container])
                }
                for cgroup in container.cgroups { _ = try map.place(cgroup, for: .remove, in: [.cgroup]) }
            }
        }
    }

    @Test func allowsNothingElse() throws {
        let map = map(try policy(try discover().policy(caller: "61234")))
        let layer = try #require(CRIOPod.layer[CRIOPod.infra])
        for path in [
            "/var/lib/containerd/io.containerd.metadata.v1.bolt",
            "/var/lib/containerd/io.containerd.content.v1.content",
            "/run/containerd", "\(CRIOPod.layers)/\(layer)", "/var/lib/containers/storage/overlay-layers/layers.json",
            "/etc/passwd",
        ] {
            #expect(throws: RootError.self, "\(path)") {
                try map.place(path, for: .remove, in: [.sandbox, .container])
            }
        }
        #expect(throws: RootError.self) {
            try map.place("/run/netns/admin", for: .deleteNamespace, in: [.networkNamespace])
        }
    }

    @Test func namesTwoRuntimesWithTwoRoots() throws {
        let discovery = try discover()
        let text = discovery.policy(caller: "podreap")
        #expect(text.contains("\nruntime = runc "))
        #expect(text.contains("\nruntime = runc-containerd "))
        #expect(text.contains(" /run/runc\n") && text.contains(" /run/containerd/runc/k8s.io\n"))
        #expect(Set(discovery.documents.map(\.sandbox.runtime)) == ["runc", "runc-containerd"])
        #expect(text.contains("netns-root = /run/netns names cni-* uuid\n"))
        #expect(text.contains("cgroup-root = /sys/fs/cgroup/memory/kubepods\n"))
        #expect(text.contains("container-root = \(CRIOPod.layers) depth 2\n"))
        #expect(text.contains("\ncaller = podreap\n"))
    }

    /// As the kubelet's cgroup drivers nest them.
    @Test func nestedCgroups() throws {
        let slice = "/sys/fs/cgroup/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice"
        let scope = "\(slice)/cri-containerd-\(ContainerdPod.infra).scope"
        try ContainerdPod.place(
            on: node, edits: [("/sys/fs/cgroup/unified/kubepods/\(ContainerdPod.infra)", scope)])
        try node.makeDirectory(scope)
        try node.makeVersion2Alone()
        let text = try Discovery(of: [.containerd], files: node.files).policy(caller: "0")
        #expect(text.contains("cgroup-root = /sys/fs/cgroup/kubepods.slice depth 3\n"))
    }

    /// The only root that reaches it reaches every cgroup of the node.
    @Test func cgroupsInNoOther() throws {
        let own = "/sys/fs/cgroup/\(ContainerdPod.infra)"
        try ContainerdPod.place(
            on: node, edits: [("/sys/fs/cgroup/unified/kubepods/\(ContainerdPod.infra)", own)])
        try node.makeDirectory(own)
        try node.makeVersion2Alone()
        let text = try Discovery(of: [.containerd], files: node.files).policy(caller: "0")
        #expect(
            !text.contains("cgroup-root = /sys/fs/cgroup\n")
                && !text.contains("= /sys/fs/cgroup/\(ContainerdPod.infra)"))
        #expect(text.contains("# \(own) lies in no other cgroup"), "\(text)")
    }
}
