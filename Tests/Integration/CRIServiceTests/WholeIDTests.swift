import SamplePod
import TestNode
import TestPods
import Testing

/// Calls take whole ids: whoever asks again for what is gone never means another.
@Suite(.serialized) struct WholeIDTests {
    private func register(_ node: PodNode, _ sandbox: String, _ container: String) throws -> Int32 {
        try node.sandbox(sandbox)
        let pid = try node.run(container)
        #expect(try node.register(sandbox, [container]).status == 0)
        return pid
    }

    @Test(arguments: ["RemoveContainer", "StopContainer"])
    func aSecondCallForC1LeavesC12OfAnotherPodAlone(_ method: String) async throws {
        try await withDaemon { daemon, node in
            _ = try register(node, "p1", "c1")
            let pid = try register(node, "p2", "c12")
            let answers = try daemon.calls([
                [Call("RemoveContainer", ["container_id": "c1"])], [Call(method, ["container_id": "c1"])],
                [Call("ContainerStatus", ["container_id": "c1"])], [Call("ContainerStatus", ["container_id": "c12"])],
                [Call("ListContainers", ["filter": ["id": "c1"]])],
                [Call("ListContainers", ["filter": ["pod_sandbox_id": "p"]])], [Call("ListContainers")],
            ])
            #expect(answers.map(\.code) == ["OK", "OK", "NOT_FOUND", "OK", "OK", "OK", "OK"], "\(answers)")
            #expect(answers[4...].map { $0.ids("containers") } == [[], [], ["c12"]])
            #expect(NodeProcess(pid).isAlive)
            #expect(try node.leftovers(of: "p1", ["c1"]).contains { $0.contains("/c1") } == false)
            for pod in ["p1", "p2"] {
                #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod]).code == "OK")
            }
            #expect(try node.leftovers(of: "p2", ["c12"]) == [])
        }
    }

