import Foundation
import HelperClient
import HelperProtocol
import Testing

/// With which version of the protocol a helper is spoken to: the one that its Welcome names.
@Suite struct VersionTests {
    /// The Welcome of a helper of 0.1.0, as it sent it: version 1, release 0.1.0, a sandbox root and runc.
    private static let old: [UInt8] =
        [0x50, 0x44, 0x52, 0x50, 1, 0, 1, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]
        + [1, 1, 0, 5] + Array("0.1.0".utf8) + [0, 0, 0, 0, 0, 0, 0, 0]
        + [1, 1, 1, 1, 0x13] + Array("/mnt/node/sandboxes".utf8) + [0]
        + [1, 4] + Array("runc".utf8) + [0x0e] + Array("/mnt/node/runc".utf8) + [0]

    /// A program that answers Hello with one packet and the next request with another, and keeps what it was sent.
    private final class Helper {
        let pool: HelperPool
        private let directory: URL

        init(welcome: [UInt8], reply: [UInt8]) throws {
            directory = FileManager.default.temporaryDirectory.appending(path: "podreap-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
            try Data(welcome).write(to: directory.appending(path: "welcome"))
            try Data(reply).write(to: directory.appending(path: "reply"))
            let script = """
                cd \(directory.path); read="/bin/dd bs=4096 count=1 status=none"
                $read of=hello; /bin/cat welcome 1>&0; $read of=request; /bin/cat reply 1>&0; exec /bin/cat
                """
            pool = HelperPool(.program("/bin/sh", arguments: ["-c", script]), limits: HelperLimits(helpers: 1))
        }

        deinit { try? FileManager.default.removeItem(at: directory) }

        func received(_ name: String) throws -> [UInt8] {
            [UInt8](try Data(contentsOf: directory.appending(path: name)))
        }
    }

    private func bytes(_ reply: Reply, _ version: UInt16) -> [UInt8] {
        var out: [UInt8] = []
        reply.encode(into: &out, version: version)
        return out
    }

    private let node = NodeIdentity(device: 1, inode: 2, birth: 3)
    private let target = RuntimeTarget(runtime: 0, id: try! ContainerID(Array("a".utf8)))

    @Test func aHelperOfTheFirstRelease() async throws {
        let facts = Facts.directory(DirectoryFacts(identity: node, children: [], next: 0))
        let reply = Reply(kind: .runtimeDelete, requestID: 2, outcome: .done, facts: facts)
        let helper = try Helper(welcome: Self.old, reply: bytes(reply, 1))
        let welcome = try await helper.pool.welcome()
        #expect(welcome.version == 1 && welcome.roots.count == 1 && !welcome.roots[0].mayKill && welcome.features == 0)
        // Only the range in it is another than the one that 0.1.0 sent.
        #expect(
            try helper.received("hello")[..<24] == bytesOfHello[..<24]
                && helper.received("hello")[24...] == [1, 0, 3, 0])
        // What it does not know is not sent to it.
        await #expect(throws: HelperError.unsupportedVersion(VersionRange(minimum: 1, maximum: 1))) {
            try await helper.pool.call(.runtimeForget(target, only: node), deadline: .seconds(1))
        }
    }

    /// The same helper, asked what it knows.
    @Test func aHelperOfTheFirstReleaseIsAsked() async throws {
        let facts = Facts.directory(DirectoryFacts(identity: node, children: [], next: 0))
        let reply = Reply(kind: .runtimeDelete, requestID: 2, outcome: .done, facts: facts)
        let helper = try Helper(welcome: Self.old, reply: bytes(reply, 1))
        let answer = try await helper.pool.call(.runtimeDelete(target, .look), deadline: .seconds(1))
        #expect(answer == reply && answer.facts.stateDirectory == node)
        let sent = RequestPacket(id: 2, deadline: 1000, request: .runtimeDelete(target, .look))
        #expect(try helper.received("request") == sent.encoded(version: 1))
    }

    @Test func aHelperOfThisRelease() async throws {
        let welcome = Welcome(
            version: 3, release: InlineBytes(), missing: 0, roots: [], runtimes: [], features: 1 << 63)
        let facts = Facts.container(ContainerFacts(directory: node, state: .absent))
        let reply = Reply(kind: .runtimeDelete, requestID: 2, outcome: .done, facts: facts)
        let greeting = Reply(kind: .hello, requestID: 1, outcome: .done, facts: .welcome(welcome))
        let helper = try Helper(welcome: bytes(greeting, 3), reply: bytes(reply, 3))
        let answer = try await helper.pool.call(.runtimeDelete(target, .look), deadline: .seconds(1))
        #expect(answer == reply && answer.facts.stateDirectory == node)
        let sent = RequestPacket(id: 2, deadline: 1000, request: .runtimeDelete(target, .look))
        #expect(try helper.received("request") == sent.encoded(version: 3))
        // Features that nobody knows yet are passed over.
        #expect(try await helper.pool.welcome() == welcome)
    }

    /// Hello, request 1, versions 1 to 1, with the longest deadline.
    private var bytesOfHello: [UInt8] {
        RequestPacket(
            id: 1, deadline: Limits.deadlineMilliseconds,
            request: .hello(VersionRange(minimum: 1, maximum: 1))
        ).encoded(version: 1)
    }
}
