import Foundation
import HelperProtocol
import Testing

@testable import HelperOperations

/// The policy that is shipped can be read, and says what its comments say.
@Suite struct DefaultPolicyTests {
    private static func read() throws -> Policy {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../policy/helper.conf")
        let users = "root:x:0:0:root:/root:/bin/sh\npodreap:x:991:991::/var/lib/podreap:/usr/sbin/nologin\n"
        return try Policy(parsing: Array(Data(contentsOf: file)), users: Array(users.utf8))
    }

    @Test func callerAndRuntimes() throws {
        let policy = try Self.read()
        #expect(policy.callers == [991])
        #expect(policy.runtimes.map { String(decoding: $0.seen.name.array, as: UTF8.self) } == ["runc", "crun"])
        #expect(policy.runtimes.allSatisfy { !$0.seen.hooks }, "nobody gets hooks unasked")
    }

    /// No root is a directory that holds anything but pods' things.
    @Test func roots() throws {
        let roots = try Self.read().roots
        #expect(Set(roots.map(\.kind)) == Set(RootKind.allCases))
        for root in roots {
            let path = String(decoding: root.path.array, as: UTF8.self)
            #expect(path.split(separator: "/").count > 1, "\(path)")
            #expect(!path.hasPrefix("/var/run"), "\(path) goes through a symbolic link")
        }
    }

    @Test(arguments: [
        ("cni-6a2c", true), ("0a1b2c3d-0000-4111-8222-0123456789ab", true), ("blue", false), ("cni", false),
    ])
    func anAdministratorsNamespacesAreNotPods(_ name: String, _ isPods: Bool) throws {
        let root = try #require(try Self.read().roots.first { $0.kind == .networkNamespace })
        #expect(NamePatterns(root.names).match(InlineBytes<256>(Array(name.utf8)[...])!) == isPods)
    }
}
