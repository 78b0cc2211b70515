import Foundation
import NodeObservation
import Testing

/// A node's files beneath a temporary directory, as a runtime left them.
final class FakeNode {
    let base: String
    var files: NodeFiles { NodeFiles(beneath: base) }

    init() throws {
        base = NSTemporaryDirectory() + "podreap-node-\(UUID().uuidString)"
        try makeDirectory("/var")
        try FileManager.default.createSymbolicLink(atPath: base + "/var/run", withDestinationPath: "/run")
    }

    deinit { try? FileManager.default.removeItem(atPath: base) }

    func makeDirectory(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: base + path, withIntermediateDirectories: true)
    }

    func write(_ text: String, to path: String) throws {
        try makeDirectory((path as NSString).deletingLastPathComponent)
        try Data(text.utf8).write(to: URL(filePath: base + path))
    }

    /// Version 2 of cgroups at /sys/fs/cgroup; without it, version 1 beneath that.
    func makeVersion2Alone() throws { try write("", to: "/sys/fs/cgroup/cgroup.procs") }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: base + path) }

    /// A saved file with what `edits` say replaced: each must occur.
    static func fixture(_ name: String, _ edits: [(of: String, by: String)] = []) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "fixtures")
        var text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        for edit in edits {
            try #require(text.contains(edit.of), "\(name) has no \(edit.of)")
            text = text.replacingOccurrences(of: edit.of, with: edit.by)
        }
        return text
    }
}

/// The saved pod of containerd.
enum ContainerdPod {
    static let infra = "f1375e052c66a618af4407534b0b4c6307de88c3d995902485cb8ed1942837b3"
    static let workload = "a13a03f6470bc3d7ef322834b95686b571294a415b83ebedc9bcdb15ad7ebceb"
    static let bundles = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
    static let works = "/var/lib/containerd/io.containerd.runtime.v2.task/k8s.io"
    static let states = "/run/containerd/runc/k8s.io"
    static let runPlugin = "/run/containerd/io.containerd.grpc.v1.cri"
    static let dataPlugin = "/var/lib/containerd/io.containerd.grpc.v1.cri"

    /// - Parameter edits: In all files, where they occur.
    static func place(on node: FakeNode, edits: [(of: String, by: String)] = []) throws {
        for (id, name) in [(infra, "infra"), (workload, "workload")] {
            func file(_ file: String) throws -> String {
                edits.reduce(try FakeNode.fixture("containerd/\(name)/\(file)")) {
                    $0.replacingOccurrences(of: $1.of, with: $1.by)
                }
            }
            let id = edits.reduce(id) { $0.replacingOccurrences(of: $1.of, with: $1.by) }
            try node.write(file("config.json"), to: "\(bundles)/\(id)/config.json")
            try node.write(file("state.json"), to: "\(states)/\(id)/state.json")
            try node.makeDirectory("\(works)/\(id)")
            try node.makeDirectory("\(dataPlugin)/\(name == "infra" ? "sandboxes" : "containers")/\(id)")
            try node.makeDirectory("\(runPlugin)/\(name == "infra" ? "sandboxes/\(id)/shm" : "containers/\(id)")")
            try node.makeDirectory("/sys/fs/cgroup/memory/kubepods/\(id)")
        }
    }
}

/// The saved pod of CRI-O.
enum CRIOPod {
    static let infra = "2d3bf64748942c5308c0311756a150a7f2c2898cdef43e0f735558d754b5c2e8"
    static let workload = "02ad88646a5f33c31085702312b11cf1c5d2e403300ae550a57981fb5dd6f232"
    static let run = "/run/containers/storage/overlay-containers"
    static let data = "/var/lib/containers/storage/overlay-containers"
    static let layers = "/var/lib/containers/storage/overlay"
    static let layer = [
        infra: "cdfeae195ad1a8cb8fd95f30a15dca3206bf8b89ad9dd110e465a811ea615922",
        workload: "d126772626e211f4d3c483aa44caa8958295b74ab7dc1725567ea4521d28f581",
    ]

    static func place(on node: FakeNode) throws {
        for (id, name) in [(infra, "infra"), (workload, "workload")] {
            try node.write(FakeNode.fixture("crio/\(name)/config.json"), to: "\(run)/\(id)/userdata/config.json")
            try node.write(FakeNode.fixture("crio/\(name)/config.json"), to: "\(data)/\(id)/userdata/config.json")
            try node.write(FakeNode.fixture("crio/\(name)/state.json"), to: "/run/runc/\(id)/state.json")
            try node.makeDirectory("\(layers)/\(layer[id]!)/merged")
            try node.makeDirectory("/sys/fs/cgroup/memory/kubepods/crio-\(id)")
        }
    }
}
