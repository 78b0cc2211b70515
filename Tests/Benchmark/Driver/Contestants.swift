import FoundationEssentials
import Glibc
import SamplePod

/// One way to remove a pod.
protocol Contestant {
    var name: String { get }
    /// What has to be known before, and is not measured.
    func prepare(_ pod: SamplePod) throws
    /// Removes the pod; milliseconds.
    func remove(_ pod: SamplePod) throws -> Double
}

/// The C program that makes the same runtime calls and system calls, and nothing else. It measures itself.
struct Floor: Contestant {
    let program: String
    var name: String { "floor (C, as root)" }

    func prepare(_ pod: SamplePod) {}

    func remove(_ pod: SamplePod) throws -> Double {
        let process = try Child([program, pod.node.runtime, pod.node.runtimeRoot])
        process.write(Self.description(of: pod))
        process.closeInput()
        let text = process.readAll()
        guard process.wait() == 0, let last = text.split(separator: "\n").last,
            let microseconds = Double(last.split(separator: " ").last ?? "")
        else { throw Incomplete("the floor failed: \(text)") }
        return microseconds / 1000
    }

    /// In the form that floor.c reads.
    private static func description(of pod: SamplePod) -> String {
        var lines = ["pod \(pod.id)"]
        func describe(_ container: SamplePod.Container, as word: String) {
            lines.append("\(word) \(container.id) \(container.pid)")
            lines += pod.mountPoints(beneath: container.directory).map { "unmount \($0)" }
            lines.append("directory \(container.directory)")
            lines += container.cgroups.map { "cgroup \($0)" }
        }
        pod.workloads.forEach { describe($0, as: "container") }
        describe(pod.infra, as: "infra")
        lines += ["sandbox", "unmount \(pod.shm)", "directory \(pod.directory)", "netns \(pod.netns)"]
        return lines.joined(separator: "\n") + "\n"
    }
}

/// The Swift library in a process that lasts, as a CRI runtime would have it: unprivileged, with its helpers running.
final class Library: Contestant {
    let name = "podreap, library"
    private let installation: SampleInstallation
    private let worker: Child

    init(_ installation: SampleInstallation) throws {
        self.installation = installation
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        worker = try Child(installation.command(program: program, ["worker"]))
    }

    func prepare(_ pod: SamplePod) throws {
        _ = try ask("register \(try installation.place(pod.registration, as: "benchmark.json"))")
    }

    func remove(_ pod: SamplePod) throws -> Double {
        guard let microseconds = Double(try ask("remove \(pod.id)")) else { throw Incomplete("the worker's answer") }
        return microseconds / 1000
    }

    private func ask(_ line: String) throws -> String {
        worker.write(line + "\n")
        let answer = worker.readLine()
        guard answer.hasPrefix("ok ") else { throw Incomplete("\(line): \(answer)") }
        return String(answer.dropFirst("ok ".count))
    }
}

/// `podreap remove`, from its start to its end.
struct CommandLineTool: Contestant {
    let name = "podreap, command line"
    private let installation: SampleInstallation

    init(_ installation: SampleInstallation) { self.installation = installation }

    func prepare(_ pod: SamplePod) throws {
        _ = try run(["register", try installation.place(pod.registration, as: "benchmark.json")])
    }

    func remove(_ pod: SamplePod) throws -> Double { try run(["remove", pod.id]) }

    private func run(_ arguments: [String]) throws -> Double {
        let command = installation.command(arguments)
        let start = ContinuousClock.now
        let process = try Child(command)
        process.closeInput()
        let text = process.readAll()
        guard process.wait() == 0 else { throw Incomplete("podreap \(arguments[0]): \(text)") }
        return (ContinuousClock.now - start) / .milliseconds(1)
    }
}
