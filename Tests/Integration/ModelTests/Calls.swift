import Foundation
import TestNode
import TestPods

/// What a call has said.
struct Answer: CustomStringConvertible {
    /// `removed`, `stopped`, `incomplete`, `unknown`, `registered`, `planned`, `collected`, `error`, or `killed`.
    var outcome: String
    var output: String
    var causes: [String]

    /// Why it is not complete, and what else it has said, one line for each.
    var reasons: [String] {
        output.split(separator: "\n").filter { !$0.hasPrefix("step ") && !$0.hasPrefix("cause: ") }.dropLast().map(
            String.init)
    }
    var description: String { ([outcome] + reasons).joined(separator: "; ") }

    init(_ output: String, _ exit: Program.Exit?) {
        self.output = output
        let lines = output.split(separator: "\n")
        causes = lines.filter { $0.hasPrefix("cause: ") }.map { String($0.dropFirst(7)) }
        switch exit {
        case .exited(0): outcome = lines.last.map(String.init) ?? "error"
        case .exited: outcome = "error"
        case .signalled(9): outcome = "killed"
        case .signalled, nil: outcome = "crashed"
        }
    }
}

/// A call that runs.
struct Calling {
    let program: Program
    let text: String

    func end() throws -> Answer {
        let output = try program.readAll(seconds: 100)
        return Answer(output, try program.wait(seconds: 20))
    }
}

extension World {
    func path(_ registry: RegistryName) -> String { "\(node.library)/\(registry.rawValue)-\(number).sqlite" }

    /// Begins a call of the library as the unprivileged user.
    ///
    /// - Parameter crash: When it is killed, in Tests/Support/Crasher's words.
    func begin(_ verb: String, _ subject: String, _ registry: RegistryName, crash: [String] = []) throws -> Calling {
        let words =
            [try Self.program.get(), path(registry), TestNode.helper, verb, subject]
            + (crash.isEmpty ? ["none"] : crash)
        let script = """
            for h in pids unified .; do
                [ -d /sys/fs/cgroup/$h/\(Self.callers) ] && echo $$ >/sys/fs/cgroup/$h/\(Self.callers)/cgroup.procs && break
            done
            exec setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups "$@"
            """
        var start = ProgramStart("/bin/sh", ["-euc", script, "sh"] + words)
        start.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "AFTER_KILL=3"]
        start.input = 0
        start.output = .read
        let name = registry == .first ? "podreap" : "podreap --registry \(registry.rawValue)"
        let text = "\(name) \(verb) \(subject)" + (crash.isEmpty ? "" : "   # killed: \(crash.joined(separator: " "))")
        return Calling(program: try Program(start), text: text)
    }

    func call(_ verb: String, _ subject: String, _ registry: RegistryName, crash: [String] = []) throws -> Answer {
        let calling = try begin(verb, subject, registry, crash: crash)
        let answer = try calling.end()
        note("\(calling.text)   # says: \(answer)")
        try waitForHelpers(calling.text)
        return answer
    }

    /// No helper outlives its caller.
    func waitForHelpers(_ text: String) throws {
        let files = ["pids/", "unified/", ""].map { "/sys/fs/cgroup/\($0)\(Self.callers)/cgroup.procs" }
        for _ in 0..<2000 {
            if files.allSatisfy({ (bytes(of: $0, limit: 64) ?? []).isEmpty }) { return }
            pause(milliseconds: 5)
        }
        violations.append("\(text): its helpers do not end")
    }

    /// Another one is where a fault was planted: Tests/Integration/ModelTests/try-faults.
    static let program = Result {
        try TestPrograms.forUser(
            "podreap-crasher", from: ProcessInfo.processInfo.environment["PODREAP_CRASHER"])
    }
}
