import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What lives is seen, is ended whatever stands in the way, and is named where it cannot be.
@Suite(.serialized) struct LifeTests {
    /// moby#35910, containerd#11133: runc and crun call such a container stopped.
    @Test func anInitWhoseFirstThreadHasEndedIsAliveAndEnded() throws {
        try withReproNode { node in
            try shell("cp \(try TestPrograms.leader.get()) \(node.sample.base)/image/bin/leader")
            try node.sandbox("p1")
            let pid = try node.run("c1", PlainContainer(script: "exec /bin/leader"))
            #expect(soon { (try? NodeProcess(pid).status()["State"]?.hasPrefix("Z")) == true })
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
            // The node's init reaps it when it comes to that.
            #expect(soon { !FileManager.default.fileExists(atPath: "/proc/\(pid)/task") })
        }
    }

    /// The same, and neither its state nor the name of its cgroup tells of it: the search of all processes does.
    @Test func anInitWhoseFirstThreadHasEndedIsFoundByItsRoot() throws {
        try withReproNode { node in
            try shell("cp \(try TestPrograms.leader.get()) \(node.sample.base)/image/bin/leader")
            try node.sandbox("p1")
            var container = PlainContainer(script: "exec /bin/leader")
            container.cgroup = "elsewhere"
            let pid = try node.run("c1", container)
            #expect(soon { (try? NodeProcess(pid).status()["State"]?.hasPrefix("Z")) == true })
            try shell(": >\(node.state(of: "c1"))/state.json")
            try node.expectRegistration(of: "p1", ["c1"])
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 1 && removed.errors.names(pid), "\(removed)")
            try shell("kill -9 \(pid)")
            #expect(soon { !FileManager.default.fileExists(atPath: "/proc/\(pid)/task") })
            #expect(try node.podreap(["remove", "p1"]).status == 0)
        }
    }

    /// runc#2105, moby#35643: a nested engine's paused container keeps the init in its exit.
    @Test func aFrozenCgroupBeneathTheContainersIsThawed() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1", PlainContainer(script: "(exec sleep 6666) & exec sleep 7777"))
            #expect(soon { (try? node.process(of: "c1", with: "6666")) != nil })
            let child = try node.process(of: "c1", with: "6666")
            _ = try node.freeze(child, of: "c1", in: "docker/inner")
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// strace#178: a stopped debugger keeps the init in its exit stop, and no signal to the init helps.
    @Test func aStoppedTracerIsNamed() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let pid = try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let tracer = try Programs.start("/usr/bin/strace", "-f", "-o", "/dev/null", "-p", "\(pid)")
            defer { tracer.kill(SIGCONT) }
            #expect(soon { (try? NodeProcess(pid).status()["TracerPid"]) == "\(tracer.pid)" })
            tracer.kill(SIGSTOP)
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 1 && removed.errors.names(tracer.pid), "\(removed)")
            let explained = try node.podreap(["explain", "p1"])
            #expect(explained.status == 1 && explained.output.names(tracer.pid), "\(explained.output)")
            tracer.kill(SIGCONT)
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// A usual hardening: what /proc does not show lives all the same.
    @Test func whatAProcWithHidepidHidesIsNotTakenForDead() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let pid = try node.run("c1")
            try shell("mount -t proc -o hidepid=2 proc /proc")
            var isHidden = true
            defer { if isHidden { _ = try? shell("umount /proc") } }
            try node.expectRegistration(of: "p1", ["c1"])
            let removed = try node.podreap(["remove", "p1"])
            if NodeProcess(pid).isAlive {
                #expect(removed.status == 1, "\(removed)")
                let explained = try node.podreap(["explain", "p1"]).output
                #expect(explained.contains("hidepid") || explained.contains("hides"), "\(explained)")
            }
            try shell("umount /proc")
            isHidden = false
            if try node.podreap(["inspect", "p1"]).status == 0 { _ = try node.podreap(["remove", "p1"]) }
            try node.expectGone("p1", ["c1"])
        }
    }

    /// A wrong record, or a lost state root.
    @Test func whatTheRuntimeDoesNotKnowIsNotTakenForDead() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let pid = try node.run("c1")
            let whole = try node.leftovers(of: "p1", ["c1"])
            if try node.register("p1", ["c1"], runtime: "crun").status == 0 {
                let removed = try node.podreap(["remove", "p1"])
                guard NodeProcess(pid).isAlive else { return try node.expectGone("p1", []) }
                #expect(removed.status == 1, "\(removed)")
                #expect(try node.podreap(["explain", "p1"]).output.names(pid))
            }
            #expect(try node.leftovers(of: "p1", ["c1"]) == whole, "nothing is touched beneath what lives")
        }
    }
}
