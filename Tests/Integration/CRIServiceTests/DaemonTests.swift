import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// The process: its start and end, whom it serves, and what it leaves to the next.
@Suite(.serialized) struct DaemonTests {
    @Test func aSecondDaemonIsRefusedAndDoesNoHarm() async throws {
        try await withDaemon { daemon, node in
            let second = try Daemon(node, waits: false)
            #expect(try second.program.wait(seconds: 20) == .exited(3))
            #expect(second.log().contains("another podreapd serves \(daemon.socket)"), "\(second.log())")
            #expect(try daemon.call("Version").code == "OK")
        }
    }

    /// TERM: no new call, the socket is gone, status 0; and what a dead daemon has left does not stop the next.
    @Test func endAndStart() throws {
        try withPodNode { node in
            let first = try Daemon(node)
            #expect(try first.end() == .exited(0), "\(first.log())")
            #expect(!FileManager.default.fileExists(atPath: first.socket))
            let second = try Daemon(node)
            second.program.kill(SIGKILL)
            _ = try second.program.wait(seconds: 10)
            #expect(FileManager.default.fileExists(atPath: second.socket))
            let third = try Daemon(node)
            #expect(try third.call("Version").code == "OK")
            #expect(try third.end() == .exited(0))
        }
    }

    @Test func socketModeAndPeers() async throws {
        try await withDaemon { daemon, _ in
            let mode = try shell("stat -c %a:%u \(daemon.socket)").trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(mode == "660:\(PodNode.user)")
            #expect(try daemon.calls([[Call("Version")]], as: PodNode.user)[0].code == "OK")
            // The mode keeps others out; where it were wrong, the daemon does.
            #expect(try daemon.calls([[Call("Version", timeout: 2)]], as: 4242)[0].code != "OK")
            try shell("chmod 666 \(daemon.socket)")
            #expect(try daemon.calls([[Call("Version", timeout: 2)]], as: 4242)[0].code != "OK")
            #expect(daemon.log().contains("refused a peer"), "\(daemon.log())")
            #expect(try daemon.call("Version").code == "OK")
        }
    }