    @Test(arguments: ["RemovePodSandbox", "StopPodSandbox"])
    func aSecondCallForWeb1LeavesWeb10Alone(_ method: String) async throws {
        try await withDaemon { daemon, node in
            _ = try register(node, "web-1", "c1")
            let pid = try register(node, "web-10", "c10")
            let id = ["pod_sandbox_id": "web-1"]
            let answers = try daemon.calls([
                [Call("RemovePodSandbox", id)], [Call(method, id)],
                [Call("RemovePodSandbox", id, service: "Removal")],
                [Call("Plan", id, service: "Removal")], [Call("Explain", id, service: "Removal")],
                [Call("PodSandboxStatus", id)], [Call("ListPodSandbox", ["filter": ["id": "web-1"]])],
                [Call("History", id, service: "Removal")], [Call("History", ["matching": "web-1"], service: "Removal")],
                [Call("ListPodSandbox")],
            ])
            #expect(
                answers.map(\.code) == [
                    "OK", "OK", "OK", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "OK", "OK", "OK", "OK",
                ], "\(answers)")
            let unknown = answers[2].list("messages").first?["unknown"] as? [String: Any]
            #expect(unknown?["last_outcome"] as? String == "removed")
            #expect(answers[6].ids("items") == [])
            #expect(answers[7].list("reports").map { $0["pod_sandbox_id"] as? String } == ["web-1"])
            #expect(answers[9].ids("items") == ["web-10"])
            #expect(NodeProcess(pid).isAlive)
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": "web-10"]).code == "OK")
            #expect(try node.leftovers(of: "web-10", ["c10"]) == [])
        }
    }

    /// crictl's truncated ids act in runtime.v1; podreap.v1 resolves them in a call of their own.
    @Test func beginnings() async throws {
        try await withDaemon { daemon, node in
            let (pod, other) = (try daemon.pod("web"), try daemon.pod("job"))
            let container = pod.workloads[0].id
            let short = { (id: String, count: Int) in String(id.prefix(count)) }
            let resolve = { (kind: String, text: String) in Call("Resolve", [kind: text], service: "Removal") }
            let answers = try daemon.calls([
                [
                    resolve("pod_sandbox", short(pod.id, 9)), resolve("container", short(container, 9)),
                    resolve("pod_sandbox", pod.id), resolve("pod_sandbox", "nobody"),
                    Call("Resolve", service: "Removal"), resolve("container", "../x"),
                    Call("Plan", ["pod_sandbox_id": short(pod.id, 13)], service: "Removal"),
                    Call("RemovePodSandbox", ["pod_sandbox_id": short(pod.id, 13)], service: "Removal"),
                    Call("PodSandboxStatus", ["pod_sandbox_id": short(pod.id, 9)]),
                    Call("ListContainers", ["filter": ["id": short(container, 9)]]),
                    Call("StopContainer", ["container_id": short(container, 11), "timeout": "0"]),
                ]
            ])
            #expect(
                answers.map(\.code) == [
                    "OK", "OK", "OK", "NOT_FOUND", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "NOT_FOUND", "OK", "OK",
                    "OK",
                    "OK",
                ], "\(answers)")
            #expect(answers[0].response["pod_sandbox_id"] as? String == pod.id)
            #expect(answers[1].response["pod_sandbox_id"] as? String == pod.id)
            #expect(answers[1].response["container_id"] as? String == container)
            #expect(answers[7].list("messages").first?["unknown"] != nil)
            #expect(answers[8].status["id"] as? String == pod.id)
            #expect(answers[9].ids("containers") == [container])
            #expect(NodeProcess(pod.workloads[0].pid).isAlive, "11 digits act on nothing")

            let acting = try daemon.calls([
                [Call("StopContainer", ["container_id": short(container, 12), "timeout": "0"])],
                [Call("RemoveContainer", ["container_id": short(container, 13)])],
                [Call("RemovePodSandbox", ["pod_sandbox_id": short(pod.id, 63)])],
            ])
            #expect(acting.map(\.code) == ["OK", "OK", "OK"])
            #expect(pod.leftovers() == [])
            for id in [container, pod.id] {
                #expect(daemon.log().contains("the beginning of an id stands for it beginning="), "\(daemon.log())")
                #expect(daemon.log().contains("id=\(id)"))
            }

            // A short id of digits alone ends that, also when it is gone.
            try node.sandbox("0abc")
            #expect(try node.register("0abc", []).status == 0)
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": "0abc"]).code == "OK")
            let before = other.leftovers()
            let ended = try daemon.calls([
                [Call("RemovePodSandbox", ["pod_sandbox_id": short(other.id, 63)])],
                [Call("PodSandboxStatus", ["pod_sandbox_id": short(other.id, 63)])],
                [resolve("pod_sandbox", short(other.id, 13))],
            ])
            #expect(ended.map(\.code) == ["OK", "NOT_FOUND", "OK"])
            #expect(other.leftovers() == before)
        }
    }

    @Test func severalThatBeginSoAreListed() async throws {
        try await withDaemon { daemon, node in
            let ids = ["0", "1"].map { String(repeating: "a", count: 63) + $0 }
            for id in ids {
                try node.sandbox(id)
                #expect(try node.register(id, []).status == 0)
            }
            let text = String(repeating: "a", count: 20)
            let answers = try daemon.calls([
                [
                    Call("RemovePodSandbox", ["pod_sandbox_id": text]),
                    Call("ListPodSandbox", ["filter": ["id": text]]),
                    Call("Resolve", ["pod_sandbox": text], service: "Removal"),
                ]
            ])
            for answer in answers {
                #expect(answer.code == "INVALID_ARGUMENT")
                #expect(ids.allSatisfy(answer.message.contains), "\(answer)")
            }
            #expect(Set(try daemon.call("ListPodSandbox").ids("items")) == Set(ids))
        }
    }

    /// Random histories of registering, removing and stopping ids that begin like each other, each act looked at from outside.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func noActHitsAnother(_ seed: UInt64) async throws {
        try await withDaemon { daemon, node in
            var random = Seeded(seed)
            var model = IDModel()
            let ids = IDModel.ids(&random)
            var calls: [[Call]] = []
            var expected: [(text: String, meaning: IDModel.Meaning?, sandboxes: Set<String>, containers: Set<String>)] =
                []
            for round in 0..<120 {
                let usable = round < 60 ? ids.filter { !IDModel.isShortHex($0) } : ids
                let (id, text) = (usable.randomElement(using: &random) ?? "", ids.randomElement(using: &random) ?? "")
                var meaning: IDModel.Meaning?
                switch Int.random(in: 0..<8, using: &random) {
                case 0..<3 where !model.sandboxes.contains(id):
                    calls.append([Call("RegisterPodSandbox", Self.pod(id, node), service: "Removal")])
                    model.register(id)
                case 3..<5 where model.containers[id] == nil && !model.sandboxes.isEmpty:
                    let pod = model.sandboxes.sorted().randomElement(using: &random) ?? ""
                    let container: [String: any Sendable] = ["id": id, "name": "name-\(id)"]
                    calls.append([
                        Call("RegisterContainer", ["pod_sandbox_id": pod, "container": container], service: "Removal")
                    ])
                    model.register(container: id, into: pod)
                case 5..<7:
                    let found = model.container(meantBy: text)
                    let removes = Bool.random(using: &random)
                    calls.append([Call(removes ? "RemoveContainer" : "StopContainer", ["container_id": text])])
                    if removes, case .id(let container) = found { model.remove(container: container) }
                    meaning = found
                default:
                    let found = model.sandbox(meantBy: text)
                    calls.append([Call("RemovePodSandbox", ["pod_sandbox_id": text])])
                    if case .id(let sandbox) = found { model.remove(sandbox) }
                    meaning = found
                }
                calls.append([Call("ListPodSandbox"), Call("ListContainers")])
                expected.append((text, meaning, model.sandboxes, Set(model.containers.keys)))
            }
            let answers = try daemon.calls(calls)
            for (index, expected) in expected.enumerated() {
                let (act, pods, containers) = (answers[3 * index], answers[3 * index + 1], answers[3 * index + 2])
                let comment = "seed \(seed), round \(index), \(expected.text): \(act)"
                #expect(act.code == (expected.meaning == .ambiguous ? "INVALID_ARGUMENT" : "OK"), "\(comment)")
                #expect(Set(pods.ids("items")) == expected.sandboxes, "\(comment)")
                #expect(Set(containers.ids("containers")) == expected.containers, "\(comment)")
            }
        }
    }

    private static func pod(_ id: String, _ node: PodNode) -> [String: any Sendable] {
        let sandbox: [String: any Sendable] = [
            "id": id, "name": id, "namespace": "default", "uid": "u", "runtime": "runc",
            "directory": node.directory(ofSandbox: id),
        ]
        return ["sandbox": sandbox]
    }
}
