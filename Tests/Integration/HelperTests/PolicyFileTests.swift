import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// A policy, a root or a runtime that others than root could replace, and a policy that is wrong.
    @Suite struct PolicyFile {
        private static let conf = "/etc/podreap/helper.conf"

        struct Weakness: Sendable, CustomTestStringConvertible {
            /// Done in the directory that stands for /etc/podreap.
            var script: String
            var rule: Rule
            var detail: String
            var testDescription: String { script }
        }

        @Test(arguments: [
            Weakness(script: "rm helper.conf", rule: .policyUnreadable, detail: conf),
            Weakness(script: "mv helper.conf real; ln -s real helper.conf", rule: .policyUnreadable, detail: conf),
            Weakness(script: "rm helper.conf; mkdir helper.conf", rule: .policyUnreadable, detail: conf),
            Weakness(script: "rm helper.conf; mkfifo helper.conf", rule: .policyUnreadable, detail: conf),
            Weakness(script: "rm helper.conf; mknod helper.conf c 1 5", rule: .policyUnreadable, detail: conf),
            Weakness(script: "head -c 1100000 /dev/zero >helper.conf", rule: .policyUnreadable, detail: conf),
            Weakness(script: "chmod 660 helper.conf", rule: .policyReplaceable, detail: conf),
            Weakness(script: "chmod 602 helper.conf", rule: .policyReplaceable, detail: conf),
            Weakness(script: "chmod 1602 helper.conf", rule: .policyReplaceable, detail: conf),
            Weakness(script: "chown 61234 helper.conf", rule: .policyReplaceable, detail: conf),
            Weakness(script: "chown 61235 helper.conf", rule: .policyReplaceable, detail: conf),
            Weakness(script: "chmod 777 .", rule: .policyReplaceable, detail: "/etc/podreap"),
            Weakness(script: "chmod 775 .", rule: .policyReplaceable, detail: "/etc/podreap"),
            Weakness(script: "chown 61234 .", rule: .policyReplaceable, detail: "/etc/podreap"),
            Weakness(script: "chmod 1777 .; rm helper.conf", rule: .policyReplaceable, detail: conf),
        ])
        func weak(_ weakness: Weakness) throws {
            let policy = try TestPolicy(try TestNode.shared().policy)
            try shell("cd \(policy.directory); \(weakness.script)")
            var start = TestHelper.start
            start.binds = [(policy.directory, "/etc/podreap")]
            try expectRefusal(try TestHelper(ungreeted: start), weakness.rule, weakness.detail)
        }

        /// Roots and runtimes in a directory of this test's.
        struct Place: Sendable, CustomTestStringConvertible {
            var script: String
            var line: String
            var rule: Rule?
            var detail = ""
            var testDescription: String { script }
        }

        private static let place = "/mnt/node/weak"

        private static func runtime(_ program: String, _ stateRoot: String) -> String {
            "sandbox-root = /mnt/node/sandboxes\nruntime = x \(program) \(stateRoot)"
        }

        @Test(arguments: [
            Place(script: "mkdir -p r", line: "sandbox-root = \(place)/r"),
            Place(script: ":", line: "sandbox-root = \(place)/not/there/yet"),
            Place(script: "mkdir -pm 1777 r", line: "sandbox-root = \(place)/r"),
            Place(script: "mkdir -m 1777 p; mkdir p/r", line: "sandbox-root = \(place)/p/r"),
            Place(script: ":", line: runtime("\(place)/not/x", "\(place)/not/there")),
            // Anyone may make what is not there yet in a sticky directory.
            Place(
                script: "mkdir -m 1777 p", line: "sandbox-root = \(place)/p/later", rule: .rootReplaceable,
                detail: "\(place)/p/later"),
            Place(
                script: "mkdir -m 1777 p", line: "netns-root = \(place)/p/later/netns names uuid",
                rule: .rootReplaceable, detail: "\(place)/p/later"),
            Place(
                script: "mkdir -m 1777 p; mkdir p/r", line: "cgroup-root = \(place)/p/r/later/still"),
            Place(
                script: "mkdir -m 1777 p; mkdir s", line: runtime("\(place)/p/x", "\(place)/s"),
                rule: .runtimeReplaceable, detail: "\(place)/p/x"),
            Place(
                script: "mkdir -m 1777 p", line: runtime("/usr/bin/true", "\(place)/p/later"), rule: .rootReplaceable,
                detail: "\(place)/p/later"),
            Place(
                script: "mkdir -m 1777 p; mkdir p/s; chown 61234 p/s", line: runtime("/usr/bin/true", "\(place)/p/s"),
                rule: .rootReplaceable, detail: "\(place)/p/s"),
            // Whoever writes in a state root names processes.
            Place(
                script: "mkdir -m 1777 s", line: runtime("/usr/bin/true", "\(place)/s"), rule: .rootReplaceable,
                detail: "\(place)/s"),
            Place(script: "mkdir -m 1777 p; mkdir p/s", line: runtime("/usr/bin/true", "\(place)/p/s")),
            // A filesystem of somebody's own would say whatever owner he likes.
            Place(
                script: "mkdir -m 1777 p; mkdir p/r; mount -t tmpfs -o mode=755 weak p/r",
                line: "sandbox-root = \(place)/p/r", rule: .rootReplaceable, detail: "\(place)/p/r"),
            Place(
                script: "mkdir r; mount -t tmpfs -o mode=755 weak r", line: "sandbox-root = \(place)/r"),
            Place(
                script: "mkdir -m 777 r", line: "sandbox-root = \(place)/r", rule: .rootReplaceable,
                detail: "\(place)/r"),
            Place(
                script: "mkdir -m 770 r", line: "sandbox-root = \(place)/r", rule: .rootReplaceable,
                detail: "\(place)/r"),
            Place(
                script: "mkdir r; chown 61234 r", line: "netns-root = \(place)/r names uuid", rule: .rootReplaceable,
                detail: "\(place)/r"),
            Place(
                script: "ln -s /etc r", line: "sandbox-root = \(place)/r", rule: .rootReplaceable, detail: "\(place)/r"),
            Place(
                script: "ln -s /mnt/node r", line: "sandbox-root = \(place)/r/sandboxes", rule: .rootReplaceable,
                detail: "\(place)/r"),
            Place(
                script: "mkdir -p p/r; chown 61234 p", line: "container-root = \(place)/p/r", rule: .rootReplaceable,
                detail: "\(place)/p"),
            Place(
                script: "mkdir -p p; chmod 777 p", line: "cgroup-root = \(place)/p/later", rule: .rootReplaceable,
                detail: "\(place)/p"),
            Place(
                script: "cp /bin/true x; chmod 777 x",
                line: "sandbox-root = /mnt/node/sandboxes\nruntime = x \(place)/x /mnt/node/runc",
                rule: .runtimeReplaceable, detail: "\(place)/x"),
            Place(
                script: "mkdir p; cp /bin/true p/x; chown 61234 p",
                line: "sandbox-root = /mnt/node/sandboxes\nruntime = x \(place)/p/x /mnt/node/runc",
                rule: .runtimeReplaceable, detail: "\(place)/p"),
            Place(
                script: "ln -s /bin/sh x",
                line: "sandbox-root = /mnt/node/sandboxes\nruntime = x \(place)/x /mnt/node/runc",
                rule: .runtimeReplaceable, detail: "\(place)/x"),
        ])
        func weakPlace(_ place: Place) throws {
            try TestNode.shared()
            try shell("mkdir \(Self.place); cd \(Self.place); \(place.script)")
            defer { clear(Self.place) }
            let helper = try TestHelper(ungreeted: TestHelper.start, policy: "caller = 61234\n\(place.line)\n")
            if let rule = place.rule {
                try expectRefusal(helper, rule, place.detail)
            } else {
                try helper.greet()
            }
        }

        /// The line is counted with comments and empty lines.
        @Test(arguments: [
            ("sandbox-roots = /mnt/x", "3: unknown key"), ("sandbox-root /mnt/x", "3: expected KEY = VALUE"),
            ("sandbox-root = mnt/x", "3: a path must be absolute, without . and .. and //, and at most 255 bytes"),
            (
                "sandbox-root = /mnt/../etc",
                "3: a path must be absolute, without . and .. and //, and at most 255 bytes"
            ),
            ("sandbox-root = /mnt/x depth 0", "3: a depth is N or N-M, from 1 to 16"),
            ("netns-root = /run/netns", "3: a namespace root needs: names uuid, or names PREFIX*"),
            ("netns-root = /run/netns names *", "3: a name pattern is uuid or PREFIX*"),
            ("caller = nobody-of-that-name", "3: the caller is not in /etc/passwd"),
            ("runtime = runc /usr/sbin/runc /run/runc hook", "3: expected NAME PATH STATEROOT [hooks]"),
            ("caller = 61234", "0: no root"), ("sandbox-root = /mnt/x", "0: no caller"),
        ])
        func malformed(_ line: String, _ reason: String) throws {
            let helper = try TestHelper(ungreeted: TestHelper.start, policy: "# a comment\n\n\(line)\n")
            try expectRefusal(helper, .policyMalformed, "\(Self.conf):\(reason)")
        }

        /// A runtime that is not there keeps the rest from nothing.
        @Test func missingRuntime() throws {
            let text =
                "caller = 61234\nsandbox-root = /mnt/node/sandboxes\nruntime = gone /usr/bin/no-such-runtime /mnt/node/runc\n"
            let helper = try TestHelper(policy: text)
            #expect(try helper.ask(.runtimeList(runtime: 0)).outcome == .failed(Failure(errno: 2, call: .exec)))
            #expect(try helper.ask(.lookAt(.at(0))).outcome == .done)
        }
    }
}