    @Test func allowedUsers() throws {
        try withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(node, settings: "[daemon]\nsocket = \"\(socket)\"\nusers = [\"4242\"]")
            try shell("chmod 666 \(socket)")
            #expect(try daemon.calls([[Call("Version")]], as: 4242)[0].code == "OK")
            #expect(try daemon.end() == .exited(0))
        }
    }

    /// Killed with KILL while it removes: the next one finishes by itself, and a second call finds nothing to do.
    @Test func aKilledDaemonsRemovalsAreFinishedByTheNext() throws {
        try withPodNode { node in
            // Holds each removal at the moment before its namespace goes.
            let hook = try node.write(
                "#!/bin/sh\necho \"$PODREAP_SANDBOX\" >> \(node.library)/held\nsleep 20\n", as: "hold", mode: 0o755)
            let first = try Daemon(node, settings: "[removal]\nbefore-netns = [\"\(hook)\"]")
            let pods = try (0..<Load.killed).map { try first.pod("pod-\($0)", [Workload()]) }
            let file = try node.write("", as: "calls.json")
            let calls = pods.map { Call("RemovePodSandbox", ["pod_sandbox_id": $0.id]).json }
            try JSONSerialization.data(withJSONObject: [calls]).write(to: URL(filePath: file))
            try shell("/usr/bin/python3 \(try Daemon.client.get()) \(first.socket) < \(file) >/dev/null 2>&1 &")
            let held = { (try? String(contentsOfFile: "\(node.library)/held", encoding: .utf8)) ?? "" }
            let until = ContinuousClock.now + .seconds(60)
            while held().split(separator: "\n").count < Load.killed / 2 {
                try #require(.now < until, "\(first.log())")
                Thread.sleep(forTimeInterval: 0.005)
            }
            first.program.kill(SIGKILL)
            _ = try first.program.wait(seconds: 10)

            let second = try Daemon(node)
            let resumed = second.log().split(separator: "\n").count { $0.contains("resuming a removal") }
            #expect(resumed > 0, "\(first.log())")
            let marked = Set(
                second.log().split(separator: "\n").filter { $0.contains("resuming a removal") }
                    .compactMap { $0.split(separator: "id=").last.map(String.init) })
            let deadline = ContinuousClock.now + .seconds(60)
            while Set(try second.call("ListPodSandbox").ids("items")).intersection(marked).count > 0 {
                try #require(ContinuousClock.now < deadline, "\(second.log())")
            }
            let answers = try second.calls([pods.map { Call("RemovePodSandbox", ["pod_sandbox_id": $0.id]) }])
            #expect(answers.allSatisfy { $0.code == "OK" }, "\(answers)")
            #expect(second.log().contains("nothing to do: the id is not registered"))
            for pod in pods { #expect(pod.leftovers() == []) }
            #expect(try second.end() == .exited(0))
        }
    }

    /// TERM while a stop with grace runs: its call is answered before the end.
    @Test func callsInFlightAreAnswered() async throws {
        try await withPodNode { node in
            let daemon = try Daemon(node)
            let pod = try daemon.pod("web", [Workload(.ignoresTerm)])
            async let answer = Task.detached {
                try daemon.call("StopContainer", ["container_id": pod.workloads[0].id, "timeout": "2"]).code
            }.value
            try daemon.waitForLog("verb=stopContainer")
            daemon.program.kill(SIGTERM)
            #expect(try await answer == "OK", "\(daemon.log())")
            #expect(try daemon.program.wait(seconds: 20) == .exited(0))
        }
    }

    /// Neither a peer that never says anything, nor a stop whose grace is longer than the daemon's, keeps it from ending.
    @Test func theEndIsBounded() async throws {
        try await withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(
                node, settings: "[daemon]\nsocket = \"\(socket)\"\nlog = \"debug\"\nend-grace = 1")
            let pod = try daemon.pod("web", [Workload(.ignoresTerm)])
            let mute = """
                import socket, time
                peer = socket.socket(socket.AF_UNIX)
                peer.connect("\(socket)")
                time.sleep(15)
                """
            let file = try node.write(mute, as: "mute.py")
            try shell("/usr/bin/python3 \(file) >/dev/null 2>&1 &")
            async let answer = Task.detached {
                try daemon.call("StopContainer", ["container_id": pod.workloads[0].id, "timeout": "20"]).code
            }.value
            try daemon.waitForLog("verb=stopContainer")
            daemon.program.kill(SIGTERM)
            #expect(try await answer == "UNAVAILABLE", "\(daemon.log())")
            #expect(try daemon.program.wait(seconds: 12) == .exited(0), "\(daemon.log())")
        }
    }

    @Test func systemdIsTold() throws {
        try withPodNode { node in
            let script = """
                import os, socket, sys
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                peer.bind("\\0podreap-notify")
                listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                listening.bind("\(node.library)/activated.sock")
                listening.listen(16)
                child = os.fork()
                if child == 0:
                    os.dup2(listening.fileno(), 3)
                    os.set_inheritable(3, True)
                    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", NOTIFY_SOCKET="@podreap-notify")
                    os.execv(sys.argv[1], sys.argv[1:])
                listening.close()
                with open("\(node.library)/child", "w") as file: file.write(str(child))
                with open("\(node.library)/told", "wb", buffering=0) as told:
                    while True: told.write(peer.recv(4096) + b"\\n")
                """
            let file = try node.write(script, as: "manager.py")
            let daemon = try Daemon(node, wrapper: ["/usr/bin/python3", file])
            let called = try shell(
                "echo '[[{\"method\":\"Version\"}]]' | /usr/bin/python3 \(try Daemon.client.get()) \(node.library)/activated.sock"
            )
            #expect(called.contains("\"code\": \"OK\""), "\(daemon.log())")
            try shell("kill -TERM $(cat \(node.library)/child)")
            try daemon.waitForLog("ended")
            let told = try String(contentsOfFile: "\(node.library)/told", encoding: .utf8)
            #expect(told.contains("READY=1") && told.contains("STOPPING=1"), "\(told)")
            // A service manager's socket is its own.
            #expect(FileManager.default.fileExists(atPath: "\(node.library)/activated.sock"))
        }
    }

    /// Anybody on the node can connect to the metrics: that takes nothing from those who remove pods.
    @Test func manyWhoAskForMetricsAndSayNothing() throws {
        try withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(
                node, settings: "[daemon]\nsocket = \"\(socket)\"\nlog = \"debug\"\nmetrics = \"127.0.0.1:0\"")
            #expect(try daemon.metrics().contains("podreap_sandboxes"))
            func descriptors() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.program.pid)/fd").count
            }
            let before = try descriptors()
            let port = try #require(daemon.log().firstMatch(of: /port=(\d+)/)?.1)
            let script = """
                import socket, sys
                held = [socket.create_connection(("127.0.0.1", \(port))) for _ in range(300)]
                print("held", flush=True)
                sys.stdin.read()
                """
            var start = ProgramStart("/usr/bin/env", ["python3", "-c", script])
            start.output = .read
            let holder = try Program(start)
            #expect(try holder.readLine() == "held\n")
            // Those beyond the few are closed, and the few do not stay for long.
            let deadline = ContinuousClock.now + .seconds(60)
            while try descriptors() > before + 16 { try #require(.now < deadline) }
            while try descriptors() > before {
                try #require(.now < deadline)
                Thread.sleep(forTimeInterval: 0.1)
            }
            #expect(try daemon.metrics().contains("podreap_sandboxes"))
            holder.kill()
            _ = try holder.wait(seconds: 5)
            #expect(try daemon.end() == .exited(0))
        }
    }

    /// However slowly somebody asks for metrics: of more than sixteen at once the others are closed, and each within ten
    /// seconds.
    @Test func fewAskForMetricsAtOnceAndNotForLong() throws {
        try withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(
                node, settings: "[daemon]\nsocket = \"\(socket)\"\nlog = \"debug\"\nmetrics = \"127.0.0.1:0\"")
            let port = try #require(daemon.log().firstMatch(of: /port=(\d+)/)?.1)
            let script = """
                import select, socket, time
                began = time.monotonic()
                left = {socket.create_connection(("127.0.0.1", \(port))) for _ in range(40)}
                closed = []
                def send(part):
                    for one in left:
                        try: one.send(part)
                        except ConnectionError: pass
                def look():
                    for one in select.select(list(left), [], [], 1)[0]:
                        try: data = one.recv(1)
                        except ConnectionError: data = b""
                        if not data:
                            left.discard(one)
                            closed.append(time.monotonic() - began)
                send(b"GET /metrics HTTP/1.1\\r\\nX: ")
                while len(left) > 16: look()
                print("few", flush=True)
                while left and time.monotonic() - began < 60:
                    look()
                    send(b"x")
                print(len(closed), len([at for at in closed if at >= 10]), flush=True)
                """
            var start = ProgramStart("/usr/bin/env", ["python3", "-c", script])
            start.output = .read
            let asking = try Program(start)
            #expect(try asking.readLine() == "few\n")
            #expect(throws: (any Error).self) { try daemon.metrics() }
            #expect(try asking.readLine() == "40 16\n")
            #expect(try daemon.metrics().contains("podreap_sandboxes"))
            #expect(try daemon.end() == .exited(0))
        }
    }

    @Test func metrics() throws {
        try withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(
                node, settings: "[daemon]\nsocket = \"\(socket)\"\nlog = \"debug\"\nmetrics = \"127.0.0.1:0\"")
            let pod = try daemon.pod()
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
            let text = try daemon.metrics()
            #expect(text.contains(#"podreap_works_total{verb="removeSandbox",outcome="removed"} 1.0"#), "\(text)")
            #expect(text.contains(#"podreap_step_duration_seconds_count{step="forget"} 1"#))
            #expect(text.contains(#"podreap_calls_total{method="RemovePodSandbox",code="OK"} 1.0"#))
            #expect(text.contains(#"podreap_sandboxes{state="removing"} 0.0"#))
            #expect(try daemon.end() == .exited(0))
        }
    }
}
