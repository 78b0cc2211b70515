import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What belongs to a pod and to none of its containers: the cgroup that CRI-O makes for a pod without an infra container, and the
/// processes that wait for its containers.
@Suite(.serialized) struct PodCgroupTests {
    /// The pod's cgroup in every hierarchy, made as CRI-O makes it.
    private func makePodCgroups(_ node: PodNode, _ name: String = "crio-p1") throws -> [String] {
        let paths = node.sample.cgroupRoots.map { "\($0)/\(name)" }
        try shell("mkdir -p \(paths.joined(separator: " "))")
        node.addEnding("rmdir \(paths.joined(separator: " ")) 2>/dev/null || true")
        return paths
    }

    private func register(
        _ node: PodNode, _ sandbox: String, _ containers: [String], cgroups: [String] = [], monitors: [Int32] = []
    ) throws -> PodreapResult {
        var document = try #require(
            JSONSerialization.jsonObject(with: Data(try node.document(sandbox, containers).utf8)) as? [String: Any])
        var record = try #require(document["sandbox"] as? [String: Any])
        record["cgroups"] = cgroups
        record["monitors"] = monitors
        document["sandbox"] = record
        let text = String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self)
        let result = try node.podreap(["register", try node.write(text, as: "\(sandbox).json")])
        #expect(result.status == 0, "\(result)")
        return result
    }

    private func left(of paths: [String]) -> [String] { paths.filter(FileManager.default.fileExists(atPath:)) }

    private func step(_ removed: PodreapResult) throws -> [String: Any]? {
        try removed.lines().compactMap { $0["record"] as? [String: Any] }
            .last { $0["verb"] as? String == "remove-cgroups" }
    }

    @Test(arguments: [["c1"], []]) func goWithThePod(_ containers: [String]) throws {
        try withReproNode { node in
            let paths = try makePodCgroups(node)
            try node.sandbox("p1")
            for container in containers { try node.run(container) }
            let gone = "\(paths[0])-2"
            let registered = try register(node, "p1", containers, cgroups: paths + [gone])
            #expect(registered.errors.contains("sandbox.cgroups[\(paths.count)]: \(gone) is not there"))
            try shell("mkdir \(gone)")
            node.addEnding("rmdir \(gone)")
            #expect(try node.podreap(["inspect", "p1"]).output.contains(paths[0]))
            #expect(try node.podreap(["plan", "p1"]).output.contains("crio-p1"))
            let removed = try node.podreap(["remove", "p1", "--json"])
            #expect(removed.status == 0 && left(of: paths) == [], "\(removed)")
            try node.expectGone("p1", containers)
            #expect(left(of: [gone]) == [gone], "it was not there when the pod was registered")
        }
    }

    @Test func stayWhereTheyAreAnothersByNow() throws {
        try withReproNode { node in
            let paths = try makePodCgroups(node)
            try node.sandbox("p1")
            _ = try register(node, "p1", [], cgroups: paths)
            try shell("rmdir \(paths.joined(separator: " "))")
            _ = try makePodCgroups(node)
            #expect(try node.podreap(["remove", "p1"]).status == 0)
            #expect(left(of: paths) == paths)
        }
    }

    @Test(arguments: ["itself", "container"]) func areLeftToAnotherPodThatHasThemToo(_ how: String) throws {
        try withReproNode { node in
            let paths = try makePodCgroups(node)
            for pod in ["p1", "p2"] { try node.sandbox(pod) }
            var inner = PlainContainer()
            inner.cgroup = how == "container" ? "crio-p1/c2" : "c2"
            let second = try node.run("c2", inner)
            _ = try register(node, "p1", [], cgroups: paths)
            _ = try register(node, "p2", ["c2"], cgroups: how == "itself" ? paths : [])
            let removed = try node.podreap(["remove", "p1", "--json"])
            #expect(removed.status == 0, "\(removed)")
            #expect(try step(removed)?["detail"] as? String != nil, "\(removed.output)")
            #expect(left(of: paths) == paths && NodeProcess(second).isAlive)
            try node.expectRemoval(of: "p2", ["c2"])
            #expect(left(of: paths) == [])
        }
    }

    /// Whoever lives there is none of the containers', so nobody whom podreap may end.
    @Test func stayWithWhoLivesInThem() throws {
        try withReproNode { node in
            let paths = try makePodCgroups(node)
            try node.sandbox("p1")
            try node.run("c1")
            _ = try register(node, "p1", ["c1"], cgroups: paths)
            let stranger = try Programs.start("/bin/sleep", "4441")
            try shell("echo \(stranger.pid) >\(paths[0])/cgroup.procs")
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 1 && removed.errors.names(stranger.pid), "\(removed)")
            #expect(NodeProcess(stranger.pid).isAlive && left(of: [paths[0]]) == [paths[0]])
            #expect(try node.podreap(["inspect", "p1"]).status == 0, "it is not removed")
            stranger.kill(SIGKILL)
            _ = try stranger.wait(seconds: 10)
            try node.expectRemoval(of: "p1", ["c1"])
            #expect(left(of: paths) == [])
        }
    }

    /// A process that is started as a monitor is, and does nothing.
    private func startMonitor(_ node: PodNode, _ name: String, _ id: String) throws -> Int32 {
        let place = "/mnt/\(name)"
        try shell("cp /usr/bin/python3 \(place); echo 'import time; time.sleep(1000)' >\(place).py")
        node.addEnding("rm -f \(place) \(place).py")
        let text = try shell(
            "PYTHONHOME=/usr \(place) \(place).py --cid \(id) -id \(id) </dev/null >/dev/null 2>&1 & echo $!")
        let pid = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        node.addEnding("kill -9 \(pid) 2>/dev/null || true")
        #expect(soon { (try? NodeProcess(pid).read("cmdline"))?.contains(name) == true })
        return pid
    }

    /// runc and crun leave them behind: they are named, and do not keep the pod.
    @Test(arguments: ["conmon", "containerd-shim"]) func aMonitorThatLivesOnIsNamed(_ name: String) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            let monitor = try startMonitor(node, name, "c1")
            let other = try startMonitor(node, "containerd-shim-other", "c2")
            let registered = try register(node, "p1", ["c1"], monitors: [monitor, other])
            #expect(registered.errors.contains("sandbox.monitors[1]: process \(other)"), "another pod's")
            #expect(try node.podreap(["inspect", "p1"]).output.names(monitor))
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            let warnings = removed.output.split(separator: "\n").filter { $0.hasPrefix("warning: ") }.map(String.init)
            #expect(warnings.count == 1 && warnings[0].names(monitor), "\(removed)")
            #expect(NodeProcess(monitor).isAlive)
            try node.expectGone("p1", ["c1"])
            let history = try node.podreap(["history", "--json"]).output
            #expect(history.names(monitor), "\(history)")
        }
    }

    @Test func aMonitorThatHasEndedIsNotNamed() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            let monitor = try startMonitor(node, "conmon", "c1")
            _ = try register(node, "p1", ["c1"], monitors: [monitor])
            try shell("kill -9 \(monitor)")
            #expect(soon { !NodeProcess(monitor).isAlive })
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0 && !removed.output.names(monitor), "\(removed)")
        }
    }
}
