import Foundation
import SamplePod
import TestPods
import Testing

/// CRI's rules, each through a client that grpcio has made.
@Suite(.serialized) struct RuleTests {
    @Test func versionAndStatus() async throws {
        try await withDaemon { daemon, _ in
            let answers = try daemon.calls([[Call("Version", ["version": "0.1.0"]), Call("Status", ["verbose": true])]])
            #expect(answers[0].code == "OK")
            #expect(answers[0].response["runtime_name"] as? String == "podreap")
            #expect(answers[0].response["version"] as? String == "0.1.0")
            #expect(answers[0].response["runtime_api_version"] as? String == "v1")
            let conditions = answers[1].status["conditions"] as? [[String: Any]] ?? []
            #expect(conditions.map { $0["type"] as? String } == ["RuntimeReady", "NetworkReady"])
            #expect(conditions.allSatisfy { $0["status"] as? Bool == true }, "\(answers[1])")
            let info = answers[1].response["info"] as? [String: String]
            #expect(info?["podreap"]?.contains(#""runtimes":["runc"]"#) == true)
        }
    }

    /// Ready is only what was really called, once for many Statuses; and one that its filter kills is told with what to do.
    @Test func statusCallsRuntimes() throws {
        let stubborn = try StubbornRuntime()
        func condition(_ answer: Answer) throws -> [String: Any] {
            try #require((answer.status["conditions"] as? [[String: Any]])?.first)
        }
        for isKilled in [false, true] {
            if isKilled { try stubborn.setKilled(true) }
            let before = try stubborn.calls()
            try withPodNode { node in
                try node.setPolicy(
                    node.policy + "\(stubborn.policyLine)\nruntime = later \(stubborn.path) /mnt/programs/nothing\n")
                let daemon = try Daemon(node, settings: "")
                let answers = try daemon.calls((0..<10).map { _ in [Call("Status"), Call("Status")] })
                for answer in answers {
                    let ready = try condition(answer)
                    #expect(ready["status"] as? Bool ?? false == !isKilled, "\(ready)")
                    let message = ready["message"] as? String ?? ""
                    #expect(message.contains(isKilled ? "stubborn was killed at a system call" : "later has no state"))
                    #expect(message.contains("ausearch -m SECCOMP") == isKilled)
                }
                #expect(try stubborn.calls() == before + 1)
                _ = try daemon.end()
            }
        }
    }

    @Test func noRuntimeThatWasCalled() throws {
        try withPodNode { node in
            try node.setPolicy(node.policy.replacing(node.sample.runtimeRoot, with: "/mnt/nothing"))
            let daemon = try Daemon(node, settings: "")
            let ready = try #require((try daemon.call("Status").status["conditions"] as? [[String: Any]])?.first)
            #expect(ready["status"] as? Bool != true)
            #expect((ready["message"] as? String)?.contains("no runtime could be called: runc has no state") == true)
            _ = try daemon.end()
        }
    }

    @Test func whatIsNotPodreapsJobSaysWhoseItIs() async throws {
        try await withDaemon { daemon, _ in
            let answers = try daemon.calls([
                [
                    Call("RunPodSandbox", ["runtime_handler": "runc"]), Call("ExecSync", ["container_id": "x"]),
                    Call("GetContainerEvents"), Call("ListImages", service: "ImageService"),
                ]
            ])
            #expect(answers.map(\.code) == Array(repeating: "UNIMPLEMENTED", count: 4))
            #expect(answers[0].message.contains("Call the runtime that makes them"))
            #expect(answers[1].message.contains("Call the runtime that made this one"))
            #expect(answers[2].message.contains("Poll ListContainers"))
            #expect(answers[3].message.contains("image service"))
        }
    }

    /// An id that nobody has is no error for what wants something gone, and NOT_FOUND for what asks.
    @Test func emptyUnknownAndWrongIDs() async throws {
        try await withDaemon { daemon, _ in
            let sandbox = ["StopPodSandbox", "RemovePodSandbox", "PodSandboxStatus"]
            let container = ["StopContainer", "RemoveContainer", "ContainerStatus"]
            let calls = { (id: String) in
                sandbox.map { Call($0, ["pod_sandbox_id": id]) } + container.map { Call($0, ["container_id": id]) }
            }
            let empty = try daemon.calls([calls("")])
            #expect(empty.map(\.code) == Array(repeating: "INVALID_ARGUMENT", count: 6))
            #expect(empty[0].message.contains("pod_sandbox_id is empty"))
            #expect(empty[3].message.contains("container_id is empty"))
            let unknown = try daemon.calls([calls("0123abcd")])
            #expect(unknown.map(\.code) == ["OK", "OK", "NOT_FOUND", "OK", "OK", "NOT_FOUND"])
            #expect(unknown[2].message == "no pod sandbox 0123abcd is registered with podreap")
            let wrong = try daemon.calls([calls("../etc")])
            #expect(wrong.map(\.code) == Array(repeating: "INVALID_ARGUMENT", count: 6))
            let negative = try daemon.call("StopContainer", ["container_id": "x", "timeout": "-1"])
            #expect(negative.code == "INVALID_ARGUMENT")
        }
    }

