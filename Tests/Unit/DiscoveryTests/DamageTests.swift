import Foundation
import NodeObservation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// Files that are broken, missing or no files: what is wrong is named, and the rest is found all the same.
struct DamageTests {
    private static let damages: [(name: String, text: String)] = [
        ("empty", ""), ("cut", #"{"ociVersion": "1.0.2", "ann"#), ("array", "[]"), ("number", "7"),
        ("ill-typed", #"{"annotations": [1], "config": 1}"#), ("binary", "\u{0}\u{1}"),
        ("deep", String(repeating: "[", count: 100_000)),
    ]

    @Test(arguments: damages.map(\.name)) func brokenBundle(_ name: String) throws {
        let text = try #require(Self.damages.first { $0.name == name }).text
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        let broken = "\(ContainerdPod.bundles)/broken"
        try node.write(text, to: "\(broken)/config.json")
        let discovery = try Discovery(of: [.containerd], files: node.files)
        #expect(discovery.documents.count == 1)
        #expect(discovery.problems.count == 1 && discovery.problems[0].contains(broken))
    }

    @Test(arguments: damages.map(\.name)) func brokenState(_ name: String) throws {
        let text = try #require(Self.damages.first { $0.name == name }).text
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        try node.write(text, to: "/run/runc/\(CRIOPod.workload)/state.json")
        let discovery = try Discovery(of: [.crio], files: node.files)
        #expect(discovery.documents.first?.containers.count == 2, "the bundle says enough")
        #expect(discovery.problems.count == 1 && discovery.problems[0].contains(CRIOPod.workload))
    }

    /// A name that no pod can have is not handed to register.
    @Test func unfitForRegistration() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node, edits: [("pod-5cf5b6d728e1", "a\\u001b[2Jb")])
        let discovery = try Discovery(of: [.containerd], files: node.files)
        #expect(discovery.documents.isEmpty)
        #expect(discovery.problems.count == 1)
        #expect(discovery.problems[0].contains("sandbox.metadata.name: has a control character"))
        #expect(discovery.policy(caller: "0").contains("-root") == false, "no root for what is not registered")
    }

    @Test func noRegularFiles() throws {
        let node = try FakeNode()
        try ContainerdPod.place(on: node)
        let bundle = "\(ContainerdPod.bundles)/fifo"
        try node.makeDirectory(bundle)
        let made = try Process.run(URL(filePath: "/usr/bin/mkfifo"), arguments: [node.base + bundle + "/config.json"])
        made.waitUntilExit()
        #expect(made.terminationStatus == 0)
        try node.makeDirectory("\(ContainerdPod.bundles)/link")
        try FileManager.default.createSymbolicLink(
            atPath: node.base + "\(ContainerdPod.bundles)/link/config.json", withDestinationPath: "/etc/passwd")
        let discovery = try Discovery(of: [.containerd], files: node.files)
        #expect(discovery.documents.count == 1)
        #expect(discovery.problems.count == 2)
    }

    @Test func tooLarge() throws {
        let node = try FakeNode()
        try node.write("{}", to: "\(ContainerdPod.bundles)/large/config.json")
        let path = node.base + "\(ContainerdPod.bundles)/large/config.json"
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.truncate(atOffset: UInt64(NodeFiles.largest + 1))
        let discovery = try Discovery(of: [.containerd], files: node.files)
        #expect(discovery.problems.count == 1 && discovery.problems[0].contains("File too large"))
    }

    /// Each field of each file taken away, one at a time: nothing crashes, and what is printed can be read back.
    @Test(arguments: ["containerd", "crio"]) func anyFieldMissing(_ runtime: String) throws {
        for role in ["infra", "workload"] {
            for file in ["config.json", "state.json"] {
                let text = try FakeNode.fixture("\(runtime)/\(role)/\(file)")
                let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
                for key in object.keys {
                    var less = object
                    less[key] = nil
                    try expectReadable(runtime, role, file, less)
                    guard let inner = object[key] as? [String: Any] else { continue }
                    for second in inner.keys where key != "config" || ["labels", "namespaces"].contains(second) {
                        var innerLess = inner
                        innerLess[second] = nil
                        less[key] = innerLess
                        try expectReadable(runtime, role, file, less)
                    }
                }
            }
        }
    }

    private func expectReadable(_ runtime: String, _ role: String, _ file: String, _ object: [String: Any]) throws {
        let node = try FakeNode()
        let text = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
        if runtime == "containerd" {
            try ContainerdPod.place(on: node)
            let id = role == "infra" ? ContainerdPod.infra : ContainerdPod.workload
            try node.write(
                text, to: "\(file == "config.json" ? ContainerdPod.bundles : ContainerdPod.states)/\(id)/\(file)")
        } else {
            try CRIOPod.place(on: node)
            let id = role == "infra" ? CRIOPod.infra : CRIOPod.workload
            try node.write(
                text, to: file == "config.json" ? "\(CRIOPod.run)/\(id)/userdata/\(file)" : "/run/runc/\(id)/\(file)")
        }
        let discovery = try Discovery(of: [runtime == "crio" ? .crio : .containerd], files: node.files)
        #expect(discovery.documents.count + discovery.problems.count >= 1)
        _ = discovery.policy(caller: "0")
    }
}
