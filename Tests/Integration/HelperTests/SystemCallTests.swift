import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// What becomes of system calls under the filter of each process.
    @Suite struct SystemCalls {
        private static let killed = "killed 31\n"  // SIGSYS

        private static func inject(_ pid: Int32, _ numbers: String) throws -> String {
            try shell("exec \(try Programs.inject.get()) \(pid) \(numbers)")
        }

        /// Numbers and arguments are those of x86-64.
        @Test(arguments: [
            "59 execve", "322 execveat", "56 clone", "57 fork", "435 clone3", "41 socket", "42 connect", "257 openat",
            "2 open",
            "1 write", "165 mount", "101 ptrace", "62 kill", "105 setuid", "157 prctl", "161 chroot", "272 unshare",
            "308 setns",
            "82 rename", "264 renameat", "316 renameat2", "265 linkat", "266 symlinkat", "258 mkdirat", "259 mknodat",
            "268 fchmodat", "260 fchownat", "87 unlink", "84 rmdir", "83 mkdir", "304 open_by_handle_at", "321 bpf",
            "425 io_uring_setup", "10 mprotect", "155 pivot_root", "428 open_tree", "429 move_mount",
            "442 mount_setattr",
            "33 dup2", "292 dup3", "317 seccomp", "310 process_vm_readv", "39 getpid",
            // The right call with the wrong arguments.
            "166 0 0xa umount2", "442 0 0 0x8900 0 32 mount_setattr-private", "428 0 0 0x81001 open_tree-copy",
            "81 fchdir", "80 chdir", "16 0 0xb703 ioctl-namespace-type",
            "9 0 4096 5 0x22 -1 mmap-executable", "9 0 4096 3 0x1 0 mmap-file-shared", "9 0 4096 1 0x2 0 mmap-file",
            "9 0 4096 3 0x21 -1 mmap-shared", "9 0 4096 3 0x32 -1 mmap-fixed",
            "46 0 0 0 sendmsg-with-signal", "46 0 0 0x4001 sendmsg-out-of-band", "47 0 0 0 recvmsg-without-cloexec",
            "47 0 0 0x40000002 recvmsg-peek", "319 0 0 memfd-without-cloexec", "319 0 7 memfd-hugetlb",
            "319 0 0x13 memfd-executable", "332 -100 0 0 0 0 statx-through-links", "15 rt_sigreturn", "60 exit",
            "16 0 0x5413 ioctl", "16 0 0xb702 ioctl-parent-namespace",
            "72 0 4 0 fcntl-set-flags", "72 0 0 0 fcntl-duplicate",
        ])
        func broker(_ call: String) throws {
            let helper = try TestHelper()
            let words = call.split(separator: " ")
            #expect(try Self.inject(helper.process.pid, words.dropLast().joined(separator: " ")) == Self.killed)
            #expect(try helper.process.wait(seconds: 2) == .signalled(31))
        }

        @Test(arguments: [
            "59 execve", "57 fork", "56 clone", "41 socket", "257 openat", "2 open", "1 write", "217 getdents64",
            "319 0 3 memfd", "165 mount", "429 move_mount", "430 fsopen", "432 fsmount", "155 pivot_root", "161 chroot",
            "272 unshare", "308 setns", "316 renameat2", "265 linkat", "258 mkdirat", "268 fchmodat", "260 fchownat",
            "101 ptrace", "62 kill", "434 pidfd_open", "157 prctl", "105 setuid", "304 open_by_handle_at", "321 bpf",
            "425 io_uring_setup", "10 mprotect",
            // The right call with the wrong arguments.
            "166 0 0 umount2", "166 0 2 umount2-detach-following-links", "166 0 8 umount2-at-once",
            "166 0 1 umount2-force", "442 0 0 0 0 32 mount_setattr-one", "428 0 0 1 open_tree-with-path",
            "16 0 0xb702 ioctl-parent-namespace", "9 0 4096 3 0x1 0 mmap-file-shared",
        ])
        func unmounter(_ call: String) throws {
            let helper = try TestHelper()
            let numbers = call.split(separator: " ").dropLast().joined(separator: " ")
            #expect(try Self.inject(try helper.unmounter(), numbers) == Self.killed)
        }

        /// The injection itself harms nobody: an allowed call returns and the helper goes on.
        @Test func allowedCallReturns() throws {
            let helper = try TestHelper()
            #expect(try Self.inject(helper.process.pid, "228 1 0") == "returned -14\n")  // clock_gettime, EFAULT
            // mmap as malloc makes it; the descriptor as an int of 32 or of 64 bits.
            for descriptor in ["-1", "0xffffffff"] {
                let mapped = try Self.inject(helper.process.pid, "9 0 4096 3 0x22 \(descriptor)")
                #expect(mapped.hasPrefix("returned 1"), "\(mapped)")
            }
            #expect(try helper.ask(.lookAt(.at(0))).outcome == .done)
        }

        @Test(arguments: [
            "59 execve", "322 9 0 0 0 0x1000 execveat-other-address", "322 -100 0 0 0 0 execveat-path", "165 mount",
            "166 umount2", "56 0x20000 clone-namespace",
            "101 ptrace", "161 chroot", "272 unshare", "308 setns",
            "304 open_by_handle_at",
            "321 bpf",
            "425 io_uring_setup", "155 pivot_root", "429 move_mount", "175 init_module",
            "310 process_vm_readv",
        ])
        func launcher(_ call: String) throws {
            #expect(try Self.injectIntoLauncher(call) == Self.killed)
        }

        @Test(arguments: [
            "105 setuid", "117 setresuid", "126 capset", "82 rename", "258 mkdirat", "259 mknodat", "265 linkat",
            "268 fchmodat", "260 fchownat", "428 open_tree", "430 fsopen", "435 clone3", "600 none",
        ])
        func launcherIsTold(_ call: String) throws {
            #expect(try Self.injectIntoLauncher(call) == "returned -38\n")  // ENOSYS
        }

        /// prctl(PR_GET_SECUREBITS): no capability by another uid, none raised as ambient, and each of these locked.
        @Test func launchersGetNoOtherCapabilities() throws {
            #expect(try Self.injectIntoLauncher("157 27 prctl") == "returned 236\n")
        }

        private static func injectIntoLauncher(_ call: String) throws -> String {
            let helper = try TestHelper()
            let launcher = try #require(helper.launchers().first)
            return try inject(launcher, call.split(separator: " ").dropLast().joined(separator: " "))
        }

        /// The runtime inherits its launcher's filter. An absolute path would run in spite of the pinned descriptor.
        @Test(arguments: [
            "exec-pinned-path", "exec-other-descriptor", "exec-here", "execve", "mount", "umount", "ptrace", "setns",
            "unshare", "clone-namespace",
            "open-by-handle", "bpf", "io-uring",
        ])
        func runtime(_ call: String) throws {
            try expectKilled(try ProbePolicy.helper(call), call)
        }

        @Test(arguments: [
            "exec-pinned-path", "exec-other-descriptor", "exec-here", "execve", "umount", "ptrace", "setns", "unshare",
            "clone-namespace",
            "open-by-handle", "bpf", "io-uring",
        ])
        func crun(_ call: String) throws {
            try expectKilled(try ProbePolicy.helper(call, crun: true), call)
        }

        @Test(arguments: ["mount", "umount", "ptrace", "setns", "unshare", "open-by-handle", "bpf", "io-uring"])
        func runtimeWithHooks(_ call: String) throws {
            try expectKilled(try ProbePolicy.helper(call, hooks: true), call)
        }

        /// What runtimes of later years call is absent for them, and they work.
        @Test(arguments: [false, true]) func runtimeOfTheFuture(_ isCrun: Bool) throws {
            let helper = try ProbePolicy.helper("future", crun: isCrun)
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("future".utf8)))
            let state = try helper.ask(.runtimeState(target))
            #expect(state.outcome == .done, "\(state.reply)")
            #expect(text(state) == #"{"status": "stopped"}"#)
            let deletion = try helper.ask(.runtimeDelete(target, .act(only: nil)))
            #expect(deletion.outcome == .done, "\(deletion.reply)")
            #expect(!Entry.exists("\(ProbePolicy.stateRoot)/future"))
        }

        /// What no list names leaves a line in the kernel's log; what runtimes are known to try does not.
        @Test func unlistedCallsAreLogged() throws {
            let helper = try ProbePolicy.helper("future", "unlisted")
            var start = ProgramStart(try Programs.kernelLog.get())
            start.input = 0
            start.output = .read
            let log = try Program(start)
            #expect(try log.readLine() == "ready\n")
            for id in ["future", "unlisted"] {
                let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array(id.utf8)))
                #expect(try helper.ask(.runtimeState(target)).outcome == .done)
            }
            var calls: [String] = []
            while calls.last != "315" {  // sched_getattr, the last one of the probe
                let words = try log.readLine().split(whereSeparator: \.isWhitespace).map(String.init)
                guard words.count == 2 else { break }
                if words[0] == "probe" { calls.append(words[1]) }
            }
            #expect(calls == ["433"] + (600...615).map(String.init) + ["315"])  // 433: fspick
        }

        private func expectKilled(_ helper: TestHelper, _ id: String) throws {
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array(id.utf8)))
            let answer = try helper.ask(.runtimeState(target))
            #expect(answer.outcome == .failed(Failure(errno: 0, call: .runtime)))
            guard case .runtime(let facts) = answer.facts else {
                Issue.record("no runtime facts: \(answer.facts)")
                return
            }
            #expect(facts.status == -31)
            #expect(try helper.ask(.runtimeList(runtime: 0)).outcome == .done, "the helper goes on")
        }
    }
}