    @Test func lists() async throws {
        try await withDaemon { daemon, _ in
            let web = try daemon.pod("web", [Workload(), Workload()])
            let job = try daemon.pod("job")
            let filter = { (filter: [String: any Sendable]) in Call("ListPodSandbox", ["filter": filter]) }
            let answers = try daemon.calls([
                [
                    Call("ListPodSandbox"), filter(["id": web.id]), filter(["id": String(job.id.prefix(13))]),
                    filter(["id": "nobody"]), filter(["label_selector": ["app": "job"]]),
                    filter(["label_selector": ["app": "job", "tier": "front"]]),
                    filter(["state": ["state": "SANDBOX_READY"], "id": web.id]),
                    filter(["state": ["state": "SANDBOX_NOTREADY"]]),
                ]
            ])
            let both = Set([web.id, job.id])
            #expect(Set(answers[0].ids("items")) == both)
            #expect(
                answers.dropFirst().map { $0.ids("items") } == [[web.id], [job.id], [], [job.id], [], [web.id], []])
            let item = try #require(answers[1].list("items").first)
            #expect((item["metadata"] as? [String: Any])?["name"] as? String == "web")
            #expect(item["runtime_handler"] as? String == "runc")
            #expect(Int(item["created_at"] as? String ?? "") ?? 0 > 1_600_000_000_000_000_000)

            let containers = { (filter: [String: any Sendable]) in Call("ListContainers", ["filter": filter]) }
            let found = try daemon.calls([
                [
                    Call("ListContainers"), containers(["pod_sandbox_id": web.id]),
                    containers(["id": job.workloads[0].id]), containers(["state": ["state": "CONTAINER_EXITED"]]),
                    containers(["id": web.infra.id]),
                    containers(["id": job.workloads[0].id, "pod_sandbox_id": web.id]),
                ]
            ])
            let all = (web.workloads + job.workloads).map(\.id)
            #expect(Set(found[0].ids("containers")) == Set(all))
            #expect(Set(found[1].ids("containers")) == Set(web.workloads.map(\.id)))
            #expect(found[2].ids("containers") == [job.workloads[0].id])
            #expect(found.dropFirst(3).allSatisfy { $0.code == "OK" && $0.ids("containers").isEmpty })
            #expect(found[2].list("containers").first?["state"] as? String == "CONTAINER_RUNNING")
        }
    }

    @Test func onePodsLife() async throws {
        try await withDaemon("[removal]\nstop-grace = 0.2") { daemon, _ in
            let pod = try daemon.pod("web", [Workload(), Workload(.ignoresTerm), Workload()])
            let ids = pod.workloads.map(\.id)
            let running = try daemon.call("ContainerStatus", ["container_id": ids[1], "verbose": true])
            #expect(running.status["state"] as? String == "CONTAINER_RUNNING")
            #expect((running.response["info"] as? [String: String])?["podreap"]?.contains(ids[1]) == true)
            // It ignores TERM, and is killed after its second.
            let stop = try daemon.call("StopContainer", ["container_id": ids[1], "timeout": "1"])
            #expect(stop.code == "OK" && stop.seconds >= 0.9 && stop.seconds < 5, "\(stop) \(stop.seconds)")
            let stopped = try daemon.calls([
                [Call("StopContainer", ["container_id": ids[1], "timeout": "30"])],
                [
                    Call("ContainerStatus", ["container_id": ids[1]]),
                    Call("PodSandboxStatus", ["pod_sandbox_id": pod.id]),
                ],
            ])
            #expect(stopped.map(\.code) == ["OK", "OK", "OK"])
            #expect(stopped[1].status["state"] as? String == "CONTAINER_EXITED")
            #expect(stopped[2].status["id"] as? String == pod.id && stopped[2].status["state"] == nil)
            // Removed while it runs.
            let removed = try daemon.calls([
                [Call("RemoveContainer", ["container_id": ids[0]])],
                [Call("RemoveContainer", ["container_id": ids[0]])],
                [Call("ContainerStatus", ["container_id": ids[0]])], [Call("ListContainers")],
            ])
            #expect(removed.map(\.code) == ["OK", "OK", "NOT_FOUND", "OK"])
            #expect(Set(removed[3].ids("containers")) == Set(ids[1...]))
            #expect(!pod.leftovers().contains { $0.contains(ids[0]) })
            let end = try daemon.calls([
                [Call("StopPodSandbox", ["pod_sandbox_id": pod.id])],
                [Call("StopPodSandbox", ["pod_sandbox_id": pod.id])],
                [Call("PodSandboxStatus", ["pod_sandbox_id": pod.id])],
                [Call("RemovePodSandbox", ["pod_sandbox_id": String(pod.id.prefix(12))])],
                [Call("RemovePodSandbox", ["pod_sandbox_id": pod.id])],
                [Call("StopPodSandbox", ["pod_sandbox_id": pod.id])],
                [Call("PodSandboxStatus", ["pod_sandbox_id": pod.id])], [Call("ListPodSandbox")],
            ])
            #expect(end.map(\.code) == ["OK", "OK", "OK", "OK", "OK", "OK", "NOT_FOUND", "OK"], "\(end)")
            #expect(end[2].status["state"] as? String == "SANDBOX_NOTREADY")
            #expect(end[7].ids("items") == [])
            #expect(pod.leftovers() == [])
        }
    }
}
