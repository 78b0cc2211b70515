import Foundation
import SandboxRegistry
import Testing

@testable import NodeObservation
@testable import SandboxRemoval

/// What runtimes of other versions write: runc leaves out members that are empty since 1.4, and wrote them as `""` or `null` before.
struct RuntimeVersionTests {
    /// The saved folders: runc 1.1.5 without a version in its name, 1.5.1 with one.
    private static let saved = [
        "containerd/infra", "containerd/workload", "crio/infra", "crio/workload", "containerd-2.3/infra",
        "containerd-2.3/workload", "crio-1.36/infra", "crio-1.36/workload", "crio-1.36-cgroup2/workload",
    ]

    private func state(_ text: String, file: String = "state.json") throws -> RuntimeStateFile? {
        let node = try FakeNode()
        try node.write(text, to: "/run/runc/saved/\(file)")
        return try RuntimeStateFile.read("saved", in: "/run/runc", node.files)
    }

    private func spec(_ text: String) throws -> BundleSpec? {
        let node = try FakeNode()
        try node.write(text, to: "/bundle/config.json")
        return try node.files.json("/bundle/config.json", as: BundleSpec.self)
    }

    @Test(arguments: saved) func everySavedFileIsRead(_ folder: String) throws {
        let state = try #require(try state(FakeNode.fixture("\(folder)/state.json")))
        #expect(state.pid > 0 && state.startTime > 0 && state.rootfs != nil && state.bundle != nil)
        #expect(!state.cgroups.isEmpty && !state.annotations.isEmpty)
        let spec = try #require(try spec(FakeNode.fixture("\(folder)/config.json")))
        // The runtime keeps the same as the bundle says.
        #expect(spec.pins == state.pins)
        #expect(spec.hasPoststopHooks == false)
    }

    @Test func pinsOfNamespacesWithAndWithoutPaths() throws {
        let infra = try #require(try state(FakeNode.fixture("containerd-2.3/infra/state.json")))
        #expect(infra.pins == ["network": "/var/run/netns/cni-402ec61c-84d6-4988-8639-5bdd02a81ffc"])
        let workload = try #require(try state(FakeNode.fixture("crio-1.36-cgroup2/workload/state.json")))
        let pod = "97b373c3-b64d-46c3-a8f4-0c41b274dda3"
        #expect(
            workload.pins == [
                "network": "/var/run/netns/\(pod)", "ipc": "/var/run/ipcns/\(pod)", "uts": "/var/run/utsns/\(pod)",
            ])
    }

    /// The whole of a pod, from the state alone too.
    @Test(arguments: [true, false]) func discovered(_ bundles: Bool) throws {
        let node = try FakeNode()
        let ids = [
            "infra": "ca529ff610250d6d005fad096fc836c7529e688992a891abf95ae7f70a1c8c05",
            "workload": "c79fcd63c384f74f88fdd8b9ce340d4d5b7f1d0fa17cb04cc2813554ccf74464",
        ]
        for (name, id) in ids {
            let saved = "containerd-2.3/\(name)"
            try node.write(FakeNode.fixture("\(saved)/state.json"), to: "\(ContainerdPod.states)/\(id)/state.json")
            if bundles {
                try node.write(
                    FakeNode.fixture("\(saved)/config.json"), to: "\(ContainerdPod.bundles)/\(id)/config.json")
            }
        }
        let discovery = try Discovery(of: [.containerd], files: node.files)
        #expect(discovery.problems == [])
        let document = try #require(discovery.documents.first)
        #expect(document.containers.map(\.id) == [ids["infra"], ids["workload"]])
        #expect(document.sandbox.namespaces.map(\.path) == ["/run/netns/cni-402ec61c-84d6-4988-8639-5bdd02a81ffc"])
    }

    /// Each member of each saved file, at any depth, left out or null: the rest is read all the same.
    @Test(arguments: saved, ["state.json", "config.json"]) func anyMemberAbsentOrNull(
        _ folder: String, _ file: String
    ) throws {
        let text = try FakeNode.fixture("\(folder)/\(file)")
        let whole = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let variants = Self.variants(of: whole)
        #expect(variants.count > 50)
        let node = try FakeNode()
        for variant in variants {
            let path = "/run/runc/saved/\(file)"
            let data = try JSONSerialization.data(withJSONObject: variant.value)
            try node.write(String(decoding: data, as: UTF8.self), to: path)
            #expect(throws: Never.self, "\(variant.name)") {
                if file == "state.json" {
                    #expect(try RuntimeStateFile.read("saved", in: "/run/runc", node.files) != nil)
                } else {
                    let spec = try #require(try node.files.json(path, as: BundleSpec.self))
                    _ = (spec.pins, spec.shm, spec.hasPoststopHooks)
                }
            }
        }
    }

    private struct Variant {
        let name: String
        let value: Any
    }

    /// The same with one member less, or null; of each array only the first element is varied.
    private static func variants(of value: Any, _ name: String = "") -> [Variant] {
        if let object = value as? [String: Any] {
            return object.keys.sorted().flatMap { key -> [Variant] in
                let inner = "\(name).\(key)"
                func with(_ new: Any?) -> [String: Any] {
                    var changed = object
                    changed[key] = new
                    return changed
                }
                return [
                    Variant(name: "\(inner) absent", value: with(nil)),
                    Variant(name: "\(inner) null", value: with(NSNull())),
                ]
                    + variants(of: object[key] as Any, inner).map { Variant(name: $0.name, value: with($0.value)) }
            }
        }
        guard let array = value as? [Any], let first = array.first else { return [] }
        return variants(of: first, "\(name)[]").map {
            Variant(name: $0.name, value: [$0.value] + array.dropFirst())
        }
    }

    /// crun's, which has no start time before 0.20; and members of which a removal needs none.
    @Test(arguments: [
        #"{"pid":4242,"rootfs":"/r","bundle":"/b","created":"2026-11-25T19:40:28Z"}"#,
        #"{"pid":4242,"process-start-time":null,"scope":null,"owner":null,"rootfs":null,"bundle":null,"created":null}"#,
        #"{"pid":4242}"#,
    ]) func stateOfCrun(_ text: String) throws {
        let state = try #require(try state(text, file: "status"))
        #expect(state.format == "crun" && state.pid == 4242 && state.startTime == 0)
        #expect(try state.livingProcess() == nil, "which process it was is not known")
    }
}
