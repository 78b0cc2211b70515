import Foundation
import NodeObservation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// Pods that containerd left, whole or in parts.
struct ContainerdTests {
    private func discover(_ node: FakeNode) throws -> Discovery { try Discovery(of: [.containerd], files: node.files) }

    /// What runc does not know of a virtual machine's pod proves nothing. Every pod has the file, so its content decides.
    @Test(arguments: [
        ("/usr/local/bin/containerd-shim-runc-v2", true), ("containerd-shim-runc-v1", true),
        ("/opt/kata/bin/containerd-shim-kata-v2", false), ("/usr/bin/containerd-shim-runsc-v1\n", false),
    ])
    func takesOnlyPodsOfRuncsShim(_ shim: String, _ isTaken: Bool) throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        try node.write(shim, to: "\(ContainerdPod.bundles)/\(ContainerdPod.infra)/shim-binary-path")
        let discovery = try discover(node)
        #expect(discovery.documents.isEmpty == !isTaken)
        #expect(discovery.problems.contains { $0.contains("is not runc's shim") } == !isTaken, "\(discovery.problems)")
    }

    /// What lives can be found in the cgroup that the bundle asked for.
    @Test(arguments: [nil, "", "{"]) func aStateThatIsLost(_ state: String?) throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        let path = "\(ContainerdPod.states)/\(ContainerdPod.workload)"
        try node.remove(path)
        if let state { try node.write(state, to: "\(path)/state.json") }
        let config = try FakeNode.fixture("containerd/workload/config.json")
        let cgroup = try #require(config.firstMatch(of: /"cgroupsPath":\s*"([^"]+)"/)).1
        try node.makeDirectory("/sys/fs/cgroup/pids\(cgroup)")
        let discovery = try discover(node)
        let found = try #require(discovery.pods.first?.pod.containers.first { $0.id == ContainerdPod.workload })
        #expect(!found.isKnownToRuntime)
        #expect(found.wantedCgroups.contains("/sys/fs/cgroup/pids\(cgroup)"))
        // It may be another's by now, so it is none of the record's.
        #expect(try #require(discovery.documents.first).containers.allSatisfy { !$0.cgroups.contains(String(cgroup)) })
    }

    @Test func wholePod() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        let discovery = try discover(node)
        #expect(discovery.problems == [])
        let document = try #require(discovery.documents.first)
        #expect(discovery.documents.count == 1)
        let sandbox = document.sandbox
        #expect(sandbox.id == ContainerdPod.infra)
        #expect(sandbox.metadata.reservedName == "pod-5cf5b6d728e1_default_5cf5b6d728e1_0")
        #expect(sandbox.createdAt.formatted(.iso8601) == "2026-11-23T15:51:55Z")
        #expect(sandbox.runtime == "runc")
        #expect(sandbox.directory == "\(ContainerdPod.runPlugin)/sandboxes/\(ContainerdPod.infra)")
        #expect(sandbox.shm == sandbox.directory + "/shm")
        let pin = "/run/netns/cni-1401f425-d837-318b-6554-8be052b9c56a"
        #expect(sandbox.namespaces == [NamespacePin(kind: .network, path: pin)])

        let infra = try #require(document.containers.first)
        #expect(infra.isInfra && infra.id == ContainerdPod.infra && infra.name == "POD")
        #expect(
            infra.directories.map(\.path) == [
                "\(ContainerdPod.bundles)/\(infra.id)", "\(ContainerdPod.works)/\(infra.id)",
                "\(ContainerdPod.dataPlugin)/sandboxes/\(infra.id)",
            ])
        #expect(infra.cgroups == ["/sys/fs/cgroup/memory/kubepods/\(infra.id)"])

        let workload = document.containers[1]
        #expect(document.containers.count == 2)
        #expect(!workload.isInfra && workload.id == ContainerdPod.workload && workload.name == "c0")
        #expect(workload.image == "localhost/busybox:1")
        #expect(
            workload.directories.map(\.path) == [
                "\(ContainerdPod.bundles)/\(workload.id)", "\(ContainerdPod.works)/\(workload.id)",
                "\(ContainerdPod.dataPlugin)/containers/\(workload.id)",
                "\(ContainerdPod.runPlugin)/containers/\(workload.id)",
            ])
        #expect(workload.process == nil, "no process of that start time lives here")
    }

    @Test func runtimeStateAlone() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        try node.remove(ContainerdPod.bundles)
        let document = try #require(try discover(node).documents.first)
        #expect(document.sandbox.metadata.name == "pod-5cf5b6d728e1")
        #expect(document.sandbox.namespaces.map(\.path) == ["/run/netns/cni-1401f425-d837-318b-6554-8be052b9c56a"])
        #expect(document.sandbox.shm == document.sandbox.directory + "/shm")
        #expect(document.containers.map(\.name) == ["POD", "c0"])
        #expect(!document.containers.flatMap(\.directories).contains { $0.path.hasPrefix(ContainerdPod.bundles) })
    }

    @Test func bundlesAlone() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        try node.remove(ContainerdPod.states)
        let document = try #require(try discover(node).documents.first)
        #expect(document.containers.map(\.id) == [ContainerdPod.infra, ContainerdPod.workload])
        #expect(document.containers.allSatisfy { $0.cgroups.isEmpty })
        #expect(document.sandbox.namespaces.count == 1)
    }

    @Test func infraContainerGone() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        try node.remove("\(ContainerdPod.bundles)/\(ContainerdPod.infra)")
        try node.remove("\(ContainerdPod.states)/\(ContainerdPod.infra)")
        let document = try #require(try discover(node).documents.first)
        #expect(document.sandbox.id == ContainerdPod.infra)
        #expect(document.sandbox.metadata.uid == "5cf5b6d728e1")
        #expect(document.sandbox.shm == document.sandbox.directory + "/shm")
        #expect(document.sandbox.namespaces == [], "a workload names only the process whose namespace it shares")
        #expect(document.containers.map(\.isInfra) == [false])
    }

    @Test func hostNamespaces() throws {
        let node = try FakeNode()
        try ContainerdPod.place(
            on: node,
            edits: [
                (#""/var/run/netns/cni-1401f425-d837-318b-6554-8be052b9c56a""#, #""""#),
                ("\(ContainerdPod.runPlugin)/sandboxes/\(ContainerdPod.infra)/shm", "/dev/shm"),
            ])
        let sandbox = try #require(try discover(node).documents.first).sandbox
        #expect(sandbox.usesHostShm)
        #expect(sandbox.namespaces == [])
    }

    /// A volume at /dev/shm, or another pod's: nothing that goes with this pod.
    @Test func foreignShm() throws {
        let node = try FakeNode()
        let own = "\(ContainerdPod.runPlugin)/sandboxes/\(ContainerdPod.infra)/shm"
        try ContainerdPod.place(on: node, edits: [(own, "/var/lib/kubelet/pods/u/volumes/shm")])
        #expect(try #require(try discover(node).documents.first).sandbox.shm == nil)
    }

    /// The same pod was made anew, and a container started again: containerd's bundles do not count attempts.
    @Test func attempts() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        let other = String(repeating: "ab", count: 32)
        let third = String(repeating: "cd", count: 32)
        try ContainerdPod.place(
            on: node,
            edits: [
                (ContainerdPod.infra, other), (ContainerdPod.workload, third),
                ("2026-11-23T15:5", "2026-11-23T14:5"),
            ])
        // One more in the younger pod, with the same name.
        let fourth = String(repeating: "0e", count: 32)
        let again = [(of: ContainerdPod.workload, by: fourth)]
        try node.write(
            FakeNode.fixture("containerd/workload/state.json", again),
            to: "\(ContainerdPod.states)/\(fourth)/state.json")
        let documents = try discover(node).documents
        #expect(documents.map(\.sandbox.id) == [other, ContainerdPod.infra])
        #expect(documents.map(\.sandbox.metadata.attempt) == [0, 1])
        #expect(documents[1].containers.map(\.attempt) == [1, 0, 1])
        #expect(Set(documents[1].containers.map { $0.reservedName(in: documents[1].sandbox.metadata) }).count == 3)
    }

    @Test func privateFoldersAndAnotherRuntime() throws {
        let node = try FakeNode()
        let bundle = "/srv/c/state/io.containerd.runtime.v2.task/moby/\(ContainerdPod.infra)"
        try node.write(FakeNode.fixture("containerd/infra/config.json"), to: "\(bundle)/config.json")
        try node.write(#"{"BinaryName":"/opt/bin/crun","Root":"/srv/runc"}"#, to: "\(bundle)/options.json")
        try node.write(
            #"{"pid":1,"process-start-time":1,"bundle":"\#(bundle)","created":"2026-01-01T00:00:00Z"}"#,
            to: "/srv/runc/moby/\(ContainerdPod.infra)/status")
        let folders = ForeignFolders(state: "/srv/c/state", root: "/srv/c/root", namespace: "moby")
        let discovery = try Discovery(of: [.containerd], folders: folders, files: node.files)
        let document = try #require(discovery.documents.first)
        #expect(document.sandbox.runtime == "crun")
        #expect(document.sandbox.directory == "/srv/c/state/io.containerd.grpc.v1.cri/sandboxes/\(ContainerdPod.infra)")
        #expect(discovery.policy(caller: "0").contains("runtime = crun /opt/bin/crun /srv/runc/moby\n"))
        #expect(document.sandbox.createdAt.formatted(.iso8601) == "2026-01-01T00:00:00Z")
    }

    @Test func oldDirectoriesAreNamed() throws {
        let node = try FakeNode()
        try node.makeDirectory("\(ContainerdPod.dataPlugin)/sandboxes/0123")
        let discovery = try discover(node)
        #expect(discovery.documents.isEmpty)
        #expect(discovery.problems.count == 1)
        #expect(discovery.problems[0].hasPrefix("\(ContainerdPod.dataPlugin)/sandboxes/0123 is left of a pod"))
    }

    @Test func nothingAtAll() throws {
        let discovery = try Discovery(files: try FakeNode().files)
        #expect(discovery.documents.isEmpty && discovery.problems.isEmpty)
    }
}
