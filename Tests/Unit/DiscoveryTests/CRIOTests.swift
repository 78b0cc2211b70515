import Foundation
import NodeObservation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// Pods that CRI-O left, whole or in parts.
struct CRIOTests {
    private func discover(_ node: FakeNode) throws -> Discovery { try Discovery(of: [.crio], files: node.files) }
    private static let uuid = "2d18e2ac-1274-4aa2-9e77-4b6ca277dd3c"
    private static let prefix = "io.kubernetes.cri-o."

    @Test func wholePod() throws {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        let discovery = try discover(node)
        #expect(discovery.problems == [])
        #expect(discovery.documents.count == 1)
        let document = try #require(discovery.documents.first)
        let sandbox = document.sandbox
        #expect(sandbox.id == CRIOPod.infra)
        #expect(sandbox.metadata.reservedName == "pod-2eed9f58c25c_default_2eed9f58c25c_0")
        #expect(sandbox.createdAt.formatted(.iso8601) == "2026-11-23T15:53:15Z")
        #expect(sandbox.directory == "\(CRIOPod.run)/\(CRIOPod.infra)")
        #expect(sandbox.shm == "\(CRIOPod.run)/\(CRIOPod.infra)/userdata/shm")
        #expect(
            sandbox.namespaces.map(\.path) == ["netns", "ipcns", "utsns"].map { "/run/\($0)/\(Self.uuid)" })
        #expect(sandbox.labels["app"] == "web" && sandbox.labels["io.kubernetes.pod.uid"] == "2eed9f58c25c")
        #expect(sandbox.annotations == [:])

