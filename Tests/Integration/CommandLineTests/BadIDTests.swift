import SamplePod
import TestNode
import TestPods
import Testing

/// Ids that no sandbox can have, or that none has.
@Suite(.serialized) struct BadIDTests {
    private static let rule = "expected 1 to 128 of A-Z a-z 0-9 _ . + -, the first a letter, a digit or _"
    /// Arguments, and what is said of them.
    private static let bad: [(id: String, problem: String)] = [
        ("", #"invalid id: "" is empty"#),
        ("a/b", #"invalid id: "a/b" has a character that is not allowed"#),
        ("/etc", #"invalid id: "/etc" has a character that is not allowed"#),
        ("..", #"invalid id: ".." begins with ."#),
        ("../../etc", #"invalid id: "../../etc" begins with ."#),
        ("-rf", #"invalid id: "-rf" begins with -"#),
        ("+a", #"invalid id: "+a" begins with +"#),
        ("pöd", #"invalid id: "p\u{00F6}d" has a character that is not allowed"#),
        ("a\u{1b}[2J", #"invalid id: "a\u{1B}[2J" has a character that is not allowed"#),
        ("a b", #"invalid id: "a b" has a character that is not allowed"#),
        (
            String(repeating: "a", count: 4096),
            "invalid id: \"\(String(repeating: "a", count: 64))\"… is longer than 128 bytes"
        ),
    ]

    @Test(arguments: ["remove", "stop", "plan", "inspect"])
    func changesNothing(_ command: String) throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            for (id, problem) in Self.bad {
                expectFailure(try node.podreap([command, "--", id]), 2, "\(problem); \(Self.rule)\n")
            }
            try unchanged.verify(command)
        }
    }

    /// One bad id among good ones: nothing is begun.
    @Test func besideAGoodOne() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            expectFailure(try node.podreap(["remove", unchanged.id, "../x"]), 2, #"invalid id: "#)
            try unchanged.verify("remove")
        }
    }

    /// Removing and stopping what is not there is done already; looking at it is not possible.
    @Test func unknown() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            for command in ["remove", "stop"] {
                let result = try node.podreap([command, "nope"])
                #expect(result.status == 0)
                #expect(result.output == "")
                #expect(result.errors == "podreap: warning: no sandbox nope is registered, so nothing is to be done\n")
            }
            for command in ["plan", "inspect"] {
                expectFailure(try node.podreap([command, "nope"]), 2, "no sandbox nope is registered\n")
            }
            try unchanged.verify("unknown")
        }
    }

    /// What shows something asks which is meant, and lists the candidates; what acts takes whole ids, and says which there are.
    @Test func ambiguous() throws {
        try withPodNode { node in
            let unchanged = try Unchanged(node)
            for id in ["same-1", "same-2"] {
                let document =
                    #"{"version": 1, "sandbox": {"id": "ID", "metadata": {"name": "ID", "namespace": "n", "uid": "u", "attempt": 0}, "runtime": "runc", "directory": "ROOT/ID"}}"#
                    .replacing("ID", with: id).replacing("ROOT", with: node.sample.sandboxRoot)
                #expect(try node.podreap(["register"], input: node.write(document, as: "document")).status == 0)
            }
            for command in ["plan", "inspect", "explain"] {
                expectFailure(
                    try node.podreap([command, "same"]), 2, "the id same is ambiguous; it could be same-1, same-2\n")
            }
            for command in ["remove", "stop"] {
                let result = try node.podreap([command, "same"])
                #expect(result.status == 0 && result.output == "")
                #expect(
                    result.errors == """
                        podreap: warning: no sandbox same is registered, so nothing is to be done
                        podreap: ids that begin so: same-1, same-2. Give the whole one

                        """)
            }
            #expect(try node.podreap(["inspect", "same-1"]).errors == "")
            #expect(try node.podreap(["inspect", "same-2"]).status == 0)
            #expect(try node.podreap(["remove", "same-1", "same-2"]).status == 0)
            try unchanged.verify("ambiguous")
        }
    }

    @Test(arguments: [
        (["remove"], "give at least one id, or --all"), (["remove", "--frob", "a"], "Unknown option '--frob'"),
        (["stop", "--grace", "x", "a"], "The value 'x' is invalid for '--grace <seconds>'"),
        (["stop", "--grace=-1", "a"], "The value '-1' is invalid for '--grace <seconds>'"),
        (["remove", "--timeout", "nan", "a"], "The value 'nan' is invalid for '--timeout <seconds>'"),
        (["frobnicate"], "Unexpected argument 'frobnicate'"), (["ps", "x"], "Unexpected argument 'x'"),
    ])
    func badCommandLine(_ arguments: [String], _ message: String) throws {
        try withPodNode { node in expectFailure(try node.podreap(arguments), 2, message) }
    }
}
