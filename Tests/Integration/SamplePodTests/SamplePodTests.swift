import Foundation
import TestNode
import Testing

@testable import SamplePod

/// Real pods. Run as root beneath `unshare --mount --propagation private`: anything else fails with that advice.
@Suite(.serialized) struct SamplePodTests {
    private func withNode(_ body: (SampleNode) throws -> Void) throws {
        let node = try SampleNode(base: "/run/podreap-sample-test-\(UUID().uuidString.prefix(8))")
        defer { node.destroy() }
        try body(node)
        #expect(node.volumeIsIntact)
        node.destroy()
        #expect(!Entry.exists(node.base))
        #expect(mountsToDetach(beneath: node.base).isEmpty)
    }

    /// Destroys the pod twice, whatever the body did, and looks that nothing is left.
    private func withPod(
        _ workloads: [Workload], _ pidNamespace: PIDNamespace = .container, _ body: (SamplePod) throws -> Void
    ) throws {
        try withNode { node in
            let pod = try SamplePod(on: node, workloads: workloads, pidNamespace: pidNamespace)
            defer { pod.destroy() }
            try body(pod)
            pod.destroy()
            #expect(pod.leftovers() == [])
            pod.destroy()
            for cgroup in pod.containers.flatMap(\.cgroups) { #expect(!Entry.exists(cgroup)) }
        }
    }

    @Test func runsForReal() throws {
        try withPod([Workload(), Workload(.ignoresTerm, files: 250)]) { pod in
            #expect(pod.containers.count == 3)
            for container in pod.containers {
                #expect(livingProcess(container.pid) == container.startTime, "\(container.name)")
                #expect(mountsToDetach(beneath: "\(container.directory)/rootfs").map(\.type) == ["overlay"])
                #expect(container.cgroups.contains { cgroupMembers($0).contains(container.pid) })
                #expect(Entry.exists("\(pod.state(of: container))/state.json"))
                #expect(Entry.at("/proc/\(container.pid)/ns/net", follow: true)?.isSame(as: .at(pod.netns)) == true)
            }
            #expect(Entry.at("/proc/self/ns/net", follow: true)?.isSame(as: .at(pod.netns)) == false)
            #expect(mountsToDetach(beneath: pod.netns).map(\.type) == ["nsfs"])
            #expect(contents(of: "/proc/\(pod.infra.pid)/net/dev")?.contains("eth0:") == true)
            #expect(mountsToDetach(beneath: pod.shm).map(\.type) == ["tmpfs"])
            #expect(mountsToDetach(beneath: "\(pod.workloads[0].directory)/volume").count == 1)
            #expect(names(in: "\(pod.workloads[1].directory)/files-2").count == 50)
        }
    }

    @Test func leftoversNamesEveryKindOfTrace() throws {
        try withPod([Workload()]) { pod in
            let found = pod.leftovers()
            for kind in ["process", "cgroup", "mount", "directory entry", "runtime state"] {
                #expect(found.contains { $0.hasPrefix(kind) }, "\(kind)")
            }
            #expect(found.contains { $0.contains(pod.netns) && $0.contains("nsfs") })
            #expect(found.contains { $0.hasSuffix("(overlay)") })
        }
    }

    @Test(arguments: [PIDNamespace.container, .pod, .host])
    func signalsDoWhatTheWorkloadSays(_ pidNamespace: PIDNamespace) throws {
        try withPod([Workload(), Workload(.ignoresTerm), Workload(.leavesChild)], pidNamespace) { pod in
            for workload in pod.workloads { kill(workload.pid, SIGTERM) }
            let cgroups = try pod.workloads.map { try #require($0.cgroups.first) }
            #expect(soon { cgroupMembers(cgroups[0]).isEmpty })
            #expect(livingProcess(pod.workloads[1].pid) != nil)
            #expect(soon { livingProcess(pod.workloads[2].pid) == nil })
            // The kernel ends a PID namespace with its init; in a shared one the child lives on.
            #expect(soon { cgroupMembers(cgroups[2]).isEmpty == (pidNamespace == .container) })
        }
    }

    @Test func pausesAWorkload() throws {
        try withPod([Workload(isPaused: true)]) { pod in
            let states = pod.workloads[0].cgroups.compactMap {
                contents(of: "\($0)/freezer.state") ?? contents(of: "\($0)/cgroup.events")
            }
            #expect(states.contains { $0.contains("FROZEN") || $0.contains("frozen 1") })
        }
    }

    @Test func podsShareANode() throws {
        try withNode { node in
            let first = try SamplePod(on: node, name: "one")
            defer { first.destroy() }
            let second = try SamplePod(on: node, name: "two", workloads: [])
            defer { second.destroy() }
            first.destroy()
            #expect(first.leftovers() == [])
            #expect(livingProcess(second.infra.pid) != nil)
        }
    }

    @Test func removesWhatItMadeWhereTheRuntimeFails() throws {
        try withNode { node in
            let broken = try SampleNode(base: node.base, runtime: "/bin/false")
            let error = #expect(throws: SampleError.self) { try SamplePod(on: broken) }
            #expect(error.map { "\($0)".hasPrefix("/bin/false run (POD): ") } == true)
            for root in [node.sandboxRoot, node.containerRoot, node.netnsRoot] { #expect(names(in: root).isEmpty) }
            #expect(mountsToDetach(beneath: node.base).isEmpty)
        }
    }

    @Test func describesItselfForRegistering() throws {
        try withPod([Workload()]) { pod in
            let document = try #require(
                try JSONSerialization.jsonObject(with: Data(pod.registration.utf8)) as? [String: Any])
            #expect(document["version"] as? Int == 1)
            let sandbox = try #require(document["sandbox"] as? [String: Any])
            #expect(sandbox["id"] as? String == pod.id)
            #expect(sandbox["namespaces"] as? [String: String] == ["network": pod.netns])
            let infra = try #require(document["infra"] as? [String: Any])
            #expect(infra["pid"] as? Int32 == pod.infra.pid)
            let containers = try #require(document["containers"] as? [[String: Any]])
            #expect(containers.first?["directories"] as? [String] == [pod.workloads[0].directory])
        }
    }

    @Test func writesAHelpersPolicy() throws {
        try withNode { node in
            let lines = node.helperConf(caller: "1234").split(separator: "\n")
            #expect(lines.first == "caller = 1234")
            #expect(lines.contains("netns-root = \(node.netnsRoot) names sample-*"))
            #expect(lines.contains { $0.hasPrefix("cgroup-root = /sys/fs/cgroup/") && $0.hasSuffix(" depth 1") })
            #expect(lines.last == "runtime = runc /usr/sbin/runc \(node.runtimeRoot)")
            try node.makeCgroupRoots()
            for root in node.cgroupRoots { #expect(Entry.at(root)?.isDirectory == true) }
        }
    }

    @Test(arguments: ["relative", "/run/a b", "/run/a\nb", "", "/run/a,b"])
    func refusesABadBase(_ base: String) {
        #expect(throws: SampleError.badBase(base)) { try SampleNode(base: base) }
    }
}
