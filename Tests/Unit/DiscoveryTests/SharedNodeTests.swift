import Foundation
import Testing

/// One node with CRI-O's layout, podman that shares its storage, containerd with two namespaces, a runc of nobody's and an
/// administrator's network namespaces: `gc --remove`, as root, takes only what was pods'.
@Suite(.serialized) struct SharedNodeTests {
    @Test func onlyWhatWasPodsGoes() throws {
        let sections = try PeerScript.run("shared-node")
        func lines(_ name: String) throws -> [String] {
            try #require(sections[name], "no section \(name)").split(separator: "\n").map(String.init)
        }
        func ids(_ name: String, in section: String) throws -> [String] {
            let line = try #require(try lines(section).first { $0.hasPrefix("\(name) ") }, "\(section): no \(name)")
            return line.split(separator: " ").dropFirst().map(String.init)
        }
        #expect(sections["end"] != nil, "it ran to its end")
        let (before, after) = (Set(try lines("before")), Set(try lines("after")))
        #expect(after == before, "gone: \(before.subtracting(after)); new: \(after.subtracting(before))")
        #expect(before.filter { $0.hasPrefix("process ") }.count >= 6, "all that live")
        for name in ["crio", "containerd", "podman", "podman-ended"] {
            let id = try ids(name, in: "living")[0]
            #expect(before.contains { $0.contains(id) }, "\(name)")
        }
        // No notes, and a status of 0, which the section would end with otherwise.
        #expect(try lines("gc-errors") == [])
        let removed = try lines("gc")
        #expect(removed.allSatisfy { $0.contains(#""outcome":"kept""#) || $0.contains(#""outcome":"removed""#) })
        for (name, kind) in [("dead", "directory"), ("dead", "container"), ("leaked", "monitor"), ("killed", "cgroup")]
        {
            for id in try ids(name, in: "garbage").prefix(1) {
                let outcome = name == "killed" ? "kept" : "removed"
                #expect(
                    removed.contains {
                        $0.contains(id) && $0.contains(#""kind":"\#(kind)""#)
                            && $0.contains(#""outcome":"\#(outcome)""#)
                    }, "\(name): no \(kind) \(outcome)")
            }
        }
        #expect(try lines("garbage-left") == [])
        // Nothing is left to do: all is kept, without an error.
        #expect(try lines("gc-again").allSatisfy { $0.contains(#""outcome":"kept""#) })
    }
}
