import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// What a deletion reads before it calls the runtime, and what it needs to call it.
    @Suite struct StateFiles {
        /// It is no breach of the protocol by the caller, who did not write the file: the helper goes on.
        @Test func tooLargeToSearch() throws {
            try TestNode.shared()
            try shell("mkdir -p /mnt/node/runc/large && truncate -s 5M /mnt/node/runc/large/state.json")
            let helper = try TestHelper()
            let target = RuntimeTarget(runtime: TestNode.Runtime.runc, id: try ContainerID(Array("large".utf8)))
            let answer = try helper.ask(.runtimeDelete(target, .act(only: nil)))
            #expect(answer.outcome == .failed(Failure(errno: 27, call: .read)))
            #expect(try helper.ask(.runtimeDelete(target, .look)).outcome == .done)
            try shell("rm -r /mnt/node/runc/large")
        }

        /// Without the capability to become root, no launcher can run a runtime; all else still works.
        @Test func runtimesNeedTheirCapabilities() throws {
            try TestNode.shared()
            try TestNode.install(
                to: "/mnt/libexec/no-setuid",
                capabilities: "cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setgid,cap_setpcap=p")
            try shell("mkdir -p /mnt/node/runc/there \(TestNode.sandboxes)/no-setuid")
            var start = TestHelper.start
            start.program = "/mnt/libexec/no-setuid"
            let helper = try TestHelper(ungreeted: start)
            #expect(try helper.greet().missing == 1 << 7)
            let target = RuntimeTarget(runtime: TestNode.Runtime.runc, id: try ContainerID(Array("there".utf8)))
            #expect(try helper.ask(.runtimeState(target)).outcome == .refused(.missingCapability, detail: []))
            #expect(try helper.ask(.runtimeList(runtime: 0)).outcome == .refused(.missingCapability, detail: []))
            #expect(try helper.ask(.remove(.at(0, "no-setuid"))).outcome == .done)
            try shell("rm -r /mnt/node/runc/there")
        }
    }
}
