internal import Foundation
public import TestNode

/// How a run of `podreap` ended.
public struct PodreapResult: Sendable {
    /// Its exit status; 128 and the number of the signal that ended it.
    public var status: Int32
    public var output: String
    public var errors: String

    /// Standard output as JSON lines.
    public func lines() throws -> [[String: any Sendable]] { try Self.lines(output) }

    static func lines(_ text: String) throws -> [[String: any Sendable]] {
        try text.split(separator: "\n").map { line in
            guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: any Sendable] else {
                throw PodNodeFailure("no JSON object: \(line)")
            }
            return object
        }
    }
}

/// A `podreap` that runs as the unprivileged user, its output in files.
public final class RunningPodreap: Sendable {
    public let program: Program
    private let directory: String

    fileprivate init(_ program: Program, _ directory: String) {
        self.program = program
        self.directory = directory
    }

    /// What it has written up to now.
    public func output() throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: "\(directory)/output")), as: UTF8.self)
    }

    /// Waits until its standard output has `count` lines that contain `text`, or it has ended.
    public func waitForLines(_ text: String, count: Int = 1, seconds: Double = 20) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try output().split(separator: "\n").count(where: { $0.contains(text) }) < count {
            if try program.wait(seconds: 0) != nil { return }
            guard .now < deadline else { throw PodNodeFailure("no \(text) within \(seconds) s") }
            Thread.sleep(forTimeInterval: 0.001)
        }
    }

    public func end(seconds: Double = 60) throws -> PodreapResult {
        let status: Int32 =
            switch try program.wait(seconds: seconds) {
            case .exited(let status): status
            case .signalled(let signal): 128 + signal
            case nil: throw PodNodeFailure("podreap runs for more than \(seconds) s")
            }
        let errors = try Data(contentsOf: URL(filePath: "\(directory)/errors"))
        return PodreapResult(status: status, output: try output(), errors: String(decoding: errors, as: UTF8.self))
    }
}

extension PodNode {
    /// Runs `podreap` to its end as the unprivileged user, or another, with this node's registry and the installed helper.
    ///
    /// - Parameters:
    ///   - input: The file on its standard input.
    ///   - environment: Further variables; a later one counts.
    public func podreap(
        _ arguments: [String], input: String = "/dev/null", environment: [String] = [], as user: UInt32 = PodNode.user
    ) throws -> PodreapResult {
        try start(arguments, input: input, environment: environment, as: user).end()
    }

    /// The same, and does not wait.
    ///
    /// - Parameter output: Where its standard output goes, instead of the file that `RunningPodreap.output` reads.
    public func start(
        _ arguments: [String], input: String = "/dev/null", environment: [String] = [],
        as user: UInt32 = PodNode.user, output: String? = nil
    ) throws -> RunningPodreap {
        let directory = "\(library)/run-\(UUID().uuidString)"
        try shell(
            "mkdir \(directory) && cd \(directory) && touch output errors && chown \(Self.user):\(Self.user) . output errors"
        )
        let script = #"in=$1 dir=$2 out=$3; shift 3; exec "$@" <"$in" >"$out" 2>"$dir/errors""#
        var start = ProgramStart(
            "/bin/sh",
            [
                "-c", script, "sh", input, directory, output ?? "\(directory)/output",
                try TestPrograms.forUser("podreap"),
            ] + arguments)
        start.input = 0
        start.user = user
        start.group = user
        start.environment =
            [
                "PATH=/usr/bin:/bin", "LC_ALL=C", "PODREAP_FORBID_BLOCKING=1", "TERM=xterm-256color",
                "PODREAP_REGISTRY=\(registryPath)",
                "PODREAP_HELPER=\(TestNode.helper)",
            ].filter { variable in
                !environment.contains { $0.prefix { $0 != "=" } == variable.prefix { $0 != "=" } }
            } + environment
        return RunningPodreap(try Program(start), directory)
    }

}
