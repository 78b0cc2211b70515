import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import Synchronization
import TestNode
import TestPods
import Testing

/// What the caller has done right before the namespaces go, and who keeps them.
@Suite(.serialized) struct HookTests {
    struct Refusal: Error, CustomStringConvertible { let description = "no DEL today" }

    @Test(arguments: ["remove", "stop"]) func isCalledAtTheRightMoment(_ purpose: String) async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let seen = Mutex<[String]>([])
            let options = RemovalOptions(beforeNamespaces: { sandbox in
                let left = pod.leftovers()
                let living = left.filter { $0.hasPrefix("process") }
                seen.withLock { $0.append("\(sandbox.id) \(living) \(left.contains("mount \(pod.netns) (nsfs)"))") }
            })
            let answer =
                purpose == "stop"
                ? try await orchestrator.stop(pod.id, grace: .seconds(1), options: options)
                : try await orchestrator.remove(pod.id, options: options)
            #expect(try answer.report().failures == [])
            #expect(seen.withLock { $0 } == ["\(pod.id) [] true"])
            #expect(pod.leftovers().allSatisfy { !$0.contains(pod.netns) })
        }
    }

    /// Its failure, or that it takes too long, keeps the namespace; the next call calls it again.
    @Test(arguments: [true, false]) func keepsTheNamespaceWhereItFails(_ throwsError: Bool) async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let options = RemovalOptions(
                beforeNamespaces: { _ in
                    if throwsError { throw Refusal() }
                    // It takes no notice of being cancelled.
                    await withCheckedContinuation { continuation in
                        DispatchQueue.global().asyncAfter(deadline: .now() + 3) { continuation.resume() }
                    }
                }, beforeNamespacesTimeout: .milliseconds(200))
            let report = try await orchestrator.removed(pod.id, options: options)
            #expect(report.outcome == .incomplete)
            #expect(report.failures.map(\.verb) == ["before-namespaces"])
            #expect(report.failures.first?.detail?.contains(throwsError ? "no DEL today" : "within 0.2 s") == true)
            #expect(pod.leftovers() == ["mount \(pod.netns) (nsfs)", "directory entry \(pod.netns)"])
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    /// On the command line: a command with the namespace and the ids in its environment.
    @Test func command() throws {
        try withPodNode { node in
            let pod = try node.pod()
            #expect(try node.podreap(["register", node.write(pod.registration, as: "pod.json")]).status == 0)
            let failed = try node.podreap(["remove", "--before-netns", "echo the plugin says no >&2; exit 3", pod.id])
            #expect(failed.status == 1)
            #expect(failed.errors.contains("the plugin says no"))
            #expect(failed.errors.contains("exited with status 3"))
            let slow = try node.podreap(
                ["remove", "--before-netns", "sleep 1000", "--before-netns-timeout", "0.2", pod.id])
            #expect(slow.status == 1)
            #expect(slow.errors.contains("was killed after 0.2 s"), "\(slow.errors)")
            #expect(pod.mountPoints(beneath: pod.netns) == [pod.netns])
            let script = "env | grep ^PODREAP_ | sort >\(node.library)/env; test -e $PODREAP_NETNS"
            let done = try node.podreap(["remove", "--before-netns", script, pod.id])
            #expect(done.status == 0, "\(done)")
            let environment = try String(contentsOfFile: "\(node.library)/env", encoding: .utf8)
            for line in [
                "PODREAP_NETNS=\(pod.netns)", "PODREAP_SANDBOX=\(pod.id)", "PODREAP_POD_NAME=web",
                "PODREAP_POD_NAMESPACE=default", "PODREAP_POD_UID=\(pod.uid)",
            ] { #expect(environment.contains(line + "\n"), "\(environment)") }
            #expect(pod.leftovers() == [])
        }
    }

    /// podreap is killed, and its program runs on: the next podreap waits for the end of that before it starts its own.
    @Test func isNotStartedTwice() throws {
        try withPodNode { node in
            let pod = try node.pod()
            #expect(try node.podreap(["register", node.write(pod.registration, as: "pod.json")]).status == 0)
            let log = "\(node.library)/hook"
            let script = "echo start >>\(log); sleep 6; echo end >>\(log)"
            let killed = try node.start(["remove", "--before-netns", script, pod.id])
            let deadline = ContinuousClock.now + .seconds(20)
            while !FileManager.default.fileExists(atPath: log) {
                try #require(.now < deadline)
                Thread.sleep(forTimeInterval: 0.01)
            }
            killed.program.kill()
            #expect(try killed.end().status == 137)
            // Who has less time than it takes says so.
            let hasty = try node.podreap(["remove", "--timeout", "3", "--before-netns", script, pod.id])
            #expect(hasty.status == 1 && hasty.errors.contains("still runs"), "\(hasty)")
            let result = try node.podreap(["remove", "--before-netns", script, pod.id])
            #expect(result.status == 0, "\(result)")
            #expect(try String(contentsOfFile: log, encoding: .utf8) == "start\nend\nstart\nend\n")
            #expect(pod.leftovers() == [])
        }
    }

    /// A process with a mount namespace of its own keeps copies: of what a stop unmounts, and of what it has elsewhere.
    @Test(arguments: ["remove", "stop"]) func namesWhoKeepsACopy(_ purpose: String) throws {
        try withPodNode { node in
            let pod = try node.pod()
            #expect(try node.podreap(["register", node.write(pod.registration, as: "pod.json")]).status == 0)
            let script = """
                mkdir -p /mnt/kept && touch /mnt/kept-netns && mount --bind \(pod.netns) /mnt/kept-netns
                [ \(purpose) = stop ] || mount --bind \(pod.shm) /mnt/kept
                exec sleep 2147483647
                """
            var start = ProgramStart(
                "/bin/sh", ["-c", "exec unshare --mount --propagation private sh -c '\(script)'"])
            start.environment = ["PATH=/usr/bin:/bin"]
            start.input = 0
            let keeper = try Program(start)
            #expect(try soon { try NodeProcess(keeper.pid).read("comm") == "sleep\n" })
            let result = try node.podreap([purpose, "--holders", pod.id])
            #expect(result.status == 0)
            for (kept, place) in [(pod.shm, purpose == "stop" ? pod.shm : "/mnt/kept"), (pod.netns, "/mnt/kept-netns")]
            {
                let warning =
                    "warning: process \(keeper.pid) (sleep) keeps \(kept) in a mount namespace of its own, at \(place):"
                #expect(result.output.contains(warning), "\(result.output)")
            }
            keeper.kill()
            #expect(try node.podreap(["remove", "--holders", pod.id]).output.contains("warning") == false)
            #expect(pod.leftovers() == [])
        }
    }
}
