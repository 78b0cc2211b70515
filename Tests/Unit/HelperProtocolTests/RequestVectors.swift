import HelperProtocol

/// One vector for each kind of request and each intent.
enum RequestVectors {
    static let node = NodeIdentity(
        device: 0x0000_0008_0000_0011, inode: 0x0102_0304_0506_0708, birth: 0x17a1_b2c3_d4e5_f607)
    static let mount = MountIdentity(id: 0x8000_0001_0203_0405, unique: true)
    static let sandbox = place(2, "pods", "f3a1")
    static let target = RuntimeTarget(runtime: 1, id: id("Web_1.a+b-c"))

    static let all: [Vector<RequestPacket>] = [
        vector("hello", .hello(VersionRange(minimum: 1, maximum: 1)), id: 1),
        vector("hello-range", .hello(VersionRange(minimum: 1, maximum: 0x0203)), id: 1),
        vector("unmount-look", .unmount(sandbox, .look)),
        vector("unmount-act", .unmount(sandbox, .act(only: nil))),
        vector("unmount-act-identity", .unmount(sandbox, .act(only: mount))),
        vector(
            "unmount-act-reusable-identity",
            .unmount(sandbox, .act(only: MountIdentity(id: 0x2a, unique: false)))),
        vector("netns-look", .deleteNamespace(place(4, "cni-1234"), .look)),
        vector("netns-act", .deleteNamespace(place(4, "cni-1234"), .act(only: nil))),
        vector("netns-act-identity", .deleteNamespace(place(4, "cni-1234"), .act(only: node))),
        vector("directory-look", .removeDirectory(sandbox, .look(cursor: 0))),
        vector("directory-look-next-page", .removeDirectory(sandbox, .look(cursor: 0x7fff_0102_0304_0506))),
        vector("directory-look-root", .removeDirectory(Place(root: 3), .look(cursor: 0))),
        vector("directory-act", .removeDirectory(sandbox, .act(only: nil, Slice(entries: 4096)))),
        vector("directory-act-identity", .removeDirectory(sandbox, .act(only: node, Slice(entries: 4096)))),
        vector(
            "directory-act-share",
            .removeDirectory(sandbox, .act(only: nil, Slice(entries: Limits.sliceEntries, index: 15, count: 16)))),
        vector("state", .runtimeState(target)),
        vector("kill-look", .runtimeKill(target, .look, signal: 15, all: false)),
        vector("kill-act", .runtimeKill(target, .act(only: nil), signal: 9, all: false)),
        vector("kill-act-identity", .runtimeKill(target, .act(only: node), signal: 9, all: false)),
        vector("kill-act-all", .runtimeKill(target, .act(only: nil), signal: 64, all: true)),
        vector("delete-look", .runtimeDelete(target, .look)),
        vector("delete-act", .runtimeDelete(target, .act(only: nil))),
        vector("delete-act-identity", .runtimeDelete(target, .act(only: node))),
        vector("list", .runtimeList(runtime: 7)),
        vector(
            "largest-numbers", .runtimeList(runtime: .max), id: .max, deadline: Limits.deadlineMilliseconds),
        vector("deepest-place", .unmount(place(0, (0..<16).map { "level-\($0)" }), .look)),
        vector("longest-component", .unmount(place(0, [String(repeating: "n", count: 255)]), .look)),
        vector("any-bytes-in-name", .unmount(bytesPlace(0, [1...0x2e, 0x30...0xff]), .look)),
        vector(
            "longest-container-id", .runtimeState(RuntimeTarget(runtime: 0, id: id(String(repeating: "z", count: 128))))
        ),
    ]

    static func place(_ root: UInt8, _ components: String...) -> Place { place(root, components) }

    static func place(_ root: UInt8, _ components: [String]) -> Place {
        valid { () throws(Malformed) in try Place(root: root, components: components.map { Array($0.utf8) }) }
    }

    private static func bytesPlace(_ root: UInt8, _ ranges: [ClosedRange<UInt8>]) -> Place {
        valid { () throws(Malformed) in try Place(root: root, components: [ranges.flatMap { Array($0) }]) }
    }

    static func id(_ text: String) -> ContainerID {
        valid { () throws(Malformed) in try ContainerID(Array(text.utf8)) }
    }

    private static func valid<Value>(_ make: () throws(Malformed) -> Value) -> Value {
        do throws(Malformed) {
            return try make()
        } catch {
            preconditionFailure("a vector is itself malformed: \(error)")
        }
    }

    private static func vector(
        _ name: String, _ request: Request, id: UInt64 = 0x1122_3344_5566_7788, deadline: UInt32 = 30_000
    ) -> Vector<RequestPacket> {
        Vector(name: "request-\(name)", message: RequestPacket(id: id, deadline: deadline, request: request))
    }
}
