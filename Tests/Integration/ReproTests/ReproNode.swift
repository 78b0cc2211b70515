import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A node for one of the cases that happen on real nodes: with crun too, and roots as deep as a distribution's policy has them.
func withReproNode(_ body: (PodNode) throws -> Void) throws {
    try withPodNode { node in
        try shell("mkdir -m 711 \(node.crunRoot)")
        try node.setPolicy(node.deepPolicy)
        try body(node)
    }
}

extension PodNode {
    var crunRoot: String { "\(sample.base)/crun" }

    var deepPolicy: String {
        let lines = policy.split(separator: "\n").map { line -> String in
            if line.hasPrefix("cgroup-root") { return String(line.replacing(" depth 1", with: " depth 1-3")) }
            return line.hasPrefix("container-root") ? "\(line) depth 1-2" : String(line)
        }
        return (lines + ["runtime = crun /usr/bin/crun \(crunRoot)"]).joined(separator: "\n") + "\n"
    }

    /// Fails unless nothing of the pod is left, seen from outside, and podreap has forgotten it.
    func expectGone(
        _ sandbox: String, _ containers: [String], _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try leftovers(of: sandbox, containers) == [], sourceLocation: location)
        #expect(try podreap(["inspect", sandbox]).status == 2, "it is still registered", sourceLocation: location)
    }

    /// Removes it, which must succeed, and looks.
    func expectRemoval(
        of sandbox: String, _ containers: [String], _ location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try podreap(["remove", sandbox])
        #expect(result.status == 0, "\(result)", sourceLocation: location)
        try expectGone(sandbox, containers, location)
    }

    func expectRegistration(
        of sandbox: String, _ containers: [String], _ location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try register(sandbox, containers)
        #expect(result.status == 0, "\(result)", sourceLocation: location)
    }

    /// The container's member whose last argument is this word: not the shell that is about to start it.
    func process(of container: String, with word: String) throws -> Int32 {
        // The runtime returns when init runs, which starts its children after that.
        for _ in 0..<500 {
            for cgroup in cgroups(of: container) {
                let members = try String(contentsOfFile: "\(cgroup)/cgroup.procs", encoding: .utf8)
                for pid in members.split(separator: "\n").compactMap({ Int32($0) }) {
                    let arguments = (try? NodeProcess(pid).read("cmdline"))?.split(separator: "\0")
                    if arguments?.last == word[...] { return pid }
                }
            }
            Thread.sleep(forTimeInterval: 0.01)
        }
        throw PodNodeFailure("no process of \(container) has \(word)")
    }

    /// Puts a process of a container's into a cgroup beneath the container's, and freezes that; the command that thaws it.
    func freeze(_ pid: Int32, of container: String, in name: String) throws -> String {
        let own = cgroups(of: container).first { Cgroups.isVersion2Alone || $0.contains("/freezer/") }
        guard let own else { throw PodNodeFailure("\(container) is in no hierarchy that freezes") }
        let inner = "\(own)/\(name)"
        let (file, frozen, thawed) =
            Cgroups.isVersion2Alone ? ("cgroup.freeze", "1", "0") : ("freezer.state", "FROZEN", "THAWED")
        try shell("mkdir -p \(inner); echo \(pid) >\(inner)/cgroup.procs; echo \(frozen) >\(inner)/\(file)")
        return "[ ! -d \(inner) ] || echo \(thawed) >\(inner)/\(file)"
    }

    func state(of container: String) -> String { "\(sample.runtimeRoot)/\(container)" }
}

/// The C programs beside these tests, each compiled once.
enum Programs {
    static let stack = compile("stack")
    static let zombie = compile("zombie")

    private static func compile(_ name: String, _ options: String = "") -> Result<String, any Error> {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/\(name).c").path()
        return Result { try TestPrograms.compile(source, options) }
    }

    /// A program that goes with what this gives at the latest; where it `says` it is ready, not before.
    static func start(_ program: String, _ arguments: String..., says: Bool = false) throws -> Program {
        var start = ProgramStart(program, arguments)
        start.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        start.input = 0
        start.output = says ? .read : .discarded
        let started = try Program(start)
        if says, try started.readLine() != "ready\n" { throw PodNodeFailure("\(program) does not begin") }
        return started
    }
}

extension String {
    /// Whether the number stands here by itself.
    func names(_ pid: Int32) -> Bool { split { !$0.isNumber }.contains("\(pid)") }
}
