import Foundation
import SamplePod
import TestNode
import TestPods

/// A podreapd that runs as the unprivileged user on a node, and a client of CRI that other tools have made.
final class Daemon: Sendable {
    let node: PodNode
    let program: Program
    let socket: String
    private let directory: String

    /// Returns when it serves.
    ///
    /// - Parameters:
    ///   - settings: Text of `podreap.toml` after the keys that make it fit this node.
    ///   - wrapper: A command that starts the daemon.
    ///   - user: Who starts it; root's settings lie in a directory of root's.
    ///   - socket: nil: one in the unprivileged user's directory.
    init(
        _ node: PodNode, settings: String = "", wrapper: [String] = [], environment: [String] = [],
        as user: UInt32 = PodNode.user, socket place: String? = nil, waits: Bool = true
    ) throws {
        self.node = node
        directory = "\(user == 0 ? PodNode.rootLibrary : node.library)/daemon-\(UUID().uuidString)"
        socket = place ?? "\(node.library)/podreap.sock"
        try shell("mkdir \(directory) && touch \(directory)/log && chown -R \(user):\(user) \(directory)")
        try Data(
            """
            registry = "\(node.registryPath)"
            helper = "\(TestNode.helper)"
            \(settings.hasPrefix("[") ? "" : settings)
            \(settings.contains("[daemon]") ? "" : "[daemon]\nsocket = \"\(socket)\"\nlog = \"debug\"")
            \(settings.hasPrefix("[") ? settings : "")
            """.utf8
        ).write(to: URL(filePath: "\(directory)/podreap.toml"))
        var start = ProgramStart(
            "/bin/sh",
            ["-c", #"log=$1; shift; exec "$@" 2>>"$log""#, "sh", "\(directory)/log"] + wrapper
                + [try TestPrograms.forUser("podreapd"), "--settings", "\(directory)/podreap.toml", "--socket", socket])
        start.user = user
        start.group = user
        start.environment =
            ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "PODREAP_FORBID_BLOCKING=1"] + environment
        program = try Program(start)
        if waits { try waitForLog("ready") }
    }

    func log() -> String { (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? "" }

    func waitForLog(_ text: String, seconds: Double = 20) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !log().contains(text) {
            if let exit = try program.wait(seconds: 0) {
                // What it has written last may have been written since.
                if log().contains(text) { return }
                throw PodNodeFailure("podreapd ended (\(exit)): \(log())")
            }
            guard .now < deadline else { throw PodNodeFailure("no \(text) in the log within \(seconds) s: \(log())") }
            Thread.sleep(forTimeInterval: 0.005)
        }
    }

    /// Ends it as a service manager does.
    func end(seconds: Double = 40) throws -> Program.Exit? {
        program.kill(SIGTERM)
        return try program.wait(seconds: seconds)
    }

    // MARK: Calls

    /// protoc's and grpcio's work, once for all tests.
    static let client = Result {
        let generate = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Client/generate").path()
        try shell("'\(generate)' /mnt/cri-client && chmod -R a+rX /mnt/cri-client")
        return "/mnt/cri-client/client.py"
    }

    /// Makes calls: those of an inner array at once.
    func calls(_ groups: [[Call]], as user: UInt32? = nil, seconds: Double = 120) throws -> [Answer] {
        let file = "\(directory)/calls-\(UUID().uuidString)"
        let json = groups.map { $0.map(\.json) }
        try JSONSerialization.data(withJSONObject: json).write(to: URL(filePath: file))
        let drop = user.map { "setpriv --reuid \($0) --regid \($0) --clear-groups" } ?? ""
        let output = try shell(
            "\(drop) /usr/bin/python3 \(try Self.client.get()) \(socket) < \(file)", seconds: seconds)
        let answers = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]] ?? []
        return answers.map(Answer.init)
    }

    func call(_ method: String, _ request: [String: any Sendable] = [:], timeout: Double = 60) throws -> Answer {
        try calls([[Call(method, request, timeout: timeout)]])[0]
    }

    func removal(_ method: String, _ request: [String: any Sendable] = [:]) throws -> Answer {
        try calls([[Call(method, request, service: "Removal")]])[0]
    }

    /// What Prometheus would be told.
    func metrics() throws -> String {
        guard let port = log().firstMatch(of: /port=(\d+)/)?.1 else { throw PodNodeFailure("no metrics: \(log())") }
        let read = "import urllib.request as r; print(r.urlopen(\"http://127.0.0.1:\(port)/metrics\").read().decode())"
        return try shell("/usr/bin/python3 -c '\(read)'")
    }

    /// Registers a pod with the command line.
    func register(_ pod: SamplePod, as name: String = "pod.json") throws {
        let file = try node.write(pod.registration, as: name)
        let result = try node.podreap(["register", file])
        guard result.status == 0 else { throw PodNodeFailure("register: \(result.errors)") }
    }

    /// A pod that is registered.
    func pod(_ name: String = "web", _ workloads: [Workload] = [Workload()]) throws -> SamplePod {
        let pod = try node.pod(name, workloads)
        try register(pod, as: "\(name).json")
        return pod
    }
}

struct Call {
    let json: [String: any Sendable]

    init(
        _ method: String, _ request: [String: any Sendable] = [:], service: String = "RuntimeService",
        timeout: Double = 60, cancel: Double? = nil, after: Double? = nil
    ) {
        var json: [String: any Sendable] = [
            "method": method, "request": request, "service": service, "timeout": timeout,
        ]
        json["cancel"] = cancel
        json["after"] = after
        self.json = json
    }
}

struct Answer: CustomStringConvertible {
    let code: String
    let message: String
    let response: [String: Any]
    let seconds: Double

    init(_ json: [String: Any]) {
        code = json["code"] as? String ?? ""
        message = json["message"] as? String ?? ""
        response = json["response"] as? [String: Any] ?? [:]
        seconds = json["seconds"] as? Double ?? 0
    }

    func list(_ key: String) -> [[String: Any]] { response[key] as? [[String: Any]] ?? [] }
    func ids(_ key: String) -> [String] { list(key).compactMap { $0["id"] as? String } }
    var status: [String: Any] { response["status"] as? [String: Any] ?? [:] }
    var description: String { "\(code) \(message) \(response)" }
}

/// A node with a daemon, for one test.
func withDaemon(_ settings: String = "", _ body: (Daemon, PodNode) async throws -> Void) async throws {
    try await withPodNode { node in
        let daemon = try Daemon(node, settings: settings)
        do {
            try await body(daemon, node)
        } catch {
            throw PodNodeFailure("\(error)\n\(daemon.log())")
        }
        _ = try daemon.end()
    }
}
