import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// What the kernel says of each process once it serves.
    @Suite struct Confinement {
        /// What the three have in common.
        private func expectHeldBack(_ status: [String: String], _ name: String) {
            #expect(status["CapInh"] == "0000000000000000", "\(name)")
            #expect(status["CapAmb"] == "0000000000000000", "\(name)")
            #expect(status["NoNewPrivs"] == "1", "\(name)")
            #expect(status["Seccomp"] == "2", "\(name)")
            #expect(!NodeProcess.hasSignals(status["SigBlk"]), "\(name)")
            #expect(status["Groups"] == "", "\(name)")
        }

        @Test func broker() throws {
            let helper = try TestHelper()
            let broker = NodeProcess(helper.process.pid)
            let status = try broker.status()
            expectHeldBack(status, "broker")
            // FOWNER and DAC_OVERRIDE, none of them in force between requests.
            #expect(status["CapPrm"] == "000000000000000a")
            #expect(status["CapBnd"] == "000000000000000a")
            #expect(status["CapEff"] == "0000000000000000")
            #expect(status["Uid"] == "61234\t61234\t61234\t61234")
            #expect(status["Gid"] == "61234\t61234\t61234\t61234")
            #expect(!NodeProcess.hasSignals(status["SigIgn"]))
            #expect(status["Umask"] == "0077")
            #expect(try broker.link("cwd") == "/")
            let descriptors = try broker.descriptors()
            #expect(descriptors[1] == "/dev/null" && descriptors[2] == "/dev/null")
            // Besides: one socket for the unmounter and for each launcher, and at most one to the system log.
            let others = descriptors.filter { $0.key > 2 }
            #expect(others.count <= 5 && others.values.allSatisfy { $0.hasPrefix("socket:") }, "\(descriptors)")
            // Not dumpable: what /proc has of it is root's, so that its own user cannot trace it.
            #expect(try shell("stat -c %u /proc/\(broker.pid)/mem") == "0\n")
            #expect(try broker.read("stat").split(separator: " ")[5] == "\(broker.pid)", "it leads its session")
        }

        @Test func unmounter() throws {
            let helper = try TestHelper()
            defer { withExtendedLifetime(helper) {} }
            let unmounter = NodeProcess(try helper.unmounter())
            let status = try unmounter.status()
            expectHeldBack(status, "unmounter")
            // SYS_ADMIN and DAC_OVERRIDE, none of them in force between requests.
            #expect(status["CapPrm"] == "0000000000200002")
            #expect(status["CapBnd"] == "0000000000200002")
            #expect(status["CapEff"] == "0000000000000000")
            #expect(status["Uid"] == "61234\t61234\t61234\t61234")
            #expect(try unmounter.link("cwd") == "/")
            // The socket to the broker, its list of mounts, and at most one to the system log.
            var descriptors = try unmounter.descriptors()
            #expect(descriptors.removeValue(forKey: 0)?.hasPrefix("socket:") == true)
            for number in [1, 2] { #expect(descriptors.removeValue(forKey: number) == "/dev/null") }
            let others = descriptors.values.filter { $0 != "/proc/\(unmounter.pid)/mountinfo" }
            #expect(others.count == descriptors.count - 1, "\(descriptors)")
            #expect(others.count <= 1 && others.allSatisfy { $0.hasPrefix("socket:") }, "\(descriptors)")
            #expect(try shell("stat -c %u /proc/\(unmounter.pid)/mem") == "0\n")
        }

        /// After each kind of request, whether it has succeeded or not, no capability is in force and nothing stays open.
        @Test func afterEachKindOfRequest() throws {
            try TestNode.shared()
            let root = "\(TestNode.sandboxes)/each"
            let pin = "\(TestNode.netns)/sample-each"
            try shell(
                """
                mkdir -p \(root)/m \(root)/d/d \(root)/beneath/n; mount -t tmpfs none \(root)/m
                mount -t tmpfs none \(root)/beneath/n; touch \(pin); unshare --net=\(pin) true
                """)
            let helper = try TestHelper()
            let processes = [NodeProcess(helper.process.pid), NodeProcess(try helper.unmounter())]
            let descriptors = try processes.map { try $0.descriptors() }
            let target = RuntimeTarget(runtime: 0, id: try ContainerID([0x6e]))
            let wrong = NodeIdentity(device: 1, inode: 77, birth: 0)
            let cgroup = CgroupTarget(
                place: try .at(TestNode.Root.cgroups, "none"), identity: wrong, isExclusive: false)
            let requests: [(Request, [Outcome])] = try [
                (.lookAt(.at(0, "each")), [.done]), (.lookAt(.at(0, "none")), [.alreadyDone]),
                (.unmount(.at(0, "each", "m"), .look), [.done]),
                (.unmount(.at(0, "each", "m"), .act(only: nil)), [.done]),
                (.unmount(.at(0, "each", "m"), .act(only: nil)), [.alreadyDone]),
                (.unmountBeneath(.at(0, "each", "beneath"), only: nil, most: 9), [.done]),
                (.deleteNamespace(.at(TestNode.Root.netns, "sample-each"), .look), [.done]),
                (.deleteNamespace(.at(TestNode.Root.netns, "sample-each"), .act(only: nil)), [.done]),
                (.remove(.at(0, "each"), only: wrong), [.refused(.identityMismatch, detail: [])]),
                (.remove(.at(0, "each")), [.done]), (.runtimeState(target), [.alreadyDone]),
                (.runtimeList(runtime: 0), [.done]),
                (.runtimeKill(target, .act(only: nil), signal: 9, all: true), [.alreadyDone]),
                (.runtimeKillCgroups(target, .act(only: nil), signal: 9, [cgroup]), [.alreadyDone]),
                (.runtimeDelete(target, .act(only: nil)), [.alreadyDone]),
                (.runtimeForget(target, only: wrong), [.alreadyDone]),
            ]
            for (request, outcomes) in requests {
                #expect(outcomes == [try helper.ask(request).outcome], "\(request)")
                for process in processes {
                    #expect(try process.status()["CapEff"] == "0000000000000000", "\(request)")
                }
                #expect(try processes.map { try $0.descriptors() } == descriptors, "\(request)")
                #expect(try processes.map { try $0.link("cwd") } == ["/", "/"], "\(request)")
            }
        }

        /// Whoever starts the helper may be in groups that a runtime must not be in.
        @Test func launchersAreInNoGroup() throws {
            var start = ProgramStart("/usr/bin/setpriv")
            let user = "\(TestNode.caller)"
            start.arguments += ["--reuid", user, "--regid", user, "--groups", "\(user),4,24", TestNode.helper]
            start.socketOwner = TestNode.caller
            let helper = try TestHelper(start)
            #expect(try NodeProcess(helper.process.pid).status()["Groups"]?.contains("24") == true)
            for pid in try helper.launchers() { #expect(try NodeProcess(pid).status()["Groups"] == "") }
        }

        @Test func launchers() throws {
            let helper = try TestHelper()
            let launchers = try helper.launchers()
            #expect(launchers.count == 3)
            for pid in launchers {
                let launcher = NodeProcess(pid)
                let status = try launcher.status()
                expectHeldBack(status, "launcher")
                // KILL and DAC_OVERRIDE.
                for set in ["CapPrm", "CapEff", "CapBnd"] { #expect(status[set] == "0000000000000022") }
                #expect(status["Uid"] == "0\t0\t0\t0")
                #expect(status["Gid"] == "0\t0\t0\t0")
                let descriptors = try launcher.descriptors()
                #expect(Set(descriptors.keys) == [0, 1, 2, 9], "\(descriptors)")
                // runc's file, or a sealed copy of crun, which would make one itself and execute that.
                let program = descriptors[9] ?? ""
                #expect(program.hasSuffix("/runc") || program.hasPrefix("/memfd:"), "\(descriptors)")
                if program.hasPrefix("/memfd:") { #expect(try isSealed("/proc/\(pid)/fd/9")) }
                #expect(try shell("stat -c %u /proc/\(pid)/mem") == "0\n")
            }
        }

        @Test(arguments: [false, true]) func runtime(hooks: Bool) throws {
            let helper = try ProbePolicy.helper("status", "descriptors", "limits", hooks: hooks)
            let status = NodeProcess.fields(try output(helper, "status"))
            expectHeldBack(status, "runtime")
            for set in ["CapPrm", "CapEff", "CapBnd"] { #expect(status[set] == "0000000000000022") }
            #expect(status["Uid"] == "0\t0\t0\t0")
            #expect(!NodeProcess.hasSignals(status["SigIgn"]))
            let descriptors = NodeProcess.fields(try output(helper, "descriptors"))
            #expect(Set(descriptors.keys) == ["0", "1", "2"], "\(descriptors)")
            #expect(descriptors["0"] == "/dev/null")
            #expect(descriptors["1"]?.hasPrefix("/memfd:") == true && descriptors["2"]?.hasPrefix("/memfd:") == true)
            let limits = try output(helper, "limits").split(separator: "\n").map { $0.split(separator: " ") }
            #expect(limits.first { $0.starts(with: ["Max", "file", "size"]) }?.dropFirst(3).first == "4194304")
            #expect(limits.first { $0.starts(with: ["Max", "core"]) }?.contains("0") == true)
        }

        @Test(arguments: [false, true]) func argumentsAndEnvironment(hooks: Bool) throws {
            let helper = try ProbePolicy.helper("arguments", hooks: hooks)
            let root = "probe\n--root\n\(ProbePolicy.stateRoot)\n"
            // A hook would inherit the second.
            let environment = "environment\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n" + (hooks ? "" : "GOMAXPROCS=1\n")
            let answer = try helper.ask(.runtimeList(runtime: 0))
            #expect(text(answer) == root + "list\n--format\njson\n" + environment)
            #expect(try output(helper, "arguments") == root + "state\narguments\n" + environment)
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("arguments".utf8)))
            let one = try helper.ask(.runtimeKill(target, .act(only: nil), signal: 15, all: false))
            #expect(text(one) == root + "kill\narguments\n15\n" + environment)
            let all = try helper.ask(.runtimeKill(target, .act(only: nil), signal: 9, all: true))
            #expect(text(all) == root + "kill\n--all\narguments\n9\n" + environment)
            let deletion = try helper.ask(.runtimeDelete(target, .act(only: nil)))
            #expect(text(deletion) == root + "delete\narguments\n" + environment)
            #expect(deletion.outcome == .failed(Failure(errno: 0, call: .runtime)), "its directory is still there")
        }

        /// Without file capabilities the helper starts, says what it lacks, and refuses what needs it.
        @Test func withoutCapabilities() throws {
            let start = try Programs.hostileStart(["no-new-privileges"])
            let helper = try TestHelper(ungreeted: start)
            #expect(try helper.greet().missing == 0x20_01ea)
            #expect(try helper.ask(.lookAt(.at(0))).outcome == .refused(.missingCapability, detail: []))
            #expect(try helper.ask(.unmount(.at(0, "x"), .look)).outcome == .refused(.missingCapability, detail: []))
        }

        @Test func withoutOneCapability() throws {
            try TestNode.shared()
            try TestNode.install(
                to: "/mnt/libexec/less",
                capabilities: "cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap=p")
            try shell("mkdir -p \(TestNode.sandboxes)/less")
            var start = TestHelper.start
            start.program = "/mnt/libexec/less"
            let helper = try TestHelper(ungreeted: start)
            #expect(try helper.greet().missing == 1 << 21)
            let mount = Request.unmount(try .at(0, "less"), .act(only: nil))
            #expect(try helper.ask(mount).outcome == .refused(.missingCapability, detail: []))
            #expect(try helper.ask(.remove(.at(0, "less"))).outcome == .done)
        }
    }
}

/// What the probe writes for a container of that id.
func output(_ helper: TestHelper, _ id: String) throws -> String {
    let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array(id.utf8)))
    let answer = try helper.ask(.runtimeState(target))
    #expect(answer.outcome == .done, "\(id)")
    return text(answer)
}

/// The standard output that an answer carries.
func text(_ answer: TestHelper.Answer) -> String {
    if let attachment = answer.attachment { return String(decoding: attachment, as: UTF8.self) }
    guard case .runtime(let facts) = answer.facts, case .inline(let bytes) = facts.output else { return "" }
    return String(decoding: bytes, as: UTF8.self)
}