        #expect(document.containers.map(\.id) == [CRIOPod.infra, CRIOPod.workload])
        let (infra, workload) = (document.containers[0], document.containers[1])
        #expect(infra.isInfra)
        #expect(
            infra.directories.map(\.path) == [
                "\(CRIOPod.data)/\(infra.id)", "\(CRIOPod.layers)/\(CRIOPod.layer[infra.id]!)/merged",
            ])
        #expect(workload.name == "c0" && workload.attempt == 0 && workload.image == "localhost/busybox:1")
        #expect(
            workload.directories.map(\.path) == [
                "\(CRIOPod.run)/\(workload.id)", "\(CRIOPod.data)/\(workload.id)",
                "\(CRIOPod.layers)/\(CRIOPod.layer[workload.id]!)/merged",
            ])
        #expect(workload.cgroups == ["/sys/fs/cgroup/memory/kubepods/crio-\(workload.id)"])
    }

    @Test func afterAReboot() throws {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        try node.remove("/run/containers")
        try node.remove("/run/runc")
        let document = try #require(try discover(node).documents.first)
        #expect(document.containers.map(\.name) == ["POD", "c0"])
        #expect(document.containers.flatMap(\.directories).allSatisfy { $0.path.hasPrefix("/var/lib/") })
        #expect(document.sandbox.directory == "\(CRIOPod.run)/\(CRIOPod.infra)")
    }

    @Test func runtimeStateAlone() throws {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        try node.remove("/run/containers")
        try node.remove(CRIOPod.data)
        let document = try #require(try discover(node).documents.first)
        #expect(document.sandbox.metadata.name == "pod-2eed9f58c25c")
        #expect(document.sandbox.namespaces.count == 3)
        #expect(document.containers.map(\.name) == ["POD", "c0"])
        #expect(document.containers[1].directories.map(\.path).last?.hasSuffix("/merged") == true)
    }

    /// A node that does without infra containers, or whose infra container's files are gone.
    @Test func infraContainerGone() throws {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        for place in [
            "\(CRIOPod.run)/\(CRIOPod.infra)", "\(CRIOPod.data)/\(CRIOPod.infra)", "/run/runc/\(CRIOPod.infra)",
        ] {
            try node.remove(place)
        }
        let sandbox = try #require(try discover(node).documents.first).sandbox
        #expect(sandbox.metadata.reservedName == "pod-2eed9f58c25c_default_2eed9f58c25c_0", "from the sandbox's name")
        #expect(sandbox.namespaces.count == 3, "a workload names the pins too")
        #expect(sandbox.shm == "\(CRIOPod.run)/\(CRIOPod.infra)/userdata/shm")
    }

    /// A node with a pod whose infra container's process is not there, and whose cgroups have this parent.
    private func node(withCgroupParent parent: String) throws -> FakeNode {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        try node.remove("/run/runc")
        func entry(_ parent: String) -> String { "\"io.kubernetes.cri-o.CgroupParent\": \"\(parent)\"" }
        try node.write(
            FakeNode.fixture("crio/infra/config.json", [(entry("/kubepods"), entry(parent))]),
            to: "\(CRIOPod.run)/\(CRIOPod.infra)/userdata/config.json")
        return node
    }

    /// `drop_infra_ctr`: CRI-O makes the pod's cgroup itself, in every hierarchy, and nothing lives in it. On either
    /// version the hierarchy's first cgroup is the policy's root.
    @Test(
        arguments: [
            ("/pods", "/pods", "/pods"), ("/pods/a", "/pods/a", "/pods depth 2"),
            (
                "kubepods-burstable-poda.slice",
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda.slice", "/kubepods.slice depth 3"
            ),
        ], [[""], ["/cpu,cpuacct", "/memory"]])
    func thePodsOwnCgroups(_ names: (parent: String, path: String, root: String), _ hierarchies: [String]) throws {
        let (parent, path, root) = names
        let node = try node(withCgroupParent: parent)
        if hierarchies == [""] { try node.makeVersion2Alone() }
        var expected: [String] = []
        for hierarchy in hierarchies {
            let own = "/sys/fs/cgroup\(hierarchy)\(path)/crio-\(CRIOPod.infra)"
            let monitors = "/sys/fs/cgroup\(hierarchy)\(path)/crio-conmon-\(CRIOPod.workload)"
            for place in [own, monitors, "\(own)0"] { try node.makeDirectory(place) }
            expected += [own, monitors]
        }
        let discovery = try discover(node)
        #expect(discovery.documents.first?.sandbox.cgroups.map(\.path).sorted() == expected.sorted())
        let policy = discovery.policy(caller: "0").split(separator: "\n").filter { $0.hasPrefix("cgroup-root") }
        #expect(policy.sorted() == hierarchies.map { "cgroup-root = /sys/fs/cgroup\($0)\(root)" })
    }

    /// A parent that leads elsewhere is none.
    @Test func noCgroupsOutsideTheHierarchies() throws {
        let node = try node(withCgroupParent: "/../../x")
        try node.makeDirectory("/sys/x/crio-\(CRIOPod.infra)")
        #expect(try discover(node).documents.first?.sandbox.cgroups == [])
    }

    @Test func attemptsLabelsAndSignals() throws {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        let config = "\(CRIOPod.run)/\(CRIOPod.workload)/userdata/config.json"
        try node.write(
            FakeNode.fixture(
                "crio/workload/config.json",
                [
                    (#"{\"name\":\"c0\"}"#, #"{\"name\":\"c0\",\"attempt\":7}"#),
                    (
                        #""io.kubernetes.cri-o.Labels": "null""#,
                        #""io.kubernetes.cri-o.Labels": "{\"a\":\"b\"}", "org.opencontainers.image.stopSignal": "SIGQUIT""#
                    ),
                ]), to: config)
        let workload = try #require(try discover(node).documents.first).containers[1]
        #expect(workload.attempt == 7)
        #expect(workload.labels == ["a": "b"])
        #expect(workload.stopSignal == 3)
    }

    /// podman's containers lie in the same folders.
    @Test func podmanIsLeftAlone() throws {
        let node = try FakeNode()
        let id = String(repeating: "77", count: 32)
        try node.write(
            #"{"annotations":{"io.container.manager":"libpod"},"root":{"path":"/x"}}"#,
            to: "\(CRIOPod.run)/\(id)/userdata/config.json")
        try node.write(#"{"id":"\#(id)","config":{"labels":[]}}"#, to: "/run/runc/\(id)/state.json")
        let discovery = try discover(node)
        #expect(discovery.documents.isEmpty)
    }

    @Test func selinuxLabels() throws {
        let node = try FakeNode()
        try node.write(
            """
            {"annotations": {"io.container.manager": "cri-o", "\(Self.prefix)SandboxID": "s1",
              "\(Self.prefix)Metadata": "{\\"name\\":\\"p\\",\\"namespace\\":\\"n\\",\\"uid\\":\\"u\\",\\"attempt\\":2}"},
             "process": {"selinuxLabel": "system_u:system_r:container_t:s0:c1,c2"},
             "linux": {"mountLabel": "system_u:object_r:container_file_t:s0:c1,c2", "namespaces": [
               {"type": "user", "path": "/var/run/userns/\(Self.uuid)"}, {"type": "cgroup", "path": "/var/run/cgroupns/x"}, {"type": "pid", "path": "/proc/1/ns/pid"}]},
             "hooks": {"poststop": [{"path": "/usr/bin/true"}]}}
            """, to: "\(CRIOPod.run)/s1/userdata/config.json")
        let discovery = try discover(node)
        let sandbox = try #require(discovery.documents.first).sandbox
        #expect(sandbox.metadata.reservedName == "p_n_u_2")
        #expect(sandbox.processLabel == "system_u:system_r:container_t:s0:c1,c2")
        #expect(sandbox.mountLabel == "system_u:object_r:container_file_t:s0:c1,c2")
        #expect(sandbox.namespaces == [NamespacePin(kind: .user, path: "/run/userns/\(Self.uuid)")])
        let policy = discovery.policy(caller: "0")
        #expect(policy.contains(" /run/runc hooks\n") && policy.contains("userns-root = /run/userns names uuid\n"))
        #expect(try discovery.leftovers().contains { $0.what.contains("/var/run/cgroupns/x pins a cgroup namespace") })
    }
}
