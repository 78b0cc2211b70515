import Foundation
import SamplePod
import TestPods
import Testing

/// `podreap.v1`: what a shim registers, and how it watches.
@Suite(.serialized) struct RemovalServiceTests {
    static func container(_ container: SamplePod.Container) -> [String: any Sendable] {
        [
            "id": container.id, "name": container.name, "directories": [container.directory],
            "pid": Int(container.pid), "stop_signal": "SIGTERM",
        ]
    }

    static func registration(_ pod: SamplePod) -> [String: any Sendable] {
        [
            "sandbox": [
                "id": pod.id, "name": pod.name, "namespace": "default", "uid": pod.uid, "runtime": "runc",
                "directory": pod.directory, "shm": pod.shm, "network_namespace": pod.netns, "labels": ["app": "web"],
            ] as [String: any Sendable],
            "infra": ["id": pod.infra.id, "directories": [pod.infra.directory]] as [String: any Sendable],
            "containers": pod.workloads.dropLast().map(container),
        ]
    }

    @Test func registeredWatchedAndRemoved() async throws {
        try await withDaemon { daemon, node in
            let pod = try node.pod("web", [Workload(), Workload(.ignoresTerm)])
            let last = pod.workloads[1]
            let answers = try daemon.calls([
                [Call("RegisterPodSandbox", Self.registration(pod), service: "Removal")],
                [Call("RegisterPodSandbox", Self.registration(pod), service: "Removal")],
                [
                    Call(
                        "RegisterContainer", ["pod_sandbox_id": pod.id, "container": Self.container(last)],
                        service: "Removal")
                ],
                [Call("ListContainers")], [Call("Plan", ["pod_sandbox_id": pod.id], service: "Removal")],
                [Call("Explain", ["pod_sandbox_id": pod.id], service: "Removal")],
            ])
            #expect(answers.map(\.code) == ["OK", "ALREADY_EXISTS", "OK", "OK", "OK", "OK"], "\(answers)")
            #expect(Set(answers[3].ids("containers")) == Set(pod.workloads.map(\.id)))
            #expect(answers[4].list("steps").last?["verb"] as? String == "forget")
            #expect(answers[5].list("findings").contains { $0["cause"] as? String == "notAsked" }, "\(answers[5])")

            let removed = try daemon.removal("RemovePodSandbox", ["pod_sandbox_id": pod.id])
            #expect(removed.code == "OK")
            let messages = removed.list("messages")
            let planned = messages.first?["planned"] as? [String: Any]
            let steps = planned?["steps"] as? [[String: Any]] ?? []
            #expect(steps.count > 5)
            #expect(messages.filter { $0["finished"] != nil }.count == steps.count)
            let report = messages.last?["report"] as? [String: Any]
            #expect(report?["outcome"] as? String == "removed")
            #expect(pod.leftovers() == [])

            let after = try daemon.calls([
                [
                    Call("RemovePodSandbox", ["pod_sandbox_id": pod.id], service: "Removal"),
                    Call("Plan", ["pod_sandbox_id": pod.id], service: "Removal"),
                    Call("History", ["matching": pod.id], service: "Removal"),
                    Call(
                        "RegisterContainer", ["pod_sandbox_id": pod.id, "container": Self.container(last)],
                        service: "Removal"),
                ]
            ])
            #expect(after.map(\.code) == ["OK", "NOT_FOUND", "OK", "NOT_FOUND"])
            let unknown = after[0].list("messages").first?["unknown"] as? [String: Any]
            #expect(unknown?["last_outcome"] as? String == "removed")
            #expect(after[2].list("reports").map { $0["outcome"] as? String } == ["removed"])
        }
    }

    /// What is the pod's own and no container's.
    @Test func thePodsOwnCgroupsAndMonitors() async throws {
        try await withDaemon { daemon, node in
            let pod = try node.pod()
            let cgroup = "\(try #require(node.sample.cgroupRoots.first))/crio-\(pod.id)"
            try FileManager.default.createDirectory(atPath: cgroup, withIntermediateDirectories: false)
            var registration = Self.registration(pod)
            var sandbox = registration["sandbox"] as? [String: any Sendable] ?? [:]
            sandbox["cgroups"] = [cgroup]
            sandbox["monitors"] = [Int(getpid())]
            registration["sandbox"] = sandbox
            registration["containers"] = pod.workloads.map(Self.container)
            let answers = try daemon.calls([[Call("RegisterPodSandbox", registration, service: "Removal")]])
            #expect(answers.map(\.code) == ["OK"], "\(answers)")
            #expect("\(answers)".contains("sandbox.monitors[0]: process \(getpid()) is no shim or conmon of this pod"))
            let removed = try daemon.removal("RemovePodSandbox", ["pod_sandbox_id": pod.id])
            #expect(removed.code == "OK" && !FileManager.default.fileExists(atPath: cgroup), "\(removed)")
            #expect(pod.leftovers() == [])
        }
    }

    /// A pod that nobody has registered, dead: found, and removed when told to.
    @Test func garbage() async throws {
        try await withDaemon { daemon, node in
            let pod = try node.pod()
            for container in pod.containers { kill(container.pid, SIGKILL) }
            try await Task.sleep(for: .milliseconds(100))
            let older = ["older_than": 0.001]
            let found = try daemon.removal("CollectGarbage", older)
            let items = found.list("items").filter { ($0["path"] as? String)?.contains(pod.workloads[0].id) == true }
            #expect(!items.isEmpty, "\(found)")
            #expect(items.allSatisfy { ($0["reason"] as? String)?.isEmpty == false })
            #expect(try daemon.removal("CollectGarbage", ["older_than": -1]).code == "INVALID_ARGUMENT")
            // What is young is kept.
            let young = try daemon.removal("CollectGarbage").list("items")
            #expect(young.allSatisfy { $0["outcome"] as? String == "KEPT" }, "\(young)")
            #expect(try daemon.removal("CollectGarbage", ["older_than": 0.001, "remove": true]).code == "OK")
        }
    }

    /// What is wrong with a registration is named by its field; nothing is registered then.
    @Test func wrongRegistrations() async throws {
        try await withDaemon { daemon, node in
            let pod = try node.pod()
            var outside = Self.registration(pod)
            var sandbox = outside["sandbox"] as? [String: any Sendable] ?? [:]
            sandbox["directory"] = "/etc"
            outside["sandbox"] = sandbox
            var signal = Self.registration(pod)
            signal["containers"] = [["id": "x", "name": "app", "stop_signal": "SIGNOTHING"]]
            let answers = try daemon.calls([
                [
                    Call("RegisterPodSandbox", outside, service: "Removal"),
                    Call("RegisterPodSandbox", signal, service: "Removal"),
                    Call("RegisterPodSandbox", [:], service: "Removal"),
                ], [Call("ListPodSandbox")],
            ])
            #expect(answers.map(\.code) == ["INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "OK"])
            #expect(answers[0].message.contains("sandbox.directory"), "\(answers[0])")
            #expect(answers[1].message.contains("containers[0].stop_signal"))
            #expect(answers[3].ids("items") == [])
        }
    }
}
