import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Roots that somebody else than root puts in their places while a helper runs: refused at every use.
    @Suite struct ReplacedPlaces {
        private static let place = "/mnt/node/replaced"

        /// What somebody without privileges does.
        private func outsider(_ script: String) throws {
            try shell(
                "setpriv --reuid 4242 --regid 4242 --clear-groups /bin/sh -euc '\(script)' </dev/null")
        }

        /// How a root comes to be in other hands than root's after the helper's start.
        enum Way: CaseIterable {
            /// It lay in a sticky directory, and root has removed it.
            case removed
            /// It was not there, and root makes a sticky directory on the way to it.
            case madeLater

            var before: String { self == .removed ? "mkdir -m 1777 p; mkdir p/r" : ":" }
            var after: String { self == .removed ? "rm -r p/r" : "mkdir -m 1777 p" }
        }

        /// A helper, and what it is asked then.
        private func helper(_ way: Way, _ lines: String, _ outsiders: String) throws -> TestHelper {
            try TestNode.shared()
            try shell("mkdir \(Self.place); cd \(Self.place); \(way.before)")
            let helper = try TestHelper(policy: "caller = \(TestNode.caller)\n\(lines)\n")
            try shell("cd \(Self.place); \(way.after)")
            try outsider("cd \(Self.place)/p; \(outsiders)")
            return helper
        }

        @Test(arguments: Way.allCases) func root(_ way: Way) throws {
            defer { clear(Self.place) }
            let root = "\(Self.place)/p/r"
            let helper = try helper(
                way, "sandbox-root = \(root)\nnetns-root = \(root) names uuid sample-*", "mkdir -p r/pod; : >r/sample-a"
            )
            let expected = Outcome.refused(.rootReplaceable, detail: Array(root.utf8))
            for request in try [
                Request.remove(.at(0, "pod")), .lookAt(.at(0, "pod")), .lookAt(.at(0)), .unmount(.at(0, "pod"), .look),
                .unmount(.at(0, "pod"), .act(only: nil)), .unmountBeneath(.at(0, "pod"), only: nil, most: 9),
                .deleteNamespace(.at(1, "sample-a"), .act(only: nil)),
            ] {
                #expect(try helper.ask(request).outcome == expected, "\(request)")
            }
            #expect(Entry.exists("\(root)/pod") && Entry.exists("\(root)/sample-a"))
        }

        /// What is not there is not there, as long as nobody else can make it.
        @Test func missing() throws {
            defer { clear(Self.place) }
            let helper = try helper(.madeLater, "sandbox-root = \(Self.place)/r/r", ":")
            #expect(try helper.ask(.remove(.at(0, "pod"))).outcome == .alreadyDone)
            // Sticky directories that root has made beneath are no harm to it.
            try shell("mkdir -p \(Self.place)/r/r/pod; chmod 1777 \(Self.place)/r/r")
            #expect(try helper.ask(.remove(.at(0, "pod"))).outcome == .done)
            let sticky = "\(Self.place)/p/r"
            let other = try TestHelper(policy: "caller = \(TestNode.caller)\nsandbox-root = \(Self.place)/r\n")
            #expect(try other.ask(.lookAt(.at(0, "r"))).outcome == .done)
            #expect(
                try TestHelper(
                    ungreeted: TestHelper.start, policy: "caller = \(TestNode.caller)\nsandbox-root = \(sticky)\n"
                ).receive()?.outcome == .refused(.rootReplaceable, detail: Array(sticky.utf8)))
        }

        /// A state root: whoever makes it names any process, which is signalled as a container's init.
        @Test(arguments: Way.allCases) func stateRoot(_ way: Way) throws {
            defer { clear(Self.place) }
            var start = ProgramStart("/bin/sleep", ["60"])
            start.input = 0
            let victim = try Program(start)
            let fields = try NodeProcess(victim.pid).read("stat").split(separator: " ")
            let state =
                #"{"id":"prey","init_process_pid":\#(victim.pid),"init_process_start":\#(fields[21]),"created":""}"#
            let root = "\(Self.place)/p/r"
            let helper = try helper(
                way, "sandbox-root = /mnt/node/sandboxes\nruntime = probe \(try Programs.probe.get()) \(root)",
                "mkdir -p r/prey; echo \"\(state.replacing("\"", with: "\\\""))\" >r/prey/state.json")
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("prey".utf8)))
            let expected = Outcome.refused(.rootReplaceable, detail: Array(root.utf8))
            for request in [
                Request.runtimeKill(target, .act(only: nil), signal: 9, all: false), .runtimeState(target),
                .runtimeKill(target, .look, signal: 9, all: false), .runtimeDelete(target, .act(only: nil)),
                .runtimeForget(target, only: NodeIdentity(device: 1, inode: 1, birth: 1)), .runtimeList(runtime: 0),
            ] {
                #expect(try helper.ask(request).outcome == expected, "\(request)")
            }
            #expect(try victim.wait(seconds: 0.05) == nil, "nothing was sent to it")
        }
    }
}
