import Foundation
import HelperProtocol
import Testing

@testable import HelperOperations

/// What is read of a container's state directory.
@Suite final class ContainerStateTests {
    private let directory = FileManager.default.temporaryDirectory.path + "/podreap-state-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false) }
    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func facts(_ text: String?, in file: String = "state.json") throws -> ContainerFacts {
        if let text { try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(file)")) }
        let opened = try Descriptor.absolute((Array(directory.utf8) + [0]).span, .pathOfDirectory)
        return try opened.containerFacts(of: try ContainerID(Array("web-1".utf8)))
    }

    private func shown(_ facts: ContainerFacts) -> String {
        let cgroups = facts.cgroups.map {
            "\(String(decoding: $0.controller, as: UTF8.self)):\(String(decoding: $0.path, as: UTF8.self))"
        }
        let scope = String(decoding: facts.scope, as: UTF8.self)
        return "\(facts.state) \(facts.pid) \(facts.startTime) \(cgroups.joined(separator: " ")) \(scope)"
    }

    /// As runc 1.1 writes it, and 1.5, with names of members in other places.
    @Test(arguments: [
        #"""
        {"id":"web-1","init_process_pid":4242,"init_process_start":80037,"created":"2026-11-23T15:53:15Z",
         "config":{"rootfs":"/","labels":["{\"init_process_pid\":1}"],"cgroups":{"path":"/x","cgroup_paths":{"":"/no"}},
         "namespaces":[{"type":"NEWPID","path":""}]},"rootless":false,
         "cgroup_paths":{"":"/sys/fs/cgroup/unified/pods/web-1","memory":"/sys/fs/cgroup/memory/pods/web-1"},
         "namespace_paths":{"NEWPID":"/proc/4242/ns/pid"},"external_descriptors":["/dev/null"],"intel_rdt_path":""}
        """#,
        #"""
        {"cgroup_paths" : {"":"/sys/fs/cgroup/unified/pods/web-1", "memory":"\/sys\u002ffs/cgroup/memory/pods/web-1"},
         "config":{"namespaces":[{"type":"NEWPID"}],"id":"other"}, "init_process_start":80037, "init_process_pid":4242,
         "id":"web-1"}

        """#,
    ]) func runc(_ text: String) throws {
        #expect(
            shown(try facts(text))
                == "runc 4242 80037 :/sys/fs/cgroup/unified/pods/web-1 memory:/sys/fs/cgroup/memory/pods/web-1 ")
    }

    @Test func runcOfVersion2AndWithoutCgroups() throws {
        let start = #"{"id":"web-1","init_process_pid":1,"init_process_start":2,"cgroup_paths":"#
        #expect(shown(try facts(start + #"{"":"/sys/fs/cgroup/a"}}"#)) == "runc 1 2 :/sys/fs/cgroup/a ")
        #expect(shown(try facts(start + "{}}")) == "runc 1 2  ")
        #expect(shown(try facts(start + "null}")) == "runc 1 2  ")
    }

    @Test func crun() throws {
        let text = #"""
            {
                "pid": 15551,
                "process-start-time": 104810,
                "cgroup-path": "/system.slice/crun-web-1.scope",
                "scope": "crun-web-1.scope",
                "rootfs": "rootfs",
                "systemd-cgroup": true,
                "external_descriptors": "[\"/dev/null\"]"
            }
            """#
        #expect(
            shown(try facts(text, in: "status"))
                == "crun 15551 104810 :/system.slice/crun-web-1.scope crun-web-1.scope")
        #expect(shown(try facts(#"{"pid":7,"cgroup-path":""}"#, in: "status")) == "crun 7 0  ")
    }

    @Test func theBundle() throws {
        func bundle(_ text: String, in file: String = "state.json") throws -> String {
            String(decoding: try facts(text, in: file).bundle, as: UTF8.self)
        }
        let start = #"{"id":"web-1","init_process_pid":1,"init_process_start":2,"config":"#
        #expect(try bundle(start + #"{"labels":["a=b","bundle=\/run\/web","x"],"rootfs":"/r"}}"#) == "/run/web")
        #expect(try bundle(start + #"{"labels":null,"a":["bundle=/no"]}}"#) == "")
        #expect(try bundle(start + #"{"labels":[]},"labels":["bundle=/no"]}"#) == "")
        #expect(try bundle(start + "null}") == "")
        let longest = String(repeating: "b", count: Limits.bundleBytes)
        #expect(try bundle(start + #"{"labels":["bundle=\#(longest)"]}}"#) == longest)
        #expect(try bundle(start + #"{"labels":["bundle=\#(longest)b"]}}"#) == "")
        #expect(try facts(start + #"{"labels":["bundle=/run/web",{}]}}"#).state == .notUnderstood)
        try FileManager.default.removeItem(atPath: "\(directory)/state.json")
        #expect(try bundle(#"{"pid":7,"bundle":"/run/web"}"#, in: "status") == "/run/web")
    }

    @Test func absent() throws {
        #expect(shown(try facts("x", in: "config.json")) == "absent 0 0  ")
    }

    @Test(arguments: [
        "", " ", "{", "null", "[]", "{}", #"{"id":"web-1"}"#, #"{"init_process_pid":1,"init_process_start":2}"#,
        // Another's; cut off; followed by something else.
        #"{"id":"web-10","init_process_pid":1,"init_process_start":2}"#,
        #"{"id":"web-1","init_process_pid":1,"init_process_start":2,"cgroup_paths":{"":"/a"}"#,
        #"{"id":"web-1","init_process_pid":1,"init_process_start":2}{}"#,
        // No pid: these would be a process group, or everything.
        #"{"id":"web-1","init_process_pid":-1,"init_process_start":2}"#,
        #"{"id":"web-1","init_process_pid":2147483648,"init_process_start":2}"#,
        #"{"id":"web-1","init_process_pid":99999999999999999999,"init_process_start":2}"#,
        #"{"id":"web-1","init_process_pid":"4242","init_process_start":2}"#,
        #"{"id":"web-1","init_process_pid":4242,"init_process_start":1.2}"#,
        // youki's form.
        #"{"ociVersion":"v1.0.2","id":"web-1","status":"running","pid":4242,"bundle":"/b"}"#,
        // More than an answer holds.
        #"{"id":"web-1","init_process_pid":1,"init_process_start":2,"cgroup_paths":{"":"/"#
            + String(repeating: "a", count: 4095) + #""}}"#,
    ]) func notUnderstood(_ text: String) throws {
        #expect(shown(try facts(text)) == "notUnderstood 0 0  ")
    }

    @Test func asManyCgroupsAsAnAnswerHolds() throws {
        func state(_ count: Int, _ length: Int) -> String {
            let cgroups = (0..<count).map { #""c\#($0)":"/\#(String(repeating: "p", count: length - 1))""# }
            return #"{"id":"web-1","init_process_pid":1,"init_process_start":2,"cgroup_paths":{"#
                + cgroups.joined(separator: ",") + "}}"
        }
        let most = try facts(state(32, 370))
        #expect(most.state == .runc && most.cgroups.count == 32)
        var packet: [UInt8] = []
        Reply(kind: .runtimeKill, requestID: 1, outcome: .done, facts: .container(most)).encode(
            into: &packet, version: 2)
        #expect(packet.count <= Limits.replyBytes)
        #expect(try facts(state(33, 100)).state == .notUnderstood)
        #expect(try facts(state(32, 390)).state == .notUnderstood)
    }

    @Test func whatIsNoFileOrTooLarge() throws {
        try FileManager.default.createDirectory(atPath: "\(directory)/state.json", withIntermediateDirectories: false)
        #expect(try facts(nil).state == .notUnderstood)
        try FileManager.default.removeItem(atPath: "\(directory)/state.json")
        try Data(count: (4 << 20) + 1).write(to: URL(filePath: "\(directory)/state.json"))
        #expect(try facts(nil).state == .notUnderstood)
        // A link could lead to anybody's file.
        try FileManager.default.removeItem(atPath: "\(directory)/state.json")
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory)/state.json", withDestinationPath: "/etc/passwd")
        #expect(throws: Outcome.self) { try facts(nil) }
    }
}
