import SamplePod
import TestNode
import TestPods
import Testing

/// Documents that `register` refuses: the error names the field, and nothing is registered.
@Suite(.serialized) struct BadDocumentTests {
    /// What of a good document is replaced, by what, and what is said then. `ROOT` stands for the node's directory.
    static let edits: [(of: String, by: String, message: String)] = [
        (#""runtime" : "runc","#, "", "the document is wrong: sandbox.runtime: missing; expected a string"),
        (
            #""version" : 1"#, #""version" : 1, "version" : 1"#,
            "the document is wrong: version: duplicate; expected once"
        ),
        (#""attempt" : 0"#, #""attempt" : "0""#, "the document is wrong: containers[0].metadata.attempt: is a string"),
        (#""version" : 1"#, #""version" : 1, "extra" : 1"#, "the document is wrong: extra: unknown field"),
        (#""version" : 1"#, #""version" : 2"#, "the document is wrong: version: is 2; expected 1"),
        (
            #""image" : "busybox""#, #""id" : "x", "image" : "busybox""#,
            "the document is wrong: containers[0].id: duplicate"
        ),
        (#""shm" : "ROOT/"#, #""shm" : "ROOT/../"#, "the document is wrong: sandbox.shm: "),
        (
            #""directory" : "ROOT/sandboxes/"#, #""directory" : "relative/"#,
            "the document is wrong: sandbox.directory: "
        ),
        ("{", "", "the document is not JSON"),
        (
            #""directory" : "ROOT/sandboxes/"#, #""directory" : "/etc/"#,
            "sandbox.directory: /etc/ID lies outside every root of helper.conf; it could lie beneath "
                + "ROOT/sandboxes or ROOT/containers\n"
        ),
        (
            #""network" : "ROOT/netns/"#, #""network" : "/var/"#,
            "sandbox.namespaces.network: /var/sample-SHORT lies outside every root of helper.conf; it could lie beneath "
                + "ROOT/netns (names sample-*)\n"
        ),
        (
            #""network" : "ROOT/netns/sample"#, #""network" : "ROOT/netns/admin"#,
            "sandbox.namespaces.network: ROOT/netns/admin-SHORT has a name that helper.conf does not allow "
                + "beneath ROOT/netns; it allows sample-*\n"
        ),
        (
            #""directory" : "ROOT/sandboxes/"#, #""directory" : "ROOT/sandboxes/a/"#,
            "sandbox.directory: ROOT/sandboxes/a/ID lies 2 levels beneath the root ROOT/sandboxes, where helper.conf allows 1\n"
        ),
        (
            #""runtime" : "runc""#, #""runtime" : "kata""#,
            "sandbox.runtime: helper.conf has no runtime \"kata\"; it has runc\n"
        ),
        (#""pid" : "#, #""pid" : 1"#, "containers[0].pid: 1PID, but runc says that its process is PID\n"),
    ]

    @Test func changesNothing() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            let pod = try node.pod("new")
            let before = pod.leftovers()
            func fill(_ text: String) -> String {
                text.replacing("ROOT", with: node.sample.base).replacing("SHORT", with: pod.id.prefix(16))
                    .replacing("ID", with: pod.id).replacing("P\(pod.id)", with: "\(pod.workloads[0].pid)")
            }
            for edit in Self.edits {
                let of = fill(edit.of)
                let document = pod.registration.replacing(of, with: fill(edit.by), maxReplacements: 1)
                #expect(document != pod.registration, "\(of)")
                let path = try node.write(document, as: "document.json")
                expectFailure(try node.podreap(["register", path]), 2, fill(edit.message))
                expectFailure(try node.podreap(["register", "-"], input: path), 2, fill(edit.message))
            }
            try unchanged.verify("documents")
            #expect(pod.leftovers() == before)
        }
    }

    @Test func idsThatCannotBe() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            let ids = ["", "a/b", "..", "-rf", #"a\u0000b"#, "pöd", String(repeating: "a", count: 4096)]
            for id in ids {
                let document = unchanged.document.replacing("\"\(unchanged.id)\"", with: "\"\(id)\"")
                let path = try node.write(document, as: "document.json")
                expectFailure(try node.podreap(["register", path]), 2, "the document is wrong: sandbox.id: ")
            }
            try unchanged.verify("ids")
        }
    }

    /// The pod is registered already, or another has its name, its directory or one of its containers.
    @Test func whatIsHeldNamesItsHolder() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            let held = unchanged.sample
            let name = "kept_default_\(held.uid)_0"
            let path = try node.write(held.registration, as: "document.json")
            expectFailure(
                try node.podreap(["register", path]), 2,
                "the sandbox \(held.id) is registered already, in the pod \"\(name)\"; remove it first\n")
            func register(_ edit: (String) -> String) throws -> PodreapResult {
                let other = try node.pod("other", [])
                return try node.podreap(["register", try node.write(edit(other.registration), as: "document.json")])
            }
            expectFailure(
                try register { text in
                    let uid = text.split(separator: "\"uid\" : \"")[1].prefix { $0 != "\"" }
                    return text.replacing(uid, with: held.uid).replacing("\"other\"", with: "\"kept\"")
                }, 2, "the name \"\(name)\" is held by the sandbox \(held.id); remove it first\n")
            expectFailure(
                try register { text in
                    let directory = text.split(separator: "\"directory\" : \"")[1].prefix { $0 != "\"" }
                    return text.replacing(
                        "\"directory\" : \"\(directory)\"", with: "\"directory\" : \"\(held.directory)\"")
                }, 2,
                "the path \(held.directory) overlaps with \(held.directory), which belongs to the sandbox \(held.id); remove that sandbox first\n"
            )
            try unchanged.verify("held")
        }
    }

    @Test func filesThatCannotBeRead() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            expectFailure(
                try node.podreap(["register", "/nonexistent"]), 2,
                "/nonexistent cannot be read: No such file or directory\n")
            expectFailure(try node.podreap(["register", "/etc"]), 2, "/etc cannot be read: Is a directory\n")
            expectFailure(
                try node.podreap(["register", try node.write("x", as: "secret", mode: 0)]), 2,
                "\(node.library)/secret cannot be read: Permission denied\n")
            expectFailure(try node.podreap(["register"]), 2, "there is no document; expected at least one\n")
            expectFailure(
                try node.podreap(["register", "/dev/zero"]), 2,
                "the stream has 67108865 bytes; expected at most 67108864\n")
            try unchanged.verify("files")
        }
    }
}
