import HelperProtocol
import Testing

@testable import HelperOperations

@Suite struct PolicyParserTests {
    private static let users = Array(
        "root:x:0:0::/root:/bin/sh\npodreap:x:997:995::/:/bin/false\nbad:x:abc:1::/:\n".utf8)

    private func policy(_ text: String) throws(PolicyError) -> Policy {
        try Policy(parsing: Array(text.utf8), users: Self.users)
    }

    @Test func everyKeyIsRead() throws {
        let policy = try policy(
            """
            # the whole policy
            caller = podreap
            caller = 61234   # by number
            sandbox-root = /run/pods
            container-root\t=\t/run/containers depth 2-3
            cgroup-root = /sys/fs/cgroup/pids/kubepods depth 4
            cgroup-root = /sys/fs/cgroup/memory/kubepods depth 4 kill
            cgroup-root = /sys/fs/cgroup/cpu/kubepods kill
            userns-root = /run/userns names uuid
            netns-root = /run/netns names cni-* uuid
            ipcns-root = /run/ipcns names uuid
            utsns-root = /run/utsns names uuid
            runtime = runc /usr/sbin/runc /run/runc
            runtime = crun /usr/bin/crun /run/crun hooks

            """)
        #expect(policy.callers == [997, 61234])
        #expect(
            policy.roots.map(\.kind) == [
                .sandbox, .container, .cgroup, .cgroup, .cgroup, .networkNamespace, .ipcNamespace, .utsNamespace,
                .userNamespace,
            ])
        #expect(policy.roots.map(\.minimumDepth) == [1, 2, 4, 4, 1, 1, 1, 1, 1])
        #expect(policy.roots.map(\.maximumDepth) == [1, 3, 4, 4, 1, 1, 1, 1, 1])
        #expect(policy.roots.map(\.mayKill) == [false, false, false, true, true, false, false, false, false])
        #expect(policy.roots[1].path.array == Array("/run/containers".utf8))
        #expect(policy.roots[5].names.array == Array("cni-* uuid".utf8))
        #expect(policy.runtimes.map(\.seen.hooks) == [false, true])
        #expect(policy.runtimes[1].path.array == Array("/usr/bin/crun".utf8))
        #expect(policy.runtimes[1].seen.stateRoot.array == Array("/run/crun".utf8))
    }

    @Test(arguments: [
        ("caller = nobody-here", "the caller is not in /etc/passwd"),
        ("caller = bad", "the caller is not in /etc/passwd"),
        ("caller = 4294967295", "the caller is not in /etc/passwd"),
        ("caller = 007", "the caller is not in /etc/passwd"),
        ("caller = a b", "a caller is one user"),
        ("caller =", "expected KEY = VALUE"),
        ("caller: podreap", "expected KEY = VALUE"),
        ("Caller = podreap", "unknown key"),
        ("sandbox-root = relative", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
        ("sandbox-root = /", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
        ("sandbox-root = /a/../b", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
        ("sandbox-root = /a//b", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
        ("sandbox-root = /a/", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
        ("sandbox-root = /a depth", "expected PATH [depth N[-M]]"),
        ("sandbox-root = /a kill", "expected PATH [depth N[-M]]"),
        ("container-root = /a depth 1 kill", "expected PATH [depth N[-M]]"),
        ("cgroup-root = /a kill depth 1", "expected PATH [depth N[-M]] [kill]"),
        ("cgroup-root = /a depth 1 kill kill", "expected PATH [depth N[-M]] [kill]"),
        ("cgroup-root = /a depth kill", "expected PATH [depth N[-M]] [kill]"),
        ("cgroup-root = kill", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
        ("netns-root = /a names uuid kill", "a name pattern is uuid or PREFIX*"),
        ("sandbox-root = /a depth 0", "a depth is N or N-M, from 1 to 16"),
        ("sandbox-root = /a depth 17", "a depth is N or N-M, from 1 to 16"),
        ("sandbox-root = /a depth 3-2", "a depth is N or N-M, from 1 to 16"),
        ("sandbox-root = /a depth 1-2-3", "a depth is N or N-M, from 1 to 16"),
        ("netns-root = /run/netns", "a namespace root needs: names uuid, or names PREFIX*"),
        ("netns-root = /run/netns names", "a namespace root needs: names uuid, or names PREFIX*"),
        ("netns-root = /run/netns names *", "a name pattern is uuid or PREFIX*"),
        ("netns-root = /run/netns names a*b*", "a name pattern is uuid or PREFIX*"),
        ("netns-root = /run/netns names cni", "a name pattern is uuid or PREFIX*"),
        ("runtime = runc /usr/sbin/runc", "expected NAME PATH STATEROOT [hooks]"),
        ("runtime = runc /usr/sbin/runc /run/runc hook", "expected NAME PATH STATEROOT [hooks]"),
        ("runtime = runc runc /run/runc", "a path must be absolute, without . and .. and //, and at most 255 bytes"),
    ])
    func aBadLineIsNamed(_ line: String, _ reason: String) {
        let error = #expect(throws: PolicyError.self) { try policy("\ncaller = 1\n\(line)\n") }
        #expect(error?.line == 3)
        #expect(error.map { "\($0.reason)" } == reason)
    }

    @Test func duplicatesAndExcessAreErrors() {
        func reason(_ text: String) -> String? {
            let error = #expect(throws: PolicyError.self) { try policy("caller = 1\n" + text) }
            return error.map { "\($0.reason)" }
        }
        #expect(reason("sandbox-root = /a\nsandbox-root = /a") == "the root is listed twice")
        #expect(reason("runtime = r /a /b\nruntime = r /c /d") == "the runtime's name is used twice")
        #expect(reason((0...32).map { "sandbox-root = /r\($0)\n" }.joined()) == "too many roots")
        #expect(reason((0...8).map { "runtime = r\($0) /a /b\n" }.joined()) == "too many runtimes")
        #expect(reason("sandbox-root = /" + String(repeating: "x", count: 255)) != nil)
        #expect(reason("runtime = " + String(repeating: "x", count: 65) + " /a /b") == "the runtime's name is too long")
    }

    @Test func aPolicyNeedsACallerAndARoot() {
        #expect(throws: PolicyError.self) { try policy("sandbox-root = /a") }
        #expect(throws: PolicyError.self) { try policy("caller = 1") }
        #expect(throws: PolicyError.self) { try policy("") }
    }

    @Test func anyBytesAreAnErrorAndNeverACrash() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("caller=sandbox-root netns names uuid*depth 1-2 runtime /a#\n\t\u{0}é".utf8)
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0..<200)).map { _ in alphabet.randomElement(using: &generator)! }
            _ = try? Policy(parsing: text, users: Self.users)
        }
    }

    @Test(arguments: [
        ("cni-*", "cni-1", true), ("cni-*", "cni-", false), ("cni-*", "xcni-1", false), ("cni-*", "cni", false),
        ("uuid", "0f6f2a1c-8a5e-4f7e-9f43-1c2d3e4f5a6b", true), ("uuid", "0F6F2A1C-8a5e-4f7e-9f43-1c2d3e4f5a6b", false),
        ("uuid", "0f6f2a1c-8a5e-4f7e-9f43-1c2d3e4f5a6", false), ("uuid", "0f6f2a1c08a5e-4f7e-9f43-1c2d3e4f5a6b", false),
        ("uuid cni-*", "cni-x", true), ("cni-* uuid", "other", false), ("", "x", false),
    ])
    func namesMatchPatterns(_ patterns: String, _ name: String, _ expected: Bool) throws {
        var text = InlineBytes<65>()
        for byte in patterns.utf8 { _ = text.append(byte) }
        let place = try Place(root: 0, components: [Array(name.utf8)])
        #expect(NamePatterns(text).match(place.name) == expected)
    }
}
